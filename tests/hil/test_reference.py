from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.errors import InputError
from hil.judge.readable import direct_level, readable
from hil.judge.reference import (
    FORMAT,
    NewerFormat,
    Sent,
    load_reference,
    read_reference,
    this_version,
    write_reference,
)

SENT = st.builds(
    Sent,
    tick=st.integers(0, 1 << 40),
    t_ns=st.integers(0, 1 << 60),
    wire=st.sampled_from(["west/dali", "west/neighbour", "east/dali", "crossing/panel"]),
    data=st.binary(max_size=40),
)


def test_a_line_holds_tick_milliseconds_wire_and_hex(tmp_path: Path) -> None:
    path = tmp_path / "reference.txt"
    sent = [Sent(1234, 24_680_000_000, "west/dali", b"h0AFE\n")]
    assert write_reference(path, sent, case="evening", periods_ms={"west": 20}) == 1
    assert path.read_text() == (
        f"# leeze-reference 2\n# made by: {this_version()}\n# case: evening\n# board west: period 20 ms\n"
        "1234 24680.000 west/dali 68304146450a\n"
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(SENT, max_size=12))
def test_what_is_written_is_read_back_exactly_in_the_order_of_time_and_wire(tmp_path: Path, sent: list[Sent]) -> None:
    path = tmp_path / "reference.txt"
    write_reference(path, sent, case="any", periods_ms={"west": 20, "east": 10})
    read = load_reference(path)
    assert read.sent == sorted(sent, key=lambda one: (one.t_ns, one.wire))
    assert (read.case, read.periods_ms) == ("any", {"west": 20, "east": 10})


def test_the_header_cannot_be_broken_by_a_case_name_with_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "reference.txt"
    write_reference(path, [Sent(1, 20_000_000, "a/b", b"x")], case="one\n9 9.000 a/b 00")
    assert read_reference(path) == [Sent(1, 20_000_000, "a/b", b"x")]


def test_comments_blank_lines_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "reference.txt"
    path.write_bytes(FORMAT.encode() + b"\r\n\r\n# lamp 3 starts here\r\n1 0.500 a/b 00\r\n")
    assert read_reference(path) == [Sent(1, 500_000, "a/b", b"\0")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1 20.000 a/b 0", "line 3"),
        ("1 20.000 a/b 0G", "line 3"),
        ("1 20.000 dali 00", "line 3"),
        ("one 20.000 a/b 00", "line 3"),
        ("1 20.00 a/b 00", "expected `tick t_ms board/wire hex`"),
        ("1 9.999 a/b 00", "line 3: 9.999 ms is before the line above"),
        ("\N{ARABIC-INDIC DIGIT ONE} 20.000 a/b 00", "line 3"),
        (f"1 {'9' * 40}.000 a/b 00", "line 3"),
    ],
)
def test_a_wrong_line_is_named_with_what_it_should_be(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "reference.txt"
    path.write_text(f"{FORMAT}\n1 10.000 a/b 00\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError) as failed:
        read_reference(path)
    assert said in str(failed.value)
    assert str(path) in str(failed.value)


def test_another_file_is_refused_at_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "reference.txt"
    path.write_text("tick,t_ms\n")
    with pytest.raises(InputError, match="line 1: this is no reference"):
        read_reference(path)


def test_a_missing_file_and_binary_rubbish_are_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_reference(tmp_path / "none.txt")
    (tmp_path / "rubbish").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        read_reference(tmp_path / "rubbish")


def test_a_wire_that_would_break_its_line_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "reference.txt"
    write_reference(path, [Sent(1, 0, "a/b", b"x")])
    before = path.read_bytes()
    with pytest.raises(InputError, match="board/wire"):
        write_reference(path, [Sent(1, 0, "a b/c", b"x")])
    assert path.read_bytes() == before


def test_direct_level_frames_are_told_from_commands() -> None:
    assert direct_level(b"h0AFE\n") == (0x0A, 254)
    assert direct_level(b"h86AA\n") == (0x86, 170)
    assert direct_level(b"hFE00\n") == (0xFE, 0)
    for command in (b"h0BA0\n", b"hA304\n", b"hC106\n", b"hFF05\n", b"JFE\n", b"h0AFE\nh0AFE\n", b"", b"hXXXX\n"):
        assert direct_level(command) is None


def test_bytes_are_read_out_where_they_mean_something() -> None:
    assert readable(b"h0AFE\n", "dali") == "h0AFE: short address 5 to level 254"
    assert readable(b"h86AA\n", "dali") == "h86AA: group 3 to level 170"
    assert readable(b"hFE00\n", "dali") == "hFE00: all to level 0"
    assert readable(b"h0BA0\n", "dali") == "h0BA0"
    assert readable(b"one\ntwo\n") == "one\\ntwo"
    assert readable(bytes.fromhex("f4f3f2f1")) == ""


@settings(max_examples=60)
@given(st.binary(max_size=60), st.sampled_from(["bytes", "dali", "panel"]))
def test_any_bytes_are_read_out_without_trouble_and_in_one_line(data: bytes, content: str) -> None:
    assert "\n" not in readable(data, content)


def test_a_reference_of_format_1_is_read_and_one_of_a_newer_format_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "reference.txt"
    path.write_text("# leeze-reference 1\n# case: old\n# board west: period 20 ms\n1 20.000 west/dali 00\n")
    old = load_reference(path)
    assert (old.case, old.made_by, old.digest, old.format, len(old.sent)) == ("old", "", "", 1, 1)
    path.write_text("# leeze-reference 3\n# made by: leeze 9.1.0\n1 20.000 west/dali 00 and more\n")
    with pytest.raises(NewerFormat) as failed:
        read_reference(path)
    for said in (str(path), "format 3", "leeze 9.1.0", this_version(), "--update-reference"):
        assert said in str(failed.value)
    assert failed.value.exit_code == 3


def test_a_reference_names_the_version_and_the_digest_of_the_run_that_made_it(tmp_path: Path) -> None:
    path = tmp_path / "reference.txt"
    write_reference(path, [Sent(1, 20_000_000, "a/b", b"x")], case="any", digest="ab" * 32)
    found = load_reference(path)
    assert (found.made_by, found.digest) == (this_version(), "ab" * 32)
