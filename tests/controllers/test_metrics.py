"""Figures for Prometheus: what is said, and that no scraper holds the loop."""

from __future__ import annotations

import copy
import http.client
import socket
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controllers.service.metrics import AGAIN_NS, SCRAPERS, Metrics, address, render
from drivers.clock import SystemClock
from drivers.errors import InputError
from drivers.units import NS_PER_S

PICTURE: dict[str, Any] = {
    "controller": "west",
    "site": "bench",
    "board": "bench-lamp",
    "product": "lighting",
    "version": "0.1.0",
    "period_ms": 20,
    "pid": 7,
    "up_s": 60,
    "started_utc": "2026-02-20T17:00:00Z",
    "wall": {"utc": "2026-02-20T17:01:00Z", "synchronised": True},
    "losses": 2,
    "loop": {
        "ticks": 3000,
        "overruns": 4,
        "healthy": True,
        "late_us": {"p50": 60, "p99": 131, "p999": 300, "max": 402},
        "late_histogram": {"le_us": [100, 1000], "count": [2000, 990, 10], "sum_us": 260_000},
        "phases_us": {"sense": {"max": 900, "mean": 20}},
        "held": [{"t_ns": 1, "late_us": 21_000, "what": "device radar-1", "for_us": 21_500, "ago_s": 9}],
        "real_time": [],
    },
    "feed": {
        "state": "holdover",
        "ahead_ms": 812,
        "error_ms": 14,
        "drift_ppm": 3,
        "age_ms": 90,
        "messages": 600,
        "rejected": {"late": 5},
    },
    "devices": {
        "radar-1": {
            "part": "ld2451",
            "ok": False,
            "reason": "no frame",
            "since_s": 3,
            "seen_s": 4.5,
            "counters": {"frames": 9, "bad_frames": 1},
        },
        "lamp-1": {"part": "atxled", "ok": True, "reason": "", "since_s": None, "seen_s": None, "counters": {}},
    },
    "wires": {"dali": {"kind": "uart", "open": True, "trouble": ""}},
    "relays": {"relay": {"holds": True, "mode": "pulse"}},
    "lamps": {"lamp-1": 170, "lamp-2": None},
    "panels": {"panel": {"lit": True, "since_s": 3}},
    "recorder": {"bytes": 5, "limit_bytes": 9, "gaps": 1, "dropped_records": 2, "state": "recording", "files": 1},
    "console": {"dropped": 6},
}


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_figure_of_a_picture_is_there_with_its_unit() -> None:
    said = samples(render(PICTURE).decode())
    for name, value in {
        "leeze_ticks_total": 3000,
        "leeze_overruns_total": 4,
        "leeze_late_seconds_count": 3000,
        "leeze_late_seconds_sum": 0.26,
        "leeze_wire_losses_total": 2,
        "leeze_feed_offset_milliseconds": 812,
        "leeze_feed_error_milliseconds": 14,
        "leeze_feed_locked": 0.5,
        "leeze_recorder_bytes": 5,
        "leeze_recorder_gaps_total": 1,
        "leeze_console_dropped_lines_total": 6,
        "leeze_wall_synchronised": 1,
    }.items():
        assert said[name, ()] == value, name
    for name, labels, value in (
        ("leeze_late_seconds_bucket", {"le": "0.001"}, 2990),
        ("leeze_late_seconds_bucket", {"le": "+Inf"}, 3000),
        ("leeze_device_healthy", {"device": "radar-1", "part": "ld2451"}, 0),
        ("leeze_device_healthy", {"device": "lamp-1", "part": "atxled"}, 1),
        ("leeze_device_seen_seconds", {"device": "radar-1", "part": "ld2451"}, 4.5),
        ("leeze_device_events_total", {"device": "radar-1", "event": "bad_frames"}, 1),
        ("leeze_wire_open", {"wire": "dali"}, 1),
        ("leeze_relay_holds", {"relay": "relay"}, 1),
        ("leeze_lamp_level", {"lamp": "lamp-1"}, 170),
        ("leeze_held_seconds", {"by": "device radar-1"}, 0.0215),
        ("leeze_feed_rejected_total", {"reason": "late"}, 5),
    ):
        assert said[name, tuple(sorted(labels.items()))] == value, (name, labels)


