"""``leeze-hil peer signal-controller``: a simulated signal controller alone, to a real broker or port, in real time."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivers.errors import InputError

if TYPE_CHECKING:
    from hil.peers.signal_publisher import Crossing, Way

PART = "signal-controller"
SAYS = ("likely", "min-max", "min", "states")
TURN_MS = 50
"""How soon what the broker says is heard, and an end is noticed."""
_OURS = ("broker", "tls_ca", "user", "password_file", "topic", "udp", "programme", "says", "seed", "as_if", "format")
_DAY_MS = 86_400_000


def add_publisher_options(parser: argparse.ArgumentParser) -> None:
    """What only this peer takes."""
    group = parser.add_argument_group(f"only with {PART}, which has no port: where its messages go, and which")
    group.add_argument("--broker", metavar="HOST[:PORT]", help="an MQTT broker (port 1883, with --tls-ca 8883)")
    group.add_argument("--tls-ca", metavar="FILE", help="speak TLS; the authority that signed the broker's certificate")
    group.add_argument("--user", metavar="U", help="as whom to come")
    group.add_argument("--password-file", metavar="F", help="holds the user's password, nothing else")
    group.add_argument("--topic", metavar="T", help="where to publish (default: /spat/STATION)")
    group.add_argument("--udp", metavar="HOST:PORT", help="datagrams in place of a broker")
    group.add_argument(
        "--programme",
        metavar="FILE|NAME",
        help="fixed (default), adaptive, failing (adaptive, 45 s of failure in ten minutes), a case's, or a file",
    )
    group.add_argument("--says", choices=SAYS, help="what an adaptive one says of the ends of phases (likely)")
    group.add_argument("--seed", type=int, metavar="N", help="who comes to an adaptive one (default 0)")
    group.add_argument(
        "--as-if", metavar="HH:MM", help="an adaptive one's local time of day at the start (20:00, 23:00: it changes)"
    )
    group.add_argument("--format", choices=("spat-xml", "spat-uper"), help="of its messages (spat-xml)")


def refuse_publisher_options(said: argparse.Namespace) -> None:
    """For a part on a serial port. Raises InputError."""
    for key in _OURS:
        if getattr(said, key) is not None:
            raise InputError(f"--{key.replace('_', '-')} is for {PART}, not for `{said.part}`; leave it out")


def publish(said: argparse.Namespace, say: Callable[[str], None], stopped: Callable[[], int]) -> int:
    """Run it; the exit code. Raises InputError."""
    from datetime import UTC, datetime

    from drivers.clock import SystemClock
    from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
    from hil.peers.signal_publisher import SignalPublisher

    for key in ("baud", "fault", "link"):
        if getattr(said, key) is not None:
            raise InputError(f"{PART} has no serial port; leave --{key} out")
    crossing, clock = _crossing(said), SystemClock()
    way = _way(said, crossing.station)
    form = said.format or "spat-xml"
    publisher = SignalPublisher(crossing, way, say, clock.now_ns(), clock.utc_ns(), uper=form == "spat-uper")
    begins = datetime.fromtimestamp(publisher.start_utc_ns // NS_PER_S, UTC)
    groups = ", ".join(str(group) for group in crossing.groups)
    say(f"station {crossing.station}, groups {groups}: {form} to {way.place}; begins {begins:%Y-%m-%dT%H:%M:%SZ}")
    end_ns = FOREVER_NS if said.seconds is None else publisher.start_ns + int(said.seconds * NS_PER_S)
    try:
        while (now_ns := clock.now_ns()) < end_ns and not stopped():
            publisher.turn(now_ns)
            clock.sleep_until_ns(min(end_ns, max(now_ns, publisher.wake_ns), now_ns + TURN_MS * NS_PER_MS))
    finally:
        way.close()
    say(f"{publisher.sent} sent, {publisher.unsent} not")
    return stopped()


def _crossing(said: argparse.Namespace) -> Crossing:
    from hil.peers.signal_publisher import FIXED, AdaptiveCrossing, ProgrammeCrossing

    name = said.programme or "fixed"
    if name in ("adaptive", "failing"):
        from hil.peers.signal_adaptive import Rules

        rules = Rules(seed=said.seed or 0, start_ms=_time_of_day_ms(said.as_if), failures=name == "failing")
        return AdaptiveCrossing(rules, said.says or "likely")
    for key in ("says", "seed", "as_if"):
        if getattr(said, key) is not None:
            raise InputError(f"--{key.replace('_', '-')} goes with --programme adaptive or failing")
    if name == "fixed":
        return ProgrammeCrossing(FIXED)
    return ProgrammeCrossing(_programme(name))


def _programme(name: str) -> Any:
    """Of a case or a file. Raises InputError."""
    from drivers.settings import load_toml
    from hil.case import case_folder, load_case, shipped
    from hil.peers.signal_programme import Programme

    folder = case_folder(name)
    if folder is not None:
        signal = load_case(folder).signal
        if signal is None:
            raise InputError(f"{name}: this case has no signal; take one of a display")
        return signal
    if not Path(name).is_file():
        cases = [case for case, path in shipped().items() if load_case(path).signal is not None]
        raise InputError(f"no programme `{name}`, nor a file; there are: fixed, adaptive, failing, {', '.join(cases)}")
    return load_toml(Path(name), Programme)


def _time_of_day_ms(text: str | None) -> int:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from drivers.clock import SystemClock
    from drivers.units import NS_PER_S

    if text is None:
        now = datetime.fromtimestamp(SystemClock().utc_ns() // NS_PER_S, ZoneInfo("Europe/Berlin"))
        return ((now.hour * 60 + now.minute) * 60 + now.second) * 1000
    try:
        hour, minute = (int(part) if part.isascii() and part.isdigit() else 99 for part in text.split(":"))
    except ValueError:
        hour = minute = 99
    if hour > 23 or minute > 59:
        raise InputError(f"--as-if {text}: is no time of day like 22:58")
    return (hour * 60 + minute) * 60_000 % _DAY_MS


def _way(said: argparse.Namespace, station: int) -> Way:
    from drivers.links.mqtt import MqttSettings
    from hil.peers.signal_publisher import BrokerWay, DatagramWay

    if (said.broker is None) == (said.udp is None):
        raise InputError(f"{PART}: give one of --broker HOST:PORT and --udp HOST:PORT, e.g. --broker localhost:1883")
    if said.udp is not None:
        for key in ("tls_ca", "user", "password_file", "topic"):
            if getattr(said, key) is not None:
                raise InputError(f"--{key.replace('_', '-')} goes with --broker, not with --udp")
        return DatagramWay(*_place(said.udp, "--udp", None))
    settings = MqttSettings(
        user=said.user, password_file=said.password_file, tls=said.tls_ca is not None, ca_file=said.tls_ca
    )
    host, port = _place(said.broker, "--broker", 1883 if said.tls_ca is None else 8883)
    return BrokerWay(host, port, said.topic or f"/spat/{station}", settings)


def _place(text: str, option: str, port: int | None) -> tuple[str, int]:
    """``"localhost:8883"``, ``"[::1]:8883"``; without a port `port`. Raises InputError."""
    host, mark, number = text.rpartition(":")
    if not mark or text.endswith("]"):
        host, number = text, "" if port is None else str(port)
    if not host.strip("[]") or not (number.isascii() and number.isdigit() and 1 <= int(number) <= 65_535):
        raise InputError(f"{option} {text}: is no place like localhost:8883")
    return host.removeprefix("[").removesuffix("]"), int(number)
