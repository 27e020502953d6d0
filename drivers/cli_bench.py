"""``leeze-drivers probe`` and ``send``: one part on one port of this machine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from drivers.bench.finding import Finding
from drivers.bench.probe import Bench
from drivers.bench.words import in_words, told_apart
from drivers.clock import SystemClock
from drivers.errors import BenchError, InputError
from drivers.hex_text import parse_hex
from drivers.parts import PARTS, part
from drivers.parts.part import Options, Order
from drivers.quantities import DeviceHealth, Message
from drivers.units import NS_PER_MS, NS_PER_S

REPLY_NS = 1_500 * NS_PER_MS
"""How long an answer to something sent is waited for."""

AddVerb = Callable[..., argparse.ArgumentParser]


def add_bench_verbs(verb: AddVerb) -> None:
    """The verbs that open a port."""
    probing = verb(
        "probe",
        _probe,
        "is the part there, does it make sense, and if not, what is wrong?",
        "leeze-drivers probe ld2451 --port /dev/ttyUSB0",
    )
    _port_arguments(probing)
    probing.add_argument("--seconds", type=_seconds, help="how long to listen at most (default: as the part needs)")
    probing.add_argument("--json", action="store_true", help="the finding as one JSON object")

    sending = verb(
        "send",
        _send,
        "tell a part something, by name or in raw bytes, and show what it answers",
        "leeze-drivers send atxled level 127 --port /dev/ttyAMA0 --address 5",
    )
    _port_arguments(sending)
    sending.add_argument(
        "order", metavar="ORDER", nargs="?", help="what to tell it; without one, the orders are listed"
    )
    sending.add_argument("number", metavar="NUMBER", nargs="*", type=_number, help="the order's numbers (0x… is hex)")
    sending.add_argument("--hex", metavar="HEX", help="raw bytes in place of an order")
    sending.add_argument("--yes", action="store_true", help="do not ask before something that could light or burn")


def _port_arguments(parser: argparse.ArgumentParser) -> None:
    tried = ", ".join(name for name, each in PARTS.items() if each.bench is not None)
    parser.add_argument("part", metavar="PART", help=tried)
    parser.add_argument(
        "--port", metavar="URL", help="/dev/ttyUSB0, /dev/i2c-1, socket://HOST:PORT, rfc2217://HOST:PORT …"
    )
    parser.add_argument("--baud", type=int, help="bit/s, where it is not the part's usual one")
    parser.add_argument("--parity", choices=("N", "E", "O"), help="where it is not the part's usual one")
    parser.add_argument("--address", type=_number, help="of a part on a bus, e.g. 12 or 0x0c")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a further setting of the part")


def _number(text: str) -> int:
    return int(text, 0)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("more than 0 and up to 3600 s")
    return value


def _bench(said: argparse.Namespace) -> Bench:
    more = {}
    for setting in said.set:
        key, equals, value = setting.partition("=")
        if not equals:
            raise InputError(f"--set {setting}: write KEY=VALUE")
        more[key] = value
    chosen = part(said.part)
    if said.port is None:
        raise InputError("give the port with --port, like --port /dev/ttyUSB0")
    return Bench(chosen, said.port, SystemClock(), Options(said.address, more), said.baud, said.parity)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")


def _probe(said: argparse.Namespace) -> int:
    bench = _bench(said)
    try:
        found = bench.try_it(said.seconds, _progress)
        latest = bench.session.latest.get(bench.device.name)
    finally:
        bench.close()
    if said.json:
        print(json.dumps(finding_json(found, bench.part.name, said.port, bench.line, latest)))
    else:
        print(f"{bench.part.name} on {said.port}{f' ({bench.line})' if bench.line else ''}: {found.verdict}")
        for line in finding_lines(found, latest):
            print(f"  {line}")
    return found.exit_code


def finding_lines(found: Finding, latest: Any) -> list[str]:
    """A finding for people: what was seen, the newest value, counts, errors, the mend."""
    lines = [f"seen   {found.text}"]
    if latest is not None:
        lines.append(f"says   {in_words(latest)}")
    ordinary, errors = told_apart(found.counters)
    if ordinary:
        lines.append(f"count  {ordinary}")
    if errors:
        lines.append(f"errors {errors}")
    if found.sample_hex:
        lines.append(f"bytes  {found.sample_hex} …")
    if found.mend:
        lines.append(f"do     {found.mend}")
    return lines


def finding_json(found: Finding, part_name: str, port: str, line: str, latest: Any) -> dict[str, Any]:
    """A finding for machines."""
    value = None if latest is None else msgspec.to_builtins(latest)
    return {"part": part_name, "port": port, "line": line, **msgspec.to_builtins(found), "latest": value}


# --- send


def _send(said: argparse.Namespace) -> int:
    chosen = part(said.part)
    if chosen.bench is None:
        raise InputError(f"{chosen.name} cannot be told anything by itself: {chosen.wire}")
    if said.order is None and said.hex is None:
        _list_orders(chosen.bench.orders, chosen.name)
        return 0
    if said.order is not None and said.hex is not None:
        raise InputError("give an order or --hex, not both")
    bench = _bench(said)
    try:
        if said.hex is not None:
            data = parse_hex(said.hex, "--hex")
            _explain(chosen.decode, data)
            agree(chosen.bench.raw_risk, said.yes)
            return _tell(bench, lambda now_ns: bench.wire.write(data, now_ns))
        order = _order(chosen.bench.orders, said.order, chosen.name)
        numbers = _checked(order, said.number)
        agree(order.risk, said.yes)
        return _tell(bench, lambda now_ns: order.perform(bench.device, numbers, now_ns))
    finally:
        bench.close()


def _tell(bench: Bench, tell: Callable[[int], None]) -> int:
    """Open, tell, and show what passed and what came of it."""
    session = bench.session
    now_ns = session.clock.now_ns()
    session.run(now_ns + NS_PER_S, lambda: not session.trouble(bench.link.name))
    if trouble := session.trouble(bench.link.name):
        raise BenchError(f"{bench.part.name}: {trouble}")
    values: list[Any] = []
    session.listener = values.append
    tell(session.clock.now_ns())
    session.run(session.clock.now_ns() + REPLY_NS)
    for chunk in session.watch[bench.link.name].recent:
        print(f"{'out' if chunk.outward else 'in '}  {chunk.data.hex(' ')}")
    told = [value for value in values if isinstance(value, Message | DeviceHealth)]  # what the order is answered with
    for value in told or values[-8:]:
        print(f"says {in_words(value)}")
    return 1 if any(getattr(value, "ok", True) is False for value in values) else 0


def _explain(decode: Callable[[bytes], Any] | None, data: bytes) -> None:
    """Say what raw bytes mean before they go out."""
    if decode is None:
        return
    for event in decode(data)[0][:8]:
        print(f"this says {json.dumps(event)}")


def _list_orders(orders: tuple[Order, ...], name: str) -> None:
    if not orders:
        print(f"{name} takes no orders by name; raw bytes go with --hex")
    for order in orders:
        numbers = " ".join(f"{a.name.upper()} ({a.low} to {a.high})" for a in order.arguments)
        print(f"{order.name} {numbers}".rstrip() + f"\n    {order.about}{f'; {order.risk}' if order.risk else ''}")


def _order(orders: tuple[Order, ...], name: str, part_name: str) -> Order:
    for order in orders:
        if order.name == name:
            return order
    known = ", ".join(order.name for order in orders) or "none"
    raise InputError(f"{part_name} has no order `{name}`; its orders: {known}")


def _checked(order: Order, numbers: list[int]) -> tuple[int, ...]:
    """The numbers, each inside its limits: what the last gate lets pass, and what the part can mean."""
    if len(numbers) != len(order.arguments):
        wanted = ", ".join(f"{a.name} ({a.low} to {a.high})" for a in order.arguments) or "none"
        raise InputError(f"{order.name} takes {len(order.arguments)} numbers, got {len(numbers)}; wanted: {wanted}")
    for argument, number in zip(order.arguments, numbers, strict=True):
        if not argument.low <= number <= argument.high:
            raise InputError(f"{order.name}: {argument.name} {number} is not {argument.low} to {argument.high}")
    return tuple(numbers)


def agree(risk: str, yes: bool) -> None:
    """Ask before something that could light or burn. Raises InputError where nobody agrees."""
    if not risk or yes:
        return
    if not sys.stdin.isatty():
        raise InputError(f"this {risk}; nobody is here to ask: add --yes if that is wanted")
    sys.stderr.write(f"This {risk}. Type yes to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("yes", "ja"):
        raise InputError("nothing was done: only yes (or ja) in full goes on")
