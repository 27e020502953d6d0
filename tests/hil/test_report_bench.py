"""What benches in real time add to the page: the rig's troubles, measurements, lateness, and what came true."""

from __future__ import annotations

import re

from hil.report.lanes import Lanes, PanelLane, SignalLane
from hil.report.page import page
from hil.report.result import Measurement, RunResult

S = 1_000_000_000
LATE = {
    "count": 10_615,
    "p50": 85,
    "p99": 230,
    "p999": 1700,
    "max": 4100,
    "histogram": {"le_us": [100, 200, 5000], "count": [8000, 2600, 15, 0]},
}


def run(**more: object) -> RunResult:
    return RunResult(case="evening", verdict="passed", bench="process", **more)  # type: ignore[arg-type]


def test_a_blocked_run_says_what_is_wrong_with_the_rig_and_blames_no_board() -> None:
    wrong = "west/radar-1: nothing is heard on radar-1's port; <is> it plugged in?"
    text = page(RunResult(case="evening", verdict="blocked", bench="hardware", blocked=(wrong,)))
    assert "Blocked" in text
    assert "radar-1&#x27;s port; &lt;is&gt; it plugged in?" in text or "&lt;is&gt; it plugged in?" in text
    assert "Nothing is said of the board" in text
    assert "First divergence" not in text


def test_measurements_stand_with_their_limits_and_whether_they_keep_them() -> None:
    text = page(
        run(
            measurements=(
                Measurement("first light", 212.0, "ms", 0, 400, True),
                Measurement("level", 12.5, "%", 20, None, False),
                Measurement("supply", 3.31, "V"),
            )
        )
    )
    assert re.search(r"first light.*?212 ms.*?0 to 400 ms.*?within", text)
    assert re.search(r"level.*?12\.500 %.*?at least 20 %.*?outside", text)
    assert re.search(r"supply.*?3\.310 V</td><td>–", text)


def test_lateness_is_told_in_words_and_drawn_a_bar_a_bound() -> None:
    text = page(run(lateness_us=LATE))
    assert "half within 85 µs" in text
    assert "the latest 4.1 ms" in text
    assert len(re.findall(r"<title>(?:up to|above)[^<]*</title></rect>", text)) == 3  # the empty last one is left out


def test_in_virtual_time_nothing_is_said_of_lateness() -> None:
    assert "Lateness" not in page(run())


def test_beside_what_the_feed_predicts_stands_what_came_true_for_the_panels_own_group() -> None:
    spans = [(0, 10 * S, 3), (10 * S, 30 * S, 5), (30 * S, 33 * S, 7)]
    told = [(0, 12_000), (5 * S, 6_000)]
    panel = PanelLane([(0, 33 * S, "red", 10_000)])

    def drawn(own: bool) -> str:
        return page(run(), Lanes(signals=[SignalLane("7", spans, told, own=own)], panels=[panel]))

    assert len(re.findall(r'<polyline class="true"', drawn(True))) == 2  # the last phase was not seen to end
    assert "as it came true" in drawn(True)
    assert "as it came true" not in drawn(False).split("<svg")[0]
    assert '<polyline class="true"' not in drawn(False)
