"""The rig's ends of a program's wires: pace, lateness, boards and sites derived for a bench."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.build import load_board
from boards.load import catalog_names
from controllers.service.sites import load_site, shipped
from drivers.errors import BenchError
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.benches.contract_bench import Blocked
from hil.benches.lateness import Lateness
from hil.benches.process_boards import BrokerAccess, board_toml, derived, site_toml, standing_in, wire_baud
from hil.benches.process_ports import GROUP_B, Outbox, PtyPort

ACCESS = BrokerAccess(host="localhost", port=8883, ca_file="ca.pem", user="board", password_file="board.password")


def drained(outbox: Outbox) -> list[tuple[int, bytes]]:
    found = []
    while outbox.due_ns < FOREVER_NS:
        found.append(outbox.take())
    return found


def test_a_short_chunk_on_an_idle_wire_arrives_at_its_peer_s_time() -> None:
    outbox = Outbox(115_200)
    outbox.put(b"x" * 20, NS_PER_S)
    assert drained(outbox) == [(NS_PER_S, b"x" * 20)]


def test_what_follows_at_once_has_to_wait_for_the_wire() -> None:
    outbox = Outbox(9_600)
    outbox.put(b"a" * 12, NS_PER_S)
    outbox.put(b"b" * 12, NS_PER_S)
    assert drained(outbox) == [(NS_PER_S, b"a" * 12), (NS_PER_S + 12_500_000, b"b" * 12)]


@given(
    st.sampled_from([0, 9_600, 115_200]),
    st.lists(st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=400)), max_size=12),
)
def test_nothing_is_lost_early_out_of_order_or_faster_than_the_wire(baud: int, chunks: list[tuple[int, bytes]]) -> None:
    outbox, due_ns = Outbox(baud), 0
    first_ns = None
    for pause_ms, data in chunks:
        due_ns += pause_ms * NS_PER_MS
        first_ns = due_ns if first_ns is None else first_ns
        outbox.put(data, due_ns)
    groups = drained(outbox)
    assert b"".join(data for _, data in groups) == b"".join(data for _, data in chunks)
    dues = [at for at, _ in groups]
    assert dues == sorted(dues)
    if baud and first_ns is not None:
        assert all(len(data) <= GROUP_B for _, data in groups)
        carried = -len(chunks[0][1])  # the first chunk may have been on its way before
        for at, data in groups:
            carried += len(data)
            assert carried * 10 * NS_PER_S <= (at - first_ns + 1) * baud + 10 * NS_PER_S


def test_lateness_is_counted_by_the_byte_and_its_percentiles_are_no_less_than_what_was() -> None:
    late = Lateness()
    late.add(98, 100_000)
    late.add(2, 9_000_000)
    assert (late.count, late.max_ns) == (100, 9_000_000)
    assert 82 <= late.percentile_us(500) <= 120
    assert 5_000 <= late.percentile_us(999) <= 9_000
    told = late.as_json()
    assert sum(told["histogram"]["count"]) == 100
    assert len(told["histogram"]["count"]) == len(told["histogram"]["le_us"]) + 1


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 10**10)), min_size=1, max_size=20))
def test_percentiles_rise_and_end_at_the_latest(found: list[tuple[int, int]]) -> None:
    late = Lateness()
    for count, ns in found:
        late.add(count, ns)
    shares = [late.percentile_us(n) for n in (1, 500, 900, 990, 999, 1000)]
    assert shares == sorted(shares)
    assert shares[-1] <= late.max_ns / 1000 + 0.05


def test_bytes_before_their_time_are_a_broken_bench() -> None:
    with pytest.raises(BenchError, match="before their time"):
        Lateness().add(1, -1)


def test_a_terminal_passes_bytes_both_ways_and_mishears_a_wrong_baud_rate() -> None:
    import termios

    port = PtyPort("west/radar-1", 115_200)
    try:
        heard: list[bytes] = []
        port.heard = lambda data, t_ns: heard.append(data)
        program = os.open(port.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        line = termios.tcgetattr(program)
        line[4] = line[5] = termios.B115200
        termios.tcsetattr(program, termios.TCSANOW, line)
        port.send(b"\xf4\xf3", 0)
        port.turn(NS_PER_S)
        assert os.read(program, 64) == b"\xf4\xf3"
        os.write(program, b"hello")
        port.turn(NS_PER_S)
        assert heard == [b"hello"]
        line[4] = line[5] = termios.B9600
        termios.tcsetattr(program, termios.TCSANOW, line)
        port.send(b"\xf4\xf3\xf2\xf1", 0)
        port.turn(FOREVER_NS)
        assert port.wrong_baud == 9_600
        assert os.read(program, 64) != b"\xf4\xf3\xf2\xf1"
        os.close(program)
    finally:
        port.close()
        port.close()


@pytest.mark.parametrize("name", catalog_names())
def test_every_shipped_board_gets_a_bench_s_wires_and_is_still_a_board(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    places: dict[str, str] = {}
    try:
        for wire, said in board.wires.items():
            places[wire] = f"/tmp/{wire}" if standing_in(said, wire, board) != "i2c" else ""
    except Blocked as blocked:
        assert "PWM" in str(blocked)  # noqa: PT017
        return
    made = derived(board, name, places, ACCESS)
    file = tmp_path / "board.toml"
    file.write_text(board_toml(made), encoding="utf-8")
    read = load_board(str(file))
    assert read == made
    assert read.bench
    assert read.devices == board.devices


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_site_is_written_with_other_boards_and_nothing_else_changes(name: str, tmp_path: Path) -> None:
    site = load_site(name)
    names = [one.name for one in getattr(site, "controllers", ())] or [site.name]
    file = tmp_path / "site.toml"
    file.write_text(site_toml(site, {one: f"{one}.board.toml" for one in names}), encoding="utf-8")
    read = load_site(str(file))
    assert site_toml(read, dict.fromkeys(names, "same")) == site_toml(site, dict.fromkeys(names, "same"))
    assert site_toml(read, dict.fromkeys(names, "same")) != file.read_text(encoding="utf-8")


def test_parts_say_their_bit_rate_and_other_wires_their_own() -> None:
    board = load_board("kanalpromenade-lamp")
    assert {wire: wire_baud(board, wire) for wire in ("dali", "radar-1", "neighbour")} == {
        "dali": 19_200, "radar-1": 115_200, "neighbour": 115_200,
    }  # fmt: skip