def test_a_picture_without_feed_recorder_and_ledger_is_rendered_as_well() -> None:
    small = {key: value for key, value in PICTURE.items() if key not in ("feed", "recorder", "console")}
    said = samples(render(small | {"loop": {"ticks": 1, "overruns": 0}}).decode())
    assert said["leeze_ticks_total", ()] == 1
    assert not any(name.startswith(("leeze_feed", "leeze_recorder", "leeze_late")) for name, _ in said)
    assert render({}) == b""


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:80", ("::1", 80)),
        (":7", ("127.0.0.1", 7)),
    ],
)
def test_an_address_is_a_port_or_a_host_and_a_port(text: str, where: tuple[str, int]) -> None:
    assert address(text) == where


@pytest.mark.parametrize("text", ["", "x", "1.2.3.4", "70000", "host:", "9464 "])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no port; write e"):
        address(text)


class Served:
    """Metrics at work, as the loop would give it pictures."""

    def __init__(self, port: int = 0) -> None:
        self.said: list[str] = []
        self.metrics = Metrics(("127.0.0.1", port), self.said.append)
        self.t_ns = 0

    def second(self) -> None:
        self.t_ns += NS_PER_S
        self.metrics.publish(copy.deepcopy(PICTURE), self.t_ns)

    def until(self, done: Callable[[], object]) -> None:
        clock = SystemClock()
        deadline_ns = clock.now_ns() + 60 * NS_PER_S
        while not done():
            assert clock.now_ns() < deadline_ns
            self.second()
            clock.sleep_until_ns(clock.now_ns() + NS_PER_S // 100)

    def scrape(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics.port}/metrics", timeout=60) as answer:
            return str(answer.read().decode())


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    made.until(lambda: made.metrics.port)
    yield made
    made.metrics.close()


def test_a_scrape_gets_the_newest_picture(served: Served) -> None:
    served.second()
    assert samples(served.scrape())["leeze_ticks_total", ()] == 3000
    served.metrics.publish(PICTURE | {"losses": 77}, served.t_ns)
    assert samples(served.scrape())["leeze_wire_losses_total", ()] == 77


def test_many_scrapes_of_one_picture_make_its_text_once(served: Served) -> None:
    served.second()
    first = served.metrics._rendered()
    for _ in range(5):
        served.scrape()
    assert served.metrics._rendered() is first


def test_scrapers_that_hang_take_no_more_than_their_places(served: Served) -> None:
    hanging = []
    for _ in range(SCRAPERS):
        end = socket.create_connection(("127.0.0.1", served.metrics.port), timeout=60)
        end.sendall(b"GET /metrics HT")
        hanging.append(end)
    served.until(lambda: len(served.metrics._active) == SCRAPERS)
    with pytest.raises((OSError, http.client.HTTPException)):
        served.scrape()
    for end in hanging:
        end.close()
    served.until(lambda: len(served.metrics._active) == 0)
    assert "leeze_ticks_total" in served.scrape()


def test_a_port_that_is_taken_is_said_once_and_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        served = Served(port)
        served.until(lambda: served.said)
        assert served.said == [
            f"metrics: 127.0.0.1:{port}: the port is taken; end who has it (ss -ltnp), or name another with "
            "--metrics; running without"
        ]
        served.until(lambda: served.t_ns > 3 * AGAIN_NS)
        assert len(served.said) == 1
    served.until(lambda: len(served.said) == 2)
    assert served.said[1] == "metrics: served again"
    assert served.metrics.port == port
    served.metrics.close()
