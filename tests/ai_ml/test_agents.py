"""Conversations: numbered without a gap, never rewritten; tools run once they were approved."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from ai_ml.scene import (
    CALL,
    acting,
    add_conversation,
    add_model,
    add_person,
    ask,
    one,
    refused,
    refused_on,
)

from support import connected, rows

APPEND = "SELECT append_message_v1(%s, %s, 'user', '[\"hello\"]')"


@pytest.fixture
def talk(url: str) -> tuple[str, int, int]:
    """The database, a person and a conversation with one message."""
    person = add_person(url)
    conversation = add_conversation(url, person)
    rows(url, APPEND, (person, conversation))
    return url, person, conversation


def request(
    url: str, person: int, conversation: int, *, key: str | None = "k", approval: bool = True
) -> None:
    rows(url, CALL, (person, conversation, 1, "call_1", "play", '{"track": 7}', key, approval))


def advance(url: str, status: str) -> None:
    rows(url, f"UPDATE agent_tool_calls SET status = '{status}'")


def test_messages_are_numbered_from_one(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    assert one(url, APPEND, (person, conversation)) == 2
    assert rows(
        url,
        "SELECT last_seq, last_message_at = (SELECT max(created_at) FROM agent_messages) FROM agent_conversations",
    ) == [(2, True)]


def test_two_writers_leave_no_gap_and_no_number_twice(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    start = threading.Barrier(2, timeout=60)

    def write(fails: bool) -> list[int]:
        numbers = []
        with connected(url, autocommit=False) as connection:
            start.wait()
            for place in range(100):
                [(number,)] = ask(connection, APPEND, (person, conversation))
                if fails and place % 5 == 0:
                    connection.rollback()
                else:
                    connection.commit()
                    numbers.append(number)
        return numbers

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(write, (True, False))
    assert len(first) == 80
    assert len(second) == 100
    assert sorted([1, *first, *second]) == list(range(1, 182))
    stored = rows(url, "SELECT seq FROM agent_messages ORDER BY seq")
    assert [seq for (seq,) in stored] == list(range(1, 182))


@pytest.mark.parametrize("numbers", ["3", "2, 4", "1"])
def test_a_message_out_of_its_turn_is_refused(talk: tuple[str, int, int], numbers: str) -> None:
    url, person, conversation = talk
    written = (
        "INSERT INTO agent_messages (user_id, conversation_id, seq, role, parts)"
        f" SELECT %s, %s, seq, 'user', '[]' FROM unnest(ARRAY[{numbers}]) AS seq"
    )
    problem, _ = refused(url, written, (person, conversation))
    assert problem in {
        "the messages of a conversation are numbered without a gap",
        'duplicate key value violates unique constraint "agent_messages_pkey"',
    }
    assert one(url, "SELECT count(*) FROM agent_messages") == 1
    rows(url, written.replace(f"ARRAY[{numbers}]", "ARRAY[2, 3]"), (person, conversation))
    assert one(url, "SELECT last_seq FROM agent_conversations") == 3


def test_an_answer_says_which_model_gave_it(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    answer = "SELECT append_message_v1(%s, %s, 'assistant', '[]', %s)"
    with pytest.raises(psycopg2.errors.CheckViolation, match="agent_messages_model_version_id_check"):
        rows(url, answer, (person, conversation, None))
    version = add_model(url, "talker", task="llm", dimensions=None)
    assert one(url, answer, (person, conversation, version)) == 2


def test_a_message_is_redacted_and_never_rewritten(talk: tuple[str, int, int]) -> None:
    url, _, _ = talk
    assert refused(url, "UPDATE agent_messages SET parts = '[\"bye\"]'") == (
        "what was said does not change",
        "take it out: SET parts = '[]', redacted_at = now()",
    )
    rows(url, "UPDATE agent_messages SET parts = '[]', redacted_at = now()")
    assert one(url, "SELECT parts FROM agent_messages") == []
    assert refused(url, "UPDATE agent_messages SET redacted_at = NULL")[0] == "what was said does not change"


def test_a_closed_conversation_takes_no_message(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    rows(url, "UPDATE agent_conversations SET status = 'closed'")
    assert refused(url, APPEND, (person, conversation)) == (
        "the conversation is closed",
        "set its status to open, or begin another one",
    )


def test_a_conversation_that_is_not_there_is_refused(talk: tuple[str, int, int]) -> None:
    url, person, _ = talk
    assert refused(url, APPEND, (person, 99)) == (
        "there is no conversation 99",
        "name its owner and its number",
    )


def test_a_conversation_ends_after_thirteen_months_with_all_that_is_in_it(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    request(url, person, conversation)
    assert (
        one(url, "SELECT delete_after = created_at + INTERVAL '13 months' FROM agent_conversations") is True
    )
    rows(url, "DELETE FROM agent_conversations")
    assert (
        one(url, "SELECT (SELECT count(*) FROM agent_messages) + (SELECT count(*) FROM agent_tool_calls)")
        == 0
    )


def test_a_tool_runs_once_it_was_approved(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    request(url, person, conversation)
    assert refused(url, "UPDATE agent_tool_calls SET status = 'running'")[0] == (
        'tool call "call_1" is pending, and does not become running'
    )
    with acting(url, user_id=person) as connection:
        decide = "SELECT decide_tool_call_v1(%s, %s, 1, 'call_1', true)"
        assert ask(connection, decide, (person, conversation)) == [("approved",)]
        assert ask(connection, decide, (person, conversation)) == [("approved",)]
        for status in ("running", "ok"):
            ask(connection, f"UPDATE agent_tool_calls SET status = '{status}'")
    assert rows(
        url,
        "SELECT status, approved_by, approved_at <= started_at, started_at <= finished_at FROM agent_tool_calls",
    ) == [("ok", person, True, True)]


def test_what_was_denied_never_runs(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    request(url, person, conversation)
    with acting(url, user_id=person) as connection:
        decide = "SELECT decide_tool_call_v1(%s, %s, 1, 'call_1', %s)"
        assert ask(connection, decide, (person, conversation, False)) == [("denied",)]
        for status in ("approved", "running", "ok", "pending"):
            assert refused_on(connection, f"UPDATE agent_tool_calls SET status = '{status}'") == (
                f'tool call "call_1" is denied, and does not become {status}',
                "pending is approved or denied, approved runs, running ends as ok, error or timeout",
            )
        assert refused_on(connection, decide, (person, conversation, True))[0].endswith(
            "does not become approved"
        )
    assert rows(url, "SELECT status, started_at FROM agent_tool_calls") == [("denied", None)]


def test_a_tool_that_asks_nobody_runs_at_once(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    request(url, person, conversation, approval=False)
    for status in ("running", "timeout"):
        advance(url, status)
    assert rows(url, "SELECT status, approved_by FROM agent_tool_calls") == [("timeout", None)]


def test_an_agent_does_not_approve_itself(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    request(url, person, conversation)
    decide = "SELECT decide_tool_call_v1(%s, %s, 1, 'call_1', true)"
    with acting(url, user_id=person, actor_type="agent") as connection:
        assert refused_on(connection, decide, (person, conversation)) == (
            "an agent does not decide on its own tool calls",
            'let a person decide: app.actor_type is "agent" here',
        )
    assert refused(url, decide, (person, conversation)) == (
        'nobody is signed in to decide on tool call "call_1"',
        "set app.user_id to the person who decides",
    )
    assert one(url, "SELECT status FROM agent_tool_calls") == "pending"


@pytest.mark.parametrize(
    "change",
    ["arguments = '{}'", "tool_name = 'delete'", "approval_required = false", "idempotency_key = 'z'"],
)
def test_what_was_approved_is_what_runs(talk: tuple[str, int, int], change: str) -> None:
    url, person, conversation = talk
    request(url, person, conversation)
    assert refused(url, f"UPDATE agent_tool_calls SET {change}") == (
        'what tool call "call_1" asks for does not change',
        "deny it and request another one",
    )


def test_nobody_decides_in_the_name_of_somebody_else_or_afterwards(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    request(url, person, conversation)
    with acting(url, "agent_owner", user_id=person) as connection:
        forged = f"UPDATE agent_tool_calls SET status = 'approved', approved_by = {person + 1}"
        assert (
            refused_on(connection, forged)[0] == 'tool call "call_1" is decided in the name of somebody else'
        )
        ask(connection, "UPDATE agent_tool_calls SET status = 'approved'")
        later = f"UPDATE agent_tool_calls SET approved_by = {person + 1}"
        assert refused_on(connection, later)[0] == 'the decision on tool call "call_1" does not change'


def test_a_call_begins_as_pending(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    assert refused(
        url,
        "INSERT INTO agent_tool_calls (user_id, conversation_id, seq, call_id, tool_name, arguments, status)"
        " VALUES (%s, %s, 1, 'c', 'play', '{}', 'running')",
        (person, conversation),
    ) == ("a tool call begins as pending", "call request_tool_call_v1, then decide_tool_call_v1")


def test_the_same_request_twice_is_one_call(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    request(url, person, conversation)
    advance_to = "SELECT call_id FROM request_tool_call_v1(%s, %s, 1, 'call_2', 'play', %s, 'k')"
    assert one(url, advance_to, (person, conversation, '{"track": 7}')) == "call_1"
    assert refused(url, advance_to, (person, conversation, '{"track": 8}')) == (
        'the idempotency key of tool call "call_1" stands for another request',
        "a new request takes a new key; the same request takes the same arguments",
    )
    other = add_person(url)
    elsewhere = add_conversation(url, other)
    rows(url, APPEND, (other, elsewhere))
    assert one(url, advance_to, (other, elsewhere, '{"track": 8}')) == "call_2"
    assert one(url, "SELECT count(*) FROM agent_tool_calls") == 2


def test_the_same_request_at_the_same_time_is_one_call(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    start = threading.Barrier(2, timeout=60)

    def ask_for(call: str) -> list[str]:
        found = []
        with connected(url) as connection:
            for place in range(50):
                start.wait()
                values = (person, conversation, 1, f"{call}_{place}", "play", "{}", f"key {place}", True)
                [(name,)] = ask(connection, CALL.replace("status", "call_id", 1), values)
                found.append(name)
        return found

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(ask_for, ("a", "b"))
    assert first == second
    assert one(url, "SELECT count(*) FROM agent_tool_calls") == 50


def test_the_decision_is_in_the_trail_and_what_was_said_is_not(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    request(url, person, conversation)
    with acting(url, user_id=person) as connection:
        ask(connection, "SELECT decide_tool_call_v1(%s, %s, 1, 'call_1', true)", (person, conversation))
    assert rows(
        url,
        "SELECT entity_id, action, changed_columns, actor_ref = subject_ref FROM audit_log"
        " WHERE entity_type = 'agent_tool_call' ORDER BY id DESC LIMIT 1",
    ) == [(conversation, "update", ["status", "approved_by", "approved_at"], True)]
    assert one(url, "SELECT count(*) FROM audit_log WHERE audit_log::text LIKE '%%hello%%'") == 0
    assert one(url, "SELECT count(*) FROM audit_log WHERE entity_type = 'agent_conversation'") == 1


def test_the_application_sees_one_person_and_nobody_without_a_setting(talk: tuple[str, int, int]) -> None:
    url, person, conversation = talk
    request(url, person, conversation)
    other = add_person(url)
    tables = ("agent_conversations", "agent_messages", "agent_tool_calls")
    for settings, count in (({"user_id": person}, 1), ({"user_id": other}, 0), ({"user_id": ""}, 0), ({}, 0)):
        with acting(url, **settings) as connection:
            for table in tables:
                assert ask(connection, f"SELECT count(*) FROM {table}") == [(count,)]
    with acting(url, user_id=other) as connection:
        assert (
            refused_on(connection, APPEND, (person, conversation))[0]
            == f"there is no conversation {conversation}"
        )
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
            ask(
                connection,
                "INSERT INTO agent_conversations (user_id, agent, locale) VALUES (%s, 'dj', 'en')",
                (person,),
            )
    with acting(url, "agent_privacy", subject_id=person) as connection:
        for table in tables:
            assert ask(connection, f"SELECT count(*) FROM {table}") == [(1,)]
    with acting(url, "agent_readonly") as connection:
        for table in tables:
            assert refused_on(connection, f"SELECT FROM {table}")[0] == f"permission denied for table {table}"


def test_the_application_does_its_work_under_row_security(talk: tuple[str, int, int]) -> None:
    url, person, _ = talk
    with acting(url, user_id=person) as connection:
        [(conversation,)] = ask(
            connection,
            "INSERT INTO agent_conversations (user_id, agent, locale) VALUES (%s, 'dj', 'fr') RETURNING id",
            (person,),
        )
        assert ask(connection, APPEND, (person, conversation)) == [(1,)]
        values = (person, conversation, 1, "c", "play", "{}", "x", True)
        assert ask(connection, CALL, values) == [("pending",)]
        assert refused_on(connection, "UPDATE agent_conversations SET last_seq = 9")[0] == (
            "permission denied for table agent_conversations"
        )
        ask(connection, "DELETE FROM agent_conversations WHERE id = %s", (conversation,))
        assert ask(connection, "SELECT count(*) FROM agent_messages") == [(1,)]
