"""`leeze-hil import`: files of others become traffic and traces that replay; broken parts are counted and named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from drivers.codecs.spat import Intersection, Movement, Phase
from drivers.codecs.spat_xml import SpatXmlEncoder

HEAD = "timestamp;sensor_index;lane_id;user_type;direction;speed\n"
STATION = 4070


def message(tenth: int = 0, station: int = STATION, encoder: SpatXmlEncoder | None = None) -> bytes:
    """A message of two groups, `tenth` tenths of a second after 08:00; group 1 turns at 20 s, group 2 has no times."""
    groups = (
        Movement(1, (Phase(3, 200, 300, 250, 15), Phase(6, 500, 600, 550, 15))),
        Movement(2, (Phase(3, None, None, None, None),)),
    )
    return (encoder or SpatXmlEncoder()).encode(Intersection(station, 1, 64, 360_480, 100 * tenth, groups))


def feed(path: Path, *messages: bytes) -> Path:
    path.write_bytes(b"\n".join(messages))
    return path


def counter(path: Path, *rows: str) -> Path:
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    return path


ROW = "20.02.2024 18:{:02d}:00;1;2;cyclist;in;18"


def test_a_counter_file_becomes_traffic_that_replays(leeze_hil: Any, tmp_path: Path) -> None:
    csv, out = counter(tmp_path / "c.csv", *(ROW.format(n) for n in range(40, 50))), tmp_path / "c.traffic"
    ran = leeze_hil("import", "eco-counter", csv, "-o", out)
    assert (ran.code, ran.out, ran.err) == (0, f"{out}: 10 rows: 10 passages\n", "")
    found = leeze_hil("replay", out, "--json", "--seconds", 1200).result
    assert found["riders"]["leeze"] == 10
    assert found["case"] == "c"


def test_broken_rows_are_counted_named_and_cost_nothing_else(leeze_hil: Any, tmp_path: Path) -> None:
    csv = counter(
        tmp_path / "c.csv", ROW.format(40), "rubbish", "32.13.2024 18:41:00;1;2;cyclist;in;18", ROW.format(42)
    )
    ran = leeze_hil("import", "eco-counter", csv, "-o", tmp_path / "c.traffic")
    assert ran.code == 0
    assert ran.out.endswith("4 rows: 2 passages, 2 broken\n")
    assert [line.split(": ")[1] for line in ran.err.splitlines()] == ["line 3", "line 4"]
    assert all(line.endswith("; skipped") for line in ran.err.splitlines())


def test_days_outside_are_left_out_and_several_files_are_one_traffic(leeze_hil: Any, tmp_path: Path) -> None:
    one = counter(tmp_path / "1.csv", ROW.format(40), ROW.format(41).replace("20.02", "21.02"))
    two = tmp_path / "2.csv.gz"
    two.write_bytes(gzip.compress((HEAD + ROW.format(45) + "\n").encode()))
    out = tmp_path / "t"
    ran = leeze_hil("import", "eco-counter", one, two, "-o", out, "--from", "2024-02-20", "--to", "2024-02-20")
    assert ran.out == f"{out}: 3 rows: 2 passages, 1 outside\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "2024-02-30"], "is no date like 2024-02-19"),
        (["--from", "2024-03-01", "--to", "2024-02-01"], "is before the first date"),
        (["--from", "2031-01-01"], "no usable passage"),
    ],
)
def test_dates_that_cannot_be_are_refused(leeze_hil: Any, tmp_path: Path, words: list[str], told: str) -> None:
    csv = counter(tmp_path / "c.csv", ROW.format(40))
    ran = leeze_hil("import", "eco-counter", csv, "-o", tmp_path / "t", *words)
    assert ran.code == 2
    assert told in ran.err
    assert not (tmp_path / "t").exists()


def test_nothing_is_written_onto_what_is_imported(leeze_hil: Any, tmp_path: Path) -> None:
    csv, xml = counter(tmp_path / "c.csv", ROW.format(40)), feed(tmp_path / "f.xml", message())
    before = csv.read_bytes(), xml.read_bytes()
    for words in (["eco-counter", csv, "-o", csv], ["spat-xml", xml, "-o", tmp_path / "." / "f.xml"]):
        ran = leeze_hil("import", *words)
        assert ran.code == 2
        assert "write to another file" in ran.err
    assert (csv.read_bytes(), xml.read_bytes()) == before


def test_messages_become_a_trace_whose_replay_tells_every_group_with_timing(leeze_hil: Any, tmp_path: Path) -> None:
    xml, out = feed(tmp_path / "f.xml", *(message(n) for n in range(50))), tmp_path / "f.mcap"
    ran = leeze_hil("import", "spat-xml", xml, "-o", out)
    assert ran.code == 0
    assert ran.out.startswith(f"{out}: 50 messages, 0 bad")
    ran = leeze_hil("replay", out, "--json")
    assert ran.code == 0
    assert ran.result["groups"] == [
        {"group": 1, "state": 3, "state_name": "stop-And-Remain", "remaining_s": pytest.approx(20.1, abs=0.15)}
    ]
    assert ran.result["span_s"] == pytest.approx(4.9 + 20)
    text = leeze_hil("replay", out).out
    assert "group 1: stop-And-Remain, " in text
    assert "no site given: display 120 m before group 1 of station 4070" in text


def test_messages_without_any_times_need_a_site(leeze_hil: Any, tmp_path: Path) -> None:
    bare = SpatXmlEncoder().encode(Intersection(STATION, None, 0, None, None, (Movement(7, (Phase(3, *[None] * 4),)),)))
    xml, out = feed(tmp_path / "f.xml", bare, bare), tmp_path / "f.mcap"
    assert leeze_hil("import", "spat-xml", xml, "-o", out).code == 0
    ran = leeze_hil("replay", out)
    assert ran.code == 2
    assert "no message with timing in it; name the display's site with --site" in ran.err
    ran = leeze_hil("replay", out, "--site", "leezenflow-hoerstertor", "--json")
    assert ran.code == 0
    assert "groups" not in ran.result


def test_messages_of_another_station_or_type_leave_the_display_dark(leeze_hil: Any, tmp_path: Path) -> None:
    mapem = SpatXmlEncoder(message_id=5)
    for name, messages in (
        ("station", [message(n, station=4711) for n in range(20)]),
        ("type", [message(n, encoder=mapem) for n in range(20)]),
    ):
        xml, out = feed(tmp_path / f"{name}.xml", *messages), tmp_path / f"{name}.mcap"
        ran = leeze_hil("import", "spat-xml", xml, "-o", out)
        assert ran.code == 0, ran.err
        assert ("20 of other kinds" in ran.out) == (name == "type")
        found = leeze_hil("replay", out, "--site", "leezenflow-hoerstertor", "--json")
        assert found.code == 0
        assert "groups" not in found.result
    ran = leeze_hil("replay", tmp_path / "type.mcap")
    assert ran.code == 2
    assert "no message with timing" in ran.err


@pytest.mark.parametrize("mark", [36000, 36001])
def test_an_end_that_is_unknown_or_out_of_range_gives_no_remaining_time(
    leeze_hil: Any, tmp_path: Path, mark: int
) -> None:
    groups = (Movement(1, (Phase(3, mark, mark, mark, None),)), Movement(2, (Phase(6, 200, 210, None, None),)))
    encoder = SpatXmlEncoder()
    messages = [encoder.encode(Intersection(STATION, 1, 0, 360_480, 100 * n, groups)) for n in range(5)]
    xml, out = feed(tmp_path / "f.xml", *messages), tmp_path / "f.mcap"
    assert leeze_hil("import", "spat-xml", xml, "-o", out).code == 0
    ran = leeze_hil("replay", out, "--json", "--site", "leezenflow-hoerstertor")
    assert ran.code == 0
    by_group = {group["group"]: group for group in ran.result["groups"]}
    assert by_group.get(1, {}).get("remaining_s") is None
    assert 2 in by_group


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><DATA>&j;</DATA>"
)


def test_an_xml_bomb_is_one_bad_message_and_the_rest_is_kept(leeze_hil: Any, tmp_path: Path) -> None:
    xml = feed(tmp_path / "f.xml", message(0), BOMB, message(1), message(2))
    out = tmp_path / "f.mcap"
    ran = leeze_hil("import", "spat-xml", xml, "-o", out)
    assert ran.code == 0
    assert f"{out}: 3 messages, " in ran.out
    assert len(out.read_bytes()) < 200_000
    assert leeze_hil("replay", out, "--json").result["groups"][0]["group"] == 1
    alone = leeze_hil("import", "spat-xml", feed(tmp_path / "b.xml", BOMB), "-o", tmp_path / "b.mcap")
    assert alone.code == 2
    assert "holds no SPAT message that can be read" in alone.err
    assert not (tmp_path / "b.mcap").exists()


@pytest.mark.parametrize("cut", [1, 40, 400, 1500, 2500])
def test_messages_that_are_cut_are_counted_and_replayed_past(leeze_hil: Any, tmp_path: Path, cut: int) -> None:
    whole = message(1)
    xml = feed(tmp_path / "f.xml", message(0), whole[: len(whole) * cut // 3000], message(2), message(3))
    out = tmp_path / "f.mcap"
    ran = leeze_hil("import", "spat-xml", xml, "-o", out)
    assert ran.code == 0
    assert f"{out}: 3 messages" in ran.out
    assert leeze_hil("replay", out, "--json").code == 0


def test_broken_hex_lines_are_named_and_skipped(leeze_hil: Any, tmp_path: Path) -> None:
    path = tmp_path / "f.hex"
    path.write_text("# nothing here\nzz\n00\n")
    ran = leeze_hil("import", "spat-hex", path, "-o", tmp_path / "f.mcap")
    assert ran.code == 2
    assert "line 2: not hexadecimal digits in pairs" in ran.err


@pytest.mark.parametrize("kind", ["eco-counter", "spat-xml", "spat-hex"])
def test_files_that_are_missing_empty_folders_or_something_else_are_refused(
    leeze_hil: Any, tmp_path: Path, kind: str
) -> None:
    empty, rubbish = tmp_path / "empty", tmp_path / "rubbish"
    empty.write_bytes(b"")
    rubbish.write_bytes(bytes(n * 73 & 0xFF for n in range(5000)))
    for source in (tmp_path / "missing", empty, tmp_path, rubbish):
        ran = leeze_hil("import", kind, source, "-o", tmp_path / "out")
        assert ran.code == 2
        assert str(source) in ran.err
        assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "rubbish"]


# Real recordings


@pytest.mark.recordings
@pytest.mark.parametrize("site", ["Abschnitt_6", "Dingstiege"])
def test_a_recorded_day_gives_sane_figures(leeze_hil: Any, recordings: Path, tmp_path: Path, site: str) -> None:
    csv, out = recordings / "cycle-loops" / f"May_data_Kanalpromenade_{site}.csv.gz", tmp_path / "day.traffic"
    ran = leeze_hil("import", "eco-counter", csv, "-o", out, "--from", "2024-02-20", "--to", "2024-02-20")
    assert ran.code == 0
    passages = len(out.read_text().splitlines()) - 1
    found = leeze_hil("replay", out, "--json").result
    assert found["verdict"] == "no-reference"
    assert 60_000 < found["span_s"] <= 86_400 + 700  # from the first rider on
    riders = found["riders"]["leeze"]
    assert 50 < riders < passages
    assert set(found["riders"].values()) == {riders}
    assert found["lit_share"]["always_on"] == found["lit_share"]["oracle"] == 1
    assert found["lit_share"]["leeze"] > 0.95
    assert found["lit_share_low95"]["leeze"] < found["lit_share"]["leeze"]
    energy = found["energy_wh"]
    assert 12 * 20 * 7 < energy["always_on"] < 12 * 20 * 15  # a February night is 13 to 14 hours
    assert energy["oracle"] < energy["leeze"] < energy["always_on"]
    assert found["radar_frames"] > passages * 100


@pytest.mark.recordings
def test_the_real_message_gives_state_and_remaining_time_of_every_group_with_timing(
    leeze_hil: Any, recordings: Path, tmp_path: Path
) -> None:
    source = recordings / "spat-muenster" / "lsa-4070.xml"
    out = tmp_path / "f.mcap"
    assert leeze_hil("import", "spat-xml", source, "-o", out).code == 0
    groups = leeze_hil("replay", out, "--json").result["groups"]
    timed = {
        int(part.split(b"</signalGroup>")[0])
        for part in source.read_bytes().split(b"<signalGroup>")[1:]
        if b"<timing>" in part
    }
    assert {group["group"] for group in groups} == timed
    assert len(timed) > 10
    assert all(0 <= group["remaining_s"] <= 3600 for group in groups)
    assert json.dumps(groups).isascii()


@pytest.mark.recordings
def test_the_real_twenty_minutes_of_another_city_replay_to_the_end(
    leeze_hil: Any, recordings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "f.mcap"
    assert leeze_hil("import", "spat-hex", recordings / "spat-mcity" / "series-20min.hex", "-o", out).code == 0
    found = leeze_hil("replay", out, "--json").result
    assert found["span_s"] == pytest.approx(1220, abs=1)
    assert found["groups"]
