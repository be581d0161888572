"""The ways from a person, of made-up graphs: every one, each simple, and none that another one hides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import MOST_WAYS, reached, unreached
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Column, Edge, Strategy, Table

PEOPLE = "public.t0"
NAMES = tuple(f"public.t{number}" for number in range(5))
WHOLE, MENTIONS, NOWHERE = None, ("a",), ()

edges = st.builds(
    lambda child, parent, column, own: Edge(child, (column,), parent, ("id",), own_columns=own),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from(("a", "b")),
    st.sampled_from((WHOLE, WHOLE, WHOLE, MENTIONS, NOWHERE)),
)
graphs = st.lists(edges, max_size=9)


def catalogue_of(edges: Sequence[Edge], names: Sequence[str] = NAMES) -> Catalogue:
    tables = tuple(Table(name, "public", name.partition(".")[2], key=("id",)) for name in names)
    return Catalogue(tables, (), tuple(edges))


def ways_by_hand(edges: Sequence[Edge]) -> Iterator[tuple[Edge, ...]]:
    """Every simple way from the people, found from the other end: by trying all edges at each step."""

    def on(way: tuple[Edge, ...], seen: frozenset[str]) -> Iterator[tuple[Edge, ...]]:
        here = way[-1].from_table if way else PEOPLE
        for edge in dict.fromkeys(edges):
            if edge.to_table != here or edge.own_columns == ():
                continue
            if edge.from_table == PEOPLE and not way:
                yield (replace(edge, own_columns=edge.own_columns or edge.from_columns),)
            elif edge.from_table == edge.to_table:
                if way and edge.own_columns is not None:
                    yield (*way, edge)
            elif edge.from_table not in seen:
                yield (*way, edge)
                if edge.own_columns is None:
                    yield from on((*way, edge), seen | {edge.from_table})

    return on((), frozenset({PEOPLE}))


@given(graphs)
def test_every_simple_way_is_found_and_no_other(edges: list[Edge]) -> None:
    found = {way for reach in reached(catalogue_of(edges), PEOPLE) for way in reach.ways}
    assert found == {(), *ways_by_hand(edges)}


@given(graphs)
def test_a_way_begins_at_the_person_joins_on_and_visits_no_table_twice_but_to_mention_it(
    edges: list[Edge],
) -> None:
    for reach in reached(catalogue_of(edges), PEOPLE):
        for way in reach.ways:
            tables = [PEOPLE, *(edge.from_table for edge in way)]
            assert [edge.to_table for edge in way] == tables[:-1]
            assert tables[-1] == reach.name
            mentions_its_own = bool(way) and way[-1].from_table == way[-1].to_table
            assert len(set(tables)) == len(tables) - mentions_its_own
            assert not mentions_its_own or way[-1].own_columns is not None


@given(graphs)
def test_only_the_last_edge_of_a_way_is_a_mention(edges: list[Edge]) -> None:
    for reach in reached(catalogue_of(edges), PEOPLE):
        assert all(edge.own_columns is None for way in reach.ways for edge in way[:-1])


@given(graphs, st.randoms(use_true_random=False))
def test_the_order_of_the_edges_and_their_repetition_change_nothing(
    edges: list[Edge], chance: Random
) -> None:
    shuffled = [*edges, *edges]
    chance.shuffle(shuffled)
    once, twice = (reached(catalogue_of(given), PEOPLE) for given in (edges, shuffled))
    assert {(one.name, frozenset(one.ways)) for one in once} == {
        (one.name, frozenset(one.ways)) for one in twice
    }
    assert len(once) == len({one.name for one in once})


@given(graphs, edges)
def test_one_more_edge_loses_no_way(edges: list[Edge], more: Edge) -> None:
    before = {way for reach in reached(catalogue_of(edges), PEOPLE) for way in reach.ways}
    after = {way for reach in reached(catalogue_of([*edges, more]), PEOPLE) for way in reach.ways}
    assert before <= after


@given(graphs)
def test_what_is_owned_and_what_is_mentioned_are_all_the_ways_and_share_none(edges: list[Edge]) -> None:
    for reach in reached(catalogue_of(edges), PEOPLE):
        owned = reach.owned()
        parts = [owned.ways if owned else (), *(one.ways for _, one in reach.mentions())]
        together = [way for part in parts for way in part]
        assert sorted(map(repr, together)) == sorted(map(repr, reach.ways))


@given(graphs)
@example([Edge("public.t1", ("a",), "public.t1", ("id",)), Edge("public.t1", ("b",), PEOPLE, ("id",))])
def test_a_loop_is_an_edge_of_a_reached_table_to_itself_by_which_rows_belong(edges: list[Edge]) -> None:
    for reach in reached(catalogue_of(edges), PEOPLE):
        assert set(reach.loops) == {
            edge
            for edge in edges
            if edge.from_table == edge.to_table == reach.name != PEOPLE and edge.own_columns is None
        }


def test_a_person_whose_row_names_another_is_not_theirs_but_mentions_them() -> None:
    referred = Edge(PEOPLE, ("referred_by",), PEOPLE, ("id",))
    (people,) = reached(catalogue_of([referred]), PEOPLE)
    assert people.owned() == replace(people, ways=((),))
    assert [columns for columns, _ in people.mentions()] == [("referred_by",)]


def test_the_subject_comes_first_and_the_depth_is_of_the_longest_way() -> None:
    chain = [Edge(child, ("a",), parent, ("id",)) for parent, child in pairwise(NAMES)]
    short = Edge(NAMES[3], ("b",), PEOPLE, ("id",))
    found = reached(catalogue_of([*chain, short]), PEOPLE)
    assert found[0].name == PEOPLE
    assert {reach.name: reach.depth for reach in found} == {name: place for place, name in enumerate(NAMES)}


def test_a_table_that_is_unknown_or_has_no_single_key_is_refused() -> None:
    with pytest.raises(TableError) as unknown:
        reached(catalogue_of([]), "public.nobody")
    assert unknown.value.problem == 'there is no table "public.nobody"'
    with pytest.raises(TableError) as keyless:
        reached(Catalogue((Table("public.pair", "public", "pair", key=("a", "b")),), (), ()), "public.pair")
    assert keyless.value.problem == 'the primary key of "public.pair" is not one column'


def test_more_ways_than_a_query_can_ask_are_said_in_time() -> None:
    doubled = [
        Edge(f"public.t{number + 1}", (column,), f"public.t{number}", ("id",))
        for number in range(12)
        for column in ("a", "b")
    ]
    with pytest.raises(TableError) as many:
        reached(catalogue_of(doubled, [f"public.t{number}" for number in range(13)]), PEOPLE)
    assert many.value.problem == f'there are more than {MOST_WAYS} ways from "public.t0" to "public.t10"'
    assert many.value.hint == "declare edges that lead nowhere in ops.personal_edges: own_columns => '{}'"


def test_a_personal_table_is_unreached_only_of_people_of_the_service() -> None:
    def column(table: str, class_: str, people: str) -> Column:
        return Column(table, "c", "text", False, class_, "why", Strategy.KEEP, people=people)

    found = replace(
        catalogue_of([Edge(NAMES[1], ("a",), PEOPLE, ("id",))]),
        columns=(
            column(NAMES[1], "contact", "users"),
            column(NAMES[2], "contact", "users"),
            column(NAMES[3], "contact", "staff"),
            column(NAMES[4], "none", "users"),
        ),
    )
    assert unreached(found, reached(found, PEOPLE)) == (NAMES[2],)
