"""An encoding is told where the letters tell it, said to be a guess, and never taken where two are as likely."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotify_ai_agent_migrations import FileError, RowError, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export.encoding import Detected, detect
from support import connected, rows

_TOLD = {
    ("cp1252", "cp1252"): [
        "Motörhead", "café", "Orléans,Besançon,Nîmes,Sète", "père,mère,élève,première,été", "España,niño,Málaga",
        "Sørensen,København,Århus", "Reykjavík,Björk,Ágætis byrjun", "it\u2019s “quoted” \u2013 for €5", "MÜNCHEN,ÉCOLE",
        "Beyoncé,Motörhead,Señor,Sigur Rós", "São Paulo,João,Guimarães,Conceição",
        "père", "François", "cœur,sœur", "María", "São", "Kjær", "20°C", "5 µm", "£5", "Ángel", "Daniël", "België,financiële,patiënten",
        "Núria,Mercè,això,Lluís", "più,città,però",
    ],
    ("cp1250", "cp1250"): ["Łódź,Kraków,Wrocław", "Poznań,Gdańsk", "Plzeň,Děčín,Žďár,Škoda", "Zdeněk,Němec", "Győr", "Győr,Szőlő,Hűvös,Székesfehérvár,Nyíregyháza"],
    ("iso8859-2", "iso8859-2"): ["Plzeň,Děčín,Třebíč,Žďár,Příbram"],
    ("cp1254", "cp1254"): ["İstanbul,Muğla,Eskişehir,K\u0131r\u0131kkale,Ş\u0131rnak"],
    ("cp1257", "cp1257"): ["Šiauliai,Panevėžys,Marijampolė,Mažeikiai", "Rīga,Liepāja,Jūrmala,Rēzekne"],
    ("cp1251", "cp1251"): ["Москва,Казань,Самара,Уфа,Пермь", "Київ,Львів,Харків,Одеса"],
    ("koi8-r", "koi8-r"): ["Москва,Казань,Самара,Уфа,Пермь"],
    ("koi8-u", "koi8-u"): ["Київ,Львів,Харків", "Запоріжжя"],
    ("cp1253", "cp1253"): ["Αθήνα,Θεσσαλονίκη,Πάτρα"],
    ("mac_roman", "mac_roman"): ["Orléans,Besançon,Nîmes,Sète"],
    ("cp850", "cp850"): ["München,Köln,Würzburg,Düsseldorf"],
    ("shift_jis", "cp932"): ["東京,大阪,名古屋,札幌"],
    ("gbk", "gb18030"): ["北京,上海,广州,深圳"],
    ("euc_kr", "cp949"): ["안녕하세요 세계,대한민국 서울특별시,부산광역시 해운대구"],
}  # fmt: skip


@pytest.mark.parametrize("times", [1, 300])
@pytest.mark.parametrize(
    ("encoding", "found", "text"), [(*key, text) for key, texts in _TOLD.items() for text in texts]
)
def test_an_encoding_is_told_by_its_letters(encoding: str, found: str, text: str, times: int) -> None:
    sample = f"id,name\n1,{text}\n".encode(encoding) * times
    assert detect(sample) == Detected(found, is_guess=True)


@pytest.mark.parametrize(
    ("encoding", "text", "among"),
    [
        ("cp1252", "forêt", {"cp1252", "cp1250"}),
        ("cp1250", "Świnoujście", {"cp1250"}),
        ("cp1254", "Muğla,Doğan", {"cp1254"}),
        ("cp1250", "Michał,Paweł", {"cp1250"}),
        ("cp1252", "N° 5,nº 3", {"cp1252"}),
        ("big5", "台北,林", {"big5"}),
        ("gbk", "深圳,王芳,陈静", {"gb18030"}),
        ("cp1250", "Częstochowa,Kraków", {"cp1252", "cp1250"}),
        ("euc_kr", "서울,부산,대구", {"cp949", "gb18030"}),
        ("euc_jp", "東京,大阪,名古屋", {"euc_jp", "gb18030"}),
        ("cp874", "กรุงเทพ,เชียงใหม่,ภูเก็ต", set()),
        ("cp1252", "secretÿ", set()),
    ],
)
def test_where_two_readings_are_as_likely_none_is_taken_and_the_candidates_are_named(
    encoding: str, text: str, among: set[str]
) -> None:
    found = detect(f"id,name\n1,{text}\n".encode(encoding))
    assert (found.encoding, found.is_guess) == ("utf-8", False)
    assert among <= set(found.candidates)


def test_a_guess_is_said_and_a_declared_encoding_is_none(empty_url: str, tmp_path: Path) -> None:
    _table(empty_url)
    (tmp_path / "t.csv").write_bytes("id,name\n1,Łódź\n2,Wrocław\n".encode("cp1250"))
    result = bulk_import("t", tmp_path / "t.csv", url=empty_url)
    assert result.notes == ("read as cp1250, which is a guess; encoding=…, --encoding says it",)
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url, encoding="cp1250").notes == ()
    assert rows(empty_url, "SELECT DISTINCT name FROM t WHERE id = 1") == [("Łódź",)]


def test_an_encoding_that_cannot_be_told_is_asked_for(empty_url: str, tmp_path: Path) -> None:
    _table(empty_url)
    (tmp_path / "t.csv").write_bytes("id,name\n1,Paris\n2,forêt\n".encode("cp1252"))
    with pytest.raises(RowError) as caught:
        bulk_import("t", tmp_path / "t.csv", url=empty_url)
    hint = "name the encoding, encoding=…, --encoding: it may be cp1252 or cp1250"
    assert (caught.value.line, caught.value.column, caught.value.hint) == (3, "name", hint)
    result = bulk_import("t", tmp_path / "t.csv", url=empty_url, max_rejects=1)
    assert (result.rows, result.rejected) == (1, 1)
    assert result.notes == (
        "read as utf-8, which it is not: it may be cp1252 or cp1250; encoding=…, --encoding says it",
    )
    (tmp_path / "t.csv").write_bytes("id,forêt\n1,Paris\n".encode("cp1252"))
    with pytest.raises(FileError) as header:
        bulk_import("t", tmp_path / "t.csv", url=empty_url)
    assert header.value.hint == hint


def _table(url: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id integer, name text)")
