from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from drivers.errors import InputError
from hil.judge.compare import compare
from hil.judge.reference import Sent
from hil.report.figures import number, percent, rows
from hil.report.lanes import (
    NS_PER_HOUR,
    Event,
    HandoverLane,
    Hour,
    LampLane,
    Lanes,
    PanelLane,
    RadarLane,
    RiderLane,
    SignalLane,
    WireLane,
    choose_window,
    clip_fades,
    clip_points,
    merge_fades,
    thin,
)
from hil.report.page import page, write_page
from hil.report.path_picture import glow, output_share
from hil.report.result import Figures, RunResult
from hil.report.table import figures_table, verdict_table

S = 1_000_000_000
SCHEMA = Path(__file__).parents[2] / "docs" / "hil-result.schema.json"
HOSTILE = '</title><script>alert("x")</script><!-- \x00 \x1b &amp; [red]'
FIGURES: Figures = {
    "riders": {"leeze": 40, "always_on": 40, "oracle": 40},
    "lit_in_time": {"leeze": 39, "always_on": 40, "oracle": 40},
    "lit_share": {"leeze": 0.975, "always_on": 1.0, "oracle": 1.0},
    "lit_share_low95": {"leeze": 0.871, "always_on": 0.912, "oracle": 0.912},
    "energy_wh": {"leeze": 512.5, "always_on": 2000.0, "oracle": 400.0},
}
EXPECTED = [Sent(100, 2 * S, "west/dali", b"h0AFE\n")]
FAILED = RunResult(
    case="evening",
    verdict="failed",
    title="An evening",
    digest="ab" * 32,
    span_s=60.0,
    wall_s=0.5,
    ticks=3000,
    radar_frames=600,
    us_per_frame=21.5,
    figures=FIGURES,
    comparison=compare(EXPECTED, [Sent(100, 2 * S, "west/dali", b"h0AFD\n")]),
    command="leeze-hil replay evening",
    notes=("recorded passages with synthesised radar",),
    provenance={"version": "0.1.0"},
)
FLOW = RunResult(
    case="crossing",
    verdict="no-reference",
    groups=(
        {"group": 22, "state": 3, "state_name": "stop-and-remain", "remaining_s": 12.5},
        {"group": 3, "state": 6, "state_name": "protected", "remaining_s": None},
    ),
)
LANES = Lanes(
    lamps=[LampLane("lamp-1", 0.0, [(0, 2 * S, 170, 170), (2 * S, 3 * S, 170, 254), (3 * S, 60 * S, 254, 254)])],
    riders=[RiderLane([(0, -100_000), (40 * S, 100_000)], "rider 1"), RiderLane([(S, 90_000), (50 * S, -90_000)])],
    radars=[RadarLane("radar-1", 0.0, -1, 40.0, [(12 * S, -38_000), (13 * S, -33_000)])],
    handovers=[HandoverLane("west to east", 0.0, 32.0, [(20 * S, 20 * S + 5_000_000, "x 176 m")])],
    wires=[WireLane("west/dali", [(2 * S, True, "h00FE"), (3 * S, False, "JFE")])],
    events=[Event(30 * S, "radar-1 falls silent")],
    hours=[Hour(0, 12, 18_000, 240_000), Hour(NS_PER_HOUR, 3, 9_000, 240_000)],
    utc_at_zero_ns=1_708_020_600 * S,
)
FLOW_LANES = Lanes(
    signals=[SignalLane("group 22", [(0, 30 * S, 3), (30 * S, 50 * S, 6)], [(0, 30_000), (S, None), (2 * S, 28_000)])],
    panels=[
        PanelLane([(0, S, "red", 30_000), (S, 30 * S, "red", 29_000), (30 * S, 50 * S, "dark", None)], [(S, b"PNG")])
    ],
)


