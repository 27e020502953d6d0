"""Figures for Prometheus over HTTP. The loop hands over one finished dict a second; all else is the library's thread's.

However many scrape, the text is made once for each dict. Sixteen are served at a time, each for ten seconds at most;
further ones are hung up on. A port that is taken is said, the light goes on, and it is tried again.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from drivers.errors import InputError
from drivers.links.worker import Worker
from drivers.units import NS_PER_S

if TYPE_CHECKING:
    from prometheus_client import Metric

Say = Callable[[str], None]

AGAIN_NS: Final = 10 * NS_PER_S
SCRAPERS: Final = 16
SCRAPE_S: Final = 10
HOST: Final = "127.0.0.1"
PORT: Final = 9464


def address(text: str) -> tuple[str, int]:
    """``"9464"`` is ``("127.0.0.1", 9464)``; ``"0.0.0.0:9464"``, ``"[::1]:9464"``. Raises InputError."""
    host, colon, port = text.rpartition(":")
    if not port.isdecimal() or not 0 <= int(port) <= 65_535:
        raise InputError(f"--metrics {text}: no port; write e.g. --metrics {PORT} or --metrics 0.0.0.0:{PORT}")
    return (host.strip("[]") if colon and host else HOST), int(port)


class Metrics:
    """Serves the last dict it was given (`controllers.service.report`).

    Args:
        where: host and port; port 0 takes a free one.
        say: where troubles go; called on the loop's thread.
    """

    def __init__(self, where: tuple[str, int], say: Say) -> None:
        import prometheus_client  # noqa: F401 - here and not in the thread, so that the first tick does not wait for it

        self.port = 0
        """Where it listens; 0 while it does not."""
        self.trouble = ""
        self.scrapes = 0
        self._where, self._say = where, say
        self._said = ""
        self._again_ns = 0
        self._server: Any = None
        self._latest: dict[str, Any] = {}
        self._text: tuple[dict[str, Any], bytes] = ({}, b"")
        self._active: deque[None] = deque()
        self._worker = Worker("metrics", limit=1)

    def publish(self, picture: dict[str, Any], t_ns: int) -> None:
        """On the loop's thread: keep it, and open the port when that is due. Never waits."""
        self._latest = picture
        if self.trouble != self._said:
            self._said = self.trouble
            self._say(f"metrics: {self.trouble}; running without" if self.trouble else "metrics: served again")
        if self._server is None and t_ns >= self._again_ns:
            self._again_ns = t_ns + AGAIN_NS
            self._worker.submit(self._open)  # looking up a host's name can take seconds

    def figures(self) -> dict[str, Any]:
        """For people."""
        host = f"[{self._where[0]}]" if ":" in self._where[0] else self._where[0]
        return {"address": f"{host}:{self.port or self._where[1]}", "trouble": self.trouble, "scrapes": self.scrapes}

    def close(self) -> None:
        """No further scrapes; a second call does nothing."""
        server, self._server = self._server, None
        self._worker.close()
        if server is not None:
            server.shutdown()  # waits for its thread: half a second at most
            server.server_close()

    # From here on: in threads of the library and of the worker.

    def _open(self) -> None:
        from prometheus_client import CollectorRegistry, start_http_server

        host, port = self._where
        try:
            server, _ = start_http_server(port, host, registry=CollectorRegistry())
        except OSError as error:
            self.trouble = f"{host}:{port}: {_mend(error)}"
            return
        active, counted = self._active, self

        class Handler(server.RequestHandlerClass):  # type: ignore[name-defined,misc]
            timeout = SCRAPE_S

            def setup(self) -> None:
                active.append(None)
                super().setup()

            def finish(self) -> None:
                try:
                    super().finish()
                finally:
                    active.pop()
                    counted.scrapes += 1

        server.RequestHandlerClass = Handler
        server.verify_request = lambda request, client_address: len(active) < SCRAPERS  # type: ignore[method-assign]
        server.set_app(self._answer)
        self.port = server.server_port
        self.trouble = ""
        self._server = server

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith("/panel"):
            from controllers.service.mirror import mirror

            status, kind, body = mirror(environ["PATH_INFO"], self._latest)
            start(status, [("Content-Type", kind), ("Cache-Control", "no-store")])
            return [body]
        start("200 OK", [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")])
        return [self._rendered()]

    def _rendered(self) -> bytes:
        latest = self._latest
        made, text = self._text
        if made is not latest:
            text = render(latest)
            self._text = latest, text
        return text


def render(picture: dict[str, Any]) -> bytes:
    """The text that Prometheus reads."""
    from prometheus_client import CollectorRegistry, generate_latest

    class Taken:
        def collect(self) -> Iterator[Metric]:
            return families(picture)

    registry = CollectorRegistry()
    registry.register(Taken())  # anything that collects will do
    return generate_latest(registry)


def families(picture: dict[str, Any]) -> Iterator[Metric]:
    """Every metric family of a picture; those whose figures it has not got are left out."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    if not picture:
        return

    def gauge(name: str, about: str, value: float, **labels: str) -> Metric:
        made = GaugeMetricFamily(f"leeze_{name}", about, labels=list(labels))
        made.add_metric(list(labels.values()), value)
        return made

    def counter(name: str, about: str, value: float) -> Metric:
        made = CounterMetricFamily(f"leeze_{name}", about)
        made.add_metric([], value)
        return made

    facts = {key: str(picture[key]) for key in ("controller", "site", "board", "product", "version")}
    yield InfoMetricFamily("leeze_controller", "What runs.", value=facts)
    yield gauge("up_seconds", "Since the start.", picture["up_s"])
    yield gauge("wall_synchronised", "Whether the wall time can be trusted.", picture["wall"]["synchronised"])
    yield from _of_the_loop(picture["loop"], counter, gauge)
    yield from _of_the_parts(picture)
    yield counter("wire_losses", "Wires lost and tried again.", picture["losses"])
    if feed := picture.get("feed"):
        yield gauge("feed_locked", "1 locked, 0.5 holdover, 0 lost.", _LOCK.get(feed.get("state"), 0))
        for key, name, about in _FEED:
            if feed.get(key) is not None:
                yield gauge(name, about, feed[key])
        rejected = CounterMetricFamily("leeze_feed_rejected", "Messages not believed.", labels=["reason"])
        for reason, count in sorted(feed.get("rejected", {}).items()):
            rejected.add_metric([reason], count)
        yield rejected
    if recorder := picture.get("recorder"):
        yield gauge("recorder_bytes", "On disk.", recorder.get("bytes", 0))
        yield gauge("recorder_limit_bytes", "May be on disk.", recorder.get("limit_bytes", 0))
        yield gauge("recorder_recording", "Whether it records.", recorder.get("state") == "recording")
        yield counter("recorder_gaps", "Times its queue was full.", recorder.get("gaps", 0))
        yield counter("recorder_dropped_records", "Records lost so.", recorder.get("dropped_records", 0))
    yield counter(
        "console_dropped_lines", "Not written: stderr was slow.", picture.get("console", {}).get("dropped", 0)
    )


_LOCK: Final = {"locked": 1.0, "holdover": 0.5}
_FEED: Final = (
    ("ahead_ms", "feed_offset_milliseconds", "The feed's clock ahead of this machine's, less the least delay."),
    ("error_ms", "feed_error_milliseconds", "Bound of that."),
    ("drift_ppm", "feed_drift_ppm", "Of the feed's clock."),
    ("age_ms", "feed_age_milliseconds", "Since the last message."),
)


def _of_the_loop(loop: dict[str, Any], counter: Any, gauge: Any) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

    yield counter("ticks", "Ticks run.", loop["ticks"])
    yield counter("overruns", "Places on the grid passed over.", loop["overruns"])
    if "healthy" in loop:
        yield gauge("loop_healthy", "Whether watchdogs are fed.", loop["healthy"])
    if histogram := loop.get("late_histogram"):
        late = HistogramMetricFamily("leeze_late_seconds", "From when a tick was due until it ran.")
        buckets, so_far = [], 0
        counts = list(histogram["count"])
        for le_us, count in zip(histogram["le_us"], counts, strict=False):
            so_far += count
            buckets.append((repr(le_us / 1_000_000), so_far))
        buckets.append(("+Inf", sum(counts)))
        late.add_metric([], buckets, histogram["sum_us"] / 1_000_000)
        yield late
    phases = GaugeMetricFamily("leeze_phase_max_seconds", "The longest each phase took.", labels=["phase"])
    for phase, took in loop.get("phases_us", {}).items():
        phases.add_metric([phase], took["max"] / 1_000_000)
    yield phases
    by: dict[str, int] = {}
    for held in loop.get("held", ()):
        by[held["what"]] = max(by.get(held["what"], 0), held["for_us"])
    holders = GaugeMetricFamily("leeze_held_seconds", "Who held the loop lately, and for how long.", labels=["by"])
    for what, for_us in sorted(by.items()):
        holders.add_metric([what], for_us / 1_000_000)
    yield holders


def _of_the_parts(picture: dict[str, Any]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    healthy = GaugeMetricFamily("leeze_device_healthy", "Whether to build on it.", labels=["device", "part"])
    seen = GaugeMetricFamily("leeze_device_seen_seconds", "Since its last value.", labels=["device", "part"])
    events = CounterMetricFamily("leeze_device_events", "What it has counted.", labels=["device", "event"])
    for name, device in picture["devices"].items():
        healthy.add_metric([name, device["part"]], device["ok"])
        if device["seen_s"] is not None:
            seen.add_metric([name, device["part"]], device["seen_s"])
        for event, count in device["counters"].items():
            if event != "per_minute":  # a rate, which Prometheus makes of `frames` itself
                events.add_metric([name, event], count)
    wires = GaugeMetricFamily("leeze_wire_open", "Whether bytes can pass.", labels=["wire"])
    for name, wire in picture["wires"].items():
        wires.add_metric([name], wire["open"])
    relays = GaugeMetricFamily("leeze_relay_holds", "Whether it is fed.", labels=["relay"])
    for name, relay in picture["relays"].items():
        relays.add_metric([name], relay["holds"])
    levels = GaugeMetricFamily("leeze_lamp_level", "Arc power level told last, 0 to 254.", labels=["lamp"])
    for name, level in picture["lamps"].items():
        if level is not None:
            levels.add_metric([name], level)
    panels = GaugeMetricFamily("leeze_panel_lit", "Whether it shows something.", labels=["panel"])
    for name, panel in picture["panels"].items():
        panels.add_metric([name], panel["lit"])
    yield from (healthy, seen, events, wires, relays, levels, panels)
    if "invariants" in picture:
        broken = CounterMetricFamily("leeze_invariant_broken", "What must hold and did not.", labels=["invariant"])
        for kind, count in picture["invariants"].items():
            if kind != "last":
                broken.add_metric([kind], count)
        yield broken
        yield GaugeMetricFamily("leeze_lamps_by_hand", "Lamps under an order.", value=len(picture["overrides"]))
        yield GaugeMetricFamily("leeze_doubts", "Stretches in doubt.", value=len(picture["doubts"]))


def _mend(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "the port is taken; end who has it (ss -ltnp), or name another with --metrics"
        case errno.EACCES:
            return "no permission; take a port from 1024 on"
        case errno.EADDRNOTAVAIL:
            return "no such address on this machine"
    return error.strerror or str(error)