class Reader(HTMLParser):
    """Checks that every element is closed, and gathers what a browser would fetch or run."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: dict[str, int] = {}
        self.said: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "action"}]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.said.append(data)


def timeline_elements(text: str) -> int:
    inside = text[text.index('<section class="lanes">') : text.index("</section>", text.index('class="lanes"'))]
    return len(re.findall(r"<[a-zA-Z]", inside))


def test_the_page_says_verdict_divergence_figures_lanes_and_provenance() -> None:
    said = " ".join(Reader(page(FAILED, LANES)).said)
    for part in (
        "Failed",
        "0 of 1 expected frames agreed",
        "first divergence (value) on west/dali",
        "leeze-hil replay evening",
        "97.5 %",
        "\u2265 87.1 % (95 %)",
        "25.6 % of always on",
        "recorded passages with synthesised radar",
        "lamp-1 (0 m): level 170 to 254 (10.1 to 100.0 % light)\n19:10:02.000 to 19:10:03.000 (1.0 s)",
        "radar-1: 19:10:12.000, -38.0 m",
        "radar-1 falls silent",
        "west to east: 19:10:20.000\nx 176 m",
        "local time, Europe/Berlin",
        "02-15",
        "0.1.0",
    ):
        assert part in said, part


def test_the_page_of_a_crossing_shows_states_stages_and_pictures() -> None:
    reader = Reader(page(FLOW, FLOW_LANES))
    said = " ".join(reader.said)
    for part in ("No reference", "stop-and-remain", "12.5 s", "group 22: red\n0:00.000 to 0:30.000 (30.0 s)",
                 "panel shows red", "panel at 0:01.000", "time since start, min:s"):  # fmt: skip
        assert part in said, part
    assert reader.fetched == ["data:image/png;base64,UE5H"]


def test_the_page_fetches_nothing_and_allows_only_its_own_script() -> None:
    for text in (page(FAILED, LANES), page(FLOW, FLOW_LANES), page(FLOW)):
        assert [address for address in Reader(text).fetched if not address.startswith("data:")] == []
        assert not re.search(r"https?://|@import|url\((?!#)", text)
        assert "default-src 'none'" in text


def test_hostile_names_stay_text() -> None:
    wild = Lanes(
        lamps=[LampLane(HOSTILE, 0.0, [(0, S, 0, 254)])],
        riders=[RiderLane([(0, 0), (S, 9000)], HOSTILE)],
        radars=[RadarLane(HOSTILE, 0.0, 1, 40.0, [(1, 1)])],
        handovers=[HandoverLane(HOSTILE, 0.0, 9.0, [(1, 2, HOSTILE)])],
        signals=[SignalLane(HOSTILE, [(0, S, 77)])],
        panels=[PanelLane([(0, S, HOSTILE, 5)], [(5, b"")], HOSTILE)],
        wires=[WireLane(HOSTILE, [(5, True, HOSTILE)])],
        events=[Event(7, HOSTILE)],
        notes=(HOSTILE,),
        utc_at_zero_ns=0,
        zone="../../etc/passwd",
    )
    result = RunResult(
        case=HOSTILE, title=HOSTILE, verdict="failed", command=HOSTILE, notes=(HOSTILE,), provenance={HOSTILE: HOSTILE},
        figures={HOSTILE: {HOSTILE: 1}}, groups=({"group": HOSTILE, "state": HOSTILE, "remaining_s": HOSTILE},),
        comparison=compare([Sent(1, 1, HOSTILE, b"<b>")], []),
    )  # fmt: skip
    text = page(result, wild)
    assert Reader(text).tags["script"] == 1
    assert "alert(" not in text.replace("alert(&quot;", "")
    assert "\x00" not in text
    assert "\x1b" not in text


def test_a_long_wire_text_is_cut_in_its_tooltip() -> None:
    text = page(FAILED, Lanes(wires=[WireLane("feed", [(S, False, "<DATA>" * 5000)])]))
    assert 0 < text.count("&lt;DATA&gt;") < 100


def test_the_same_input_gives_the_same_bytes() -> None:
    assert page(FAILED, LANES) == page(FAILED, LANES)


def test_an_hour_full_of_everything_stays_within_the_budget_and_says_what_was_left_out() -> None:
    many = 20_000
    step = NS_PER_HOUR // many
    fades = [(i * step, (i + 1) * step, 170 if i % 2 else 254, 254 if i % 2 else 170) for i in range(many)]
    hits = [(i * step, i % 40_000) for i in range(many)]
    full = Lanes(
        lamps=[LampLane(f"lamp-{i}", 32.0 * i, fades) for i in range(12)],
        riders=[RiderLane([(i * step, -200_000), (i * step + 90 * S, 552_000)]) for i in range(many // 2)],
        radars=[RadarLane(f"radar-{i}", 64.0 * i, 1, 40.0, hits) for i in range(6)],
        handovers=[HandoverLane("west", 160.0, 192.0, [(i * step, i * step, "x") for i in range(many)])],
        signals=[
            SignalLane("22", [(i * step, (i + 1) * step, i % 10) for i in range(many)], [(t, t % 99) for t, _ in hits])
        ],
        panels=[
            PanelLane(
                [(t, t + step, "red" if t % 3 else "green", 1000) for t, _ in hits], [(t, b"P" * 200) for t, _ in hits]
            )
        ],
        wires=[WireLane(f"wire-{i}", [(t, bool(t % 2), "h0AFE") for t, _ in hits]) for i in range(8)],
        events=[Event(t, "again") for t, _ in hits],
    )
    for budget in (20_000, 2_000):
        text = page(FAILED, full, budget=budget)
        assert timeline_elements(text) <= budget + 1500
        assert len(text) < 6_000_000
    said = " ".join(Reader(text).said)
    for part in ("detections: ", "lamp levels: ", "riders: ", "handover messages: ", "wires: ", "pictures included"):
        assert part in said, part


def test_a_long_run_shows_an_hour_under_light_and_says_so() -> None:
    nightly = [
        LampLane(
            "lamp-1", 0.0, [(50 * NS_PER_HOUR, 60 * NS_PER_HOUR, 254, 254), (60 * NS_PER_HOUR, 99 * NS_PER_HOUR, 0, 0)]
        )
    ]
    riders = [RiderLane([(h * NS_PER_HOUR, 0), (h * NS_PER_HOUR + 60 * S, 300_000)]) for h in range(0, 99, 4)]
    lanes = Lanes(lamps=nightly, riders=riders)
    begin, end = choose_window(lanes)
    assert end - begin == NS_PER_HOUR
    assert begin <= 52 * NS_PER_HOUR < end
    assert "shown: 59 min 59 s of" in page(FAILED, lanes) or "shown: 1 h 0 min of" in page(FAILED, lanes)


@pytest.mark.parametrize(
    "lanes", [Lanes(), Lanes(riders=[RiderLane([])]), Lanes(events=[Event(5, "x")]), Lanes(wires=[WireLane("w", [])])]
)
def test_empty_lanes_make_a_page_too(lanes: Lanes) -> None:
    assert "Failed" in " ".join(Reader(page(FAILED, lanes)).said)


@st.composite
def fades(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    edges = sorted(draw(st.sets(st.integers(0, 10_000), min_size=2, max_size=60)))
    levels = st.integers(0, 254)
    return [(t0, t1, draw(levels), draw(levels)) for t0, t1 in pairwise(edges)]


@given(fades(), st.integers(1, 20))
def test_merged_fades_keep_begin_end_and_order_and_respect_the_limit(
    segments: list[tuple[int, int, int, int]], limit: int
) -> None:
    merged = merge_fades(segments, limit)
    assert 1 <= len(merged) <= max(limit, 1)
    assert (merged[0][0], merged[0][2]) == (segments[0][0], segments[0][2])
    assert (merged[-1][1], merged[-1][3]) == (segments[-1][1], segments[-1][3])
    assert all(a[1] == b[0] for a, b in pairwise(merged))


@given(fades(), st.integers(0, 10_000), st.integers(1, 5_000))
def test_clipped_fades_lie_in_the_window_with_levels_between_their_ends(
    segments: list[tuple[int, int, int, int]], begin: int, length: int
) -> None:
    for t0, t1, low, high in clip_fades(segments, (begin, begin + length)):
        assert begin <= t0 < t1 <= begin + length
        whole = next(s for s in segments if s[0] <= t0 and t1 <= s[1])
        assert min(whole[2:]) <= min(low, high) <= max(low, high) <= max(whole[2:])


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(-500, 500)), max_size=10), st.integers(0, 90))
def test_clipped_ways_stay_in_the_window(points: list[tuple[int, int]], begin: int) -> None:
    way = clip_points(sorted(points), (begin, begin + 10))
    assert all(begin <= t <= begin + 10 for t, _ in way)


@given(st.lists(st.integers(), max_size=50), st.integers(0, 60))
def test_thinning_keeps_order_and_the_limit(items: Sequence[int], limit: int) -> None:
    kept = thin(items, limit)
    assert len(kept) == min(limit, len(items))
    assert [item for item in items if item in kept][:1] == list(kept[:1])


def test_light_is_painted_by_the_log_curve() -> None:
    assert output_share(254) == 1.0
    assert abs(output_share(170) - 0.101) < 0.001
    assert output_share(0) == glow(0) == 0.0
    assert glow(255) == 1.0


def test_percentages_never_round_up_to_all() -> None:
    assert [percent(share) for share in (1.0, 0.99999, 0.5, 0.0, 1)] == ["100 %", "99.9 %", "50.0 %", "0 %", "100 %"]
    assert number(28411.26, 1) == "28\u202f411.3"


def test_figures_without_a_value_stay_empty_and_unknown_ones_are_shown_plainly() -> None:
    table = rows({"energy_wh": {"leeze": 1.0, "oracle": None}, "made_up": {"leeze": 7}})
    assert [row.label for row in table] == ["energy, Wh", "made up"]
    assert table[0].cells[1] is None
    assert [row.cells[0] and row.cells[0].text for row in table] == ["1.0", "7"]


@pytest.mark.parametrize("result", [FAILED, FLOW, RunResult(case="x", verdict="passed", digest="00")])
def test_the_json_object_keeps_to_its_schema_and_leaves_out_what_does_not_apply(result: RunResult) -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    found = json.loads(json.dumps(result.as_json()))
    jsonschema.validate(found, schema)
    assert ("divergence" in found) == (result is FAILED)
    assert ("groups" in found) == (result is FLOW)
    assert ("energy_wh" in found) == (result is FAILED)
    assert None not in found.values()


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "ok"},
        {"lit_share": {"leeze": 1.5}},
        {"riders": {"leeze": 1, "other": 2}},
        {"groups": [{"group": 300, "state": 3, "state_name": "red"}]},
        {"divergence": {"kind": "value"}},
    ],
)
def test_the_schema_refuses_what_is_wrong(wrong: dict[str, object]) -> None:
    schema = json.loads(SCHEMA.read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**FAILED.as_json(), **wrong}, schema)


def test_terminal_tables_show_names_as_they_are() -> None:
    out = io.StringIO()
    console = Console(file=out, width=160, color_system=None)
    console.print(verdict_table([FAILED, FLOW, RunResult(case="[red]lamp[/red]", verdict="passed")]))
    console.print(figures_table(FIGURES, "[bold]Figures"))
    for part in ("[red]lamp[/red]", "\u2717 failed", "first: value at tick 100 on west/dali", "[bold]Figures",
                 "97.5 %", "25.6 % of always on", "512.5"):  # fmt: skip
        assert part in out.getvalue(), part


def test_a_page_that_cannot_be_written_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="report cannot be written"):
        write_page(tmp_path / "none" / "out.html", FAILED)
    write_page(tmp_path / "out.html", FAILED, LANES)
    assert (tmp_path / "out.html").read_text(encoding="utf-8") == page(FAILED, LANES)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 3600), st.integers(1, 100_000_000), st.booleans())
def test_any_window_can_be_drawn(begin_s: int, length_ms: int, wall: bool) -> None:
    shifted = Lanes(riders=LANES.riders, utc_at_zero_ns=0 if wall else None)
    Reader(page(FAILED, shifted, window=(begin_s * S, begin_s * S + length_ms * 1_000_000)))
