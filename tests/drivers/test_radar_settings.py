"""An LD2451 is told its settings: read first, written where they differ, read again, and told again when it is back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from drivers.codecs.ld2451 import IDLE_FRAME, Target, encode_report
from drivers.devices.hilink import ANSWER_NS, RETRY_NS
from drivers.devices.radar import Ld2451Radar, Ld2451Settings
from drivers.errors import InputError, LinkLost
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, Message, Quantity, RadarReport
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.hilink import Faults, HilinkPeer, Ld2451Answers, ld2451_peer

WANTED = Ld2451Settings(range_m=60, direction="approach", min_speed_kmh=3, trigger_count=2, snr_level=5)
ALL = "0012 0002 0012 0013 0003 0013"
ONE = encode_report([Target(-5, 13, True, 3, 123)])


class Desk:
    """A radar, the part at the far end of its wire, what the radar emitted, what it was told."""

    def __init__(
        self,
        settings: Ld2451Settings | None = WANTED,
        faults: Faults | None = None,
        *,
        stored: dict[str, str] | None = None,
        off: tuple[tuple[int, int], ...] = (),
        frame: Callable[[int], bytes] = lambda t_ns: IDLE_FRAME,
        stale_ns: int = 3 * NS_PER_S,
    ) -> None:
        near, self.far = memory_pair("radar-1")
        self.emitted: list[Quantity] = []
        self.answers = Ld2451Answers(faults, stored)
        self.radar = Ld2451Radar("radar-1", near, self.emitted.append, settings=settings, stale_ns=stale_ns)
        self.peer: HilinkPeer = ld2451_peer("radar-1", self.far, self.answers, off=off, frame=frame, phase_ns=7)
        self.now_ns = 0

    def run(self, until_ns: int) -> None:
        """Ticks of 20 ms where the radar has something due; the part at its own times."""
        while True:
            tick_ns = -(-max(self.radar.wake_ns, self.now_ns) // (20 * NS_PER_MS)) * 20 * NS_PER_MS
            next_ns = min(tick_ns, self.peer.wake_ns)
            if next_ns > until_ns:
                self.now_ns = until_ns
                return
            self.now_ns = next_ns
            if self.peer.wake_ns <= next_ns:
                self.peer.run(next_ns)
            elif self.radar.wake_ns <= next_ns:
                self.radar.advance(next_ns)

    def told(self) -> str:
        """Commands the part has had since the last call."""
        words = " ".join(f"{command.command:04x}" for command in self.answers.heard)
        self.answers.heard.clear()
        return words

    def health(self) -> list[tuple[bool, str]]:
        return [(value.ok, value.reason) for value in self.emitted if isinstance(value, DeviceHealth)]


def test_what_differs_is_written_and_read_again_and_configuration_is_ended() -> None:
    desk = Desk()
    desk.run(NS_PER_S)
    assert desk.told() == f"00ff {ALL} 00fe"
    assert desk.answers.settings == {"0012": "3c010300", "0013": "02050000"}
    assert not desk.answers.configuring
    desk.run(600 * NS_PER_S)
    assert desk.told() == ""
    assert desk.health() == []


def test_what_is_as_wanted_is_read_and_not_written() -> None:
    desk = Desk(stored={"0012": "3c010307", "0013": "02050000"})
    desk.run(NS_PER_S)
    assert desk.told() == "00ff 0012 0013 00fe"


def test_what_nobody_wants_is_neither_read_nor_changed() -> None:
    desk = Desk(Ld2451Settings(range_m=60), stored={"0012": "64020510"})
    desk.run(NS_PER_S)
    assert desk.told() == "00ff 0012 0002 0012 00fe"
    assert desk.answers.settings["0012"] == "3c020510"
    desk = Desk(Ld2451Settings(snr_level=4), stored={"0013": "01000000"})  # 0 is 4
    desk.run(NS_PER_S)
    assert desk.told() == "00ff 0013 00fe"


@pytest.mark.parametrize("settings", [None, Ld2451Settings()])
def test_without_settings_nothing_is_ever_written(settings: Ld2451Settings | None) -> None:
    desk = Desk(settings, off=((5 * NS_PER_S, 20 * NS_PER_S),))
    written: list[bytes] = []
    desk.far.receiver = lambda data, t_ns: written.append(data)
    desk.run(60 * NS_PER_S)
    assert written == []
    assert desk.health() == [(False, "no frame"), (True, "")]


def test_a_part_that_was_without_power_is_told_again() -> None:
    desk = Desk(faults=Faults(forgets=True), off=((10 * NS_PER_S, 20 * NS_PER_S),))
    desk.run(19 * NS_PER_S)
    assert desk.told() == f"00ff {ALL} 00fe"  # what was asked into the silence, nobody heard
    assert desk.health() == [(False, "no frame")]
    desk.run(30 * NS_PER_S)
    assert desk.told() == f"00ff {ALL} 00fe"
    assert desk.answers.settings["0012"] == "3c010300"
    assert desk.health() == [(False, "no frame"), (True, "")]


def test_a_gap_too_short_to_be_a_silence_is_enough_to_look_again() -> None:
    desk = Desk(faults=Faults(forgets=True), off=((10 * NS_PER_S + 1, 12 * NS_PER_S),))
    desk.run(30 * NS_PER_S)
    assert desk.told() == f"00ff {ALL} 00fe 00ff {ALL} 00fe"
    assert desk.health() == []


def test_a_part_left_in_configuration_by_another_is_released() -> None:
    desk = Desk()
    desk.answers.configuring = True
    desk.run(3 * NS_PER_S - 1)
    assert desk.told() == ""
    desk.run(10 * NS_PER_S)
    assert desk.told() == f"00fe 00ff {ALL} 00fe"
    assert desk.health() == [(False, "no frame"), (True, "")]


def test_a_part_that_never_answers_is_used_all_the_same_and_its_health_says_so_once() -> None:
    desk = Desk(faults=Faults(deaf=True), frame=lambda t_ns: ONE if t_ns < 40 * NS_PER_S else IDLE_FRAME)
    desk.run(10 * 60 * NS_PER_S)
    assert desk.health() == [(False, "settings: no answer to command 0x00ff")]
    reports = [value for value in desk.emitted if isinstance(value, RadarReport)]
    assert len(reports) == 41
    assert reports[-1].detections == ()
    assert desk.radar.counters()["no_replies"] >= 6


def test_a_part_that_answers_at_last_is_well() -> None:
    desk = Desk(faults=Faults(deaf=True))
    desk.run(30 * NS_PER_S)
    desk.answers.faults = Faults()
    desk.run(RETRY_NS + 10 * NS_PER_S)
    assert desk.health() == [(False, "settings: no answer to command 0x00ff"), (True, "")]
    assert desk.answers.settings["0012"] == "3c010300"


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (Faults(refuses=frozenset({0x00FF})), "settings: refuses command 0x00ff"),
        (Faults(refuses=frozenset({0x0012})), "settings: refuses command 0x0012"),
        (Faults(refuses=frozenset({0x0003})), "settings: refuses command 0x0003"),
        (
            Faults(keeps=frozenset({0x0002})),
            "settings: range_m stays 100, wanted 60, direction stays 2, wanted 1, min_speed_kmh stays 0, wanted 3",
        ),
        (
            Faults(keeps=frozenset({0x0003})),
            "settings: trigger_count stays 1, wanted 2, snr_level stays 4, wanted 5",
        ),
    ],
)
def test_a_part_that_refuses_or_keeps_its_own_is_told_of_once_and_not_tried_for_ever(
    faults: Faults, reason: str
) -> None:
    desk = Desk(faults=faults)
    desk.run(NS_PER_S)
    words = desk.told()
    assert words.split()[-1] == "00fe"
    desk.run(300 * NS_PER_S)
    assert desk.told() == ""
    assert desk.health()[:1] == [(False, reason)]
    assert desk.radar.counters()["refusals"] == 1


def test_a_part_that_stays_in_configuration_is_silent_and_told_again_to_end_it() -> None:
    desk = Desk(faults=Faults(refuses=frozenset({0x00FE})))
    desk.run(10 * NS_PER_S)
    assert desk.health() == [(False, "settings: refuses command 0x00fe"), (False, "no frame")]
    assert desk.told() == f"00ff {ALL} 00fe 00fe"  # the last when it was silent
    desk.answers.faults = Faults()
    desk.answers.power_cycle()
    desk.run(20 * NS_PER_S)
    assert desk.health()[2:] == [(True, "")]


def test_trouble_with_settings_is_told_again_after_a_silence_and_ends_with_it() -> None:
    desk = Desk(faults=Faults(keeps=frozenset({0x0003})), off=((10 * NS_PER_S, 20 * NS_PER_S),))
    desk.run(40 * NS_PER_S)
    reason = "settings: trigger_count stays 1, wanted 2, snr_level stays 4, wanted 5"
    assert desk.health() == [(False, reason), (False, "no frame"), (True, ""), (False, reason)]


def test_a_part_that_is_unplugged_while_it_is_told_is_silent_and_nothing_else() -> None:
    desk = Desk(off=((10, 20 * NS_PER_S),), stale_ns=1_500 * NS_PER_MS)  # gone after its first frame
    desk.run(19 * NS_PER_S)
    assert desk.health() == [(False, "no frame")]
    desk.run(30 * NS_PER_S)
    assert desk.health() == [(False, "no frame"), (True, "")]
    assert desk.told() == f"00ff {ALL} 00fe"


def test_an_answer_that_makes_no_sense_is_no_setting() -> None:
    desk = Desk(stored={"0012": "6401"})
    desk.run(NS_PER_S)
    assert desk.health() == [(False, "settings: answers command 0x0012 with too few bytes")]
    assert desk.told() == "00ff 0012 00fe"


@pytest.mark.parametrize("late_ns", [40 * NS_PER_MS, ANSWER_NS + 50 * NS_PER_MS, 2 * ANSWER_NS + NS_PER_MS])
def test_answers_that_come_late_do_not_confuse_it(late_ns: int) -> None:
    desk = Desk(faults=Faults(late_ns=late_ns))
    desk.run(60 * NS_PER_S)
    assert desk.answers.settings == {"0012": "3c010300", "0013": "02050000"}
    assert not desk.answers.configuring
    assert desk.health() in ([], [(False, "no frame"), (True, "")])  # no reports while it is configured


def test_reports_are_decoded_while_it_is_configured() -> None:
    near, far = memory_pair("radar-1")
    emitted: list[Quantity] = []
    radar = Ld2451Radar("radar-1", near, emitted.append, settings=WANTED)
    answers = Ld2451Answers()
    peer = ld2451_peer("radar-1", far, answers)

    def hear(data: bytes, t_ns: int) -> None:
        far.write(ONE[:7], t_ns)
        far.write(ONE[7:], t_ns)
        peer.hear(data, t_ns)

    far.receiver = hear
    far.write(IDLE_FRAME, 0)
    radar.advance(0)
    assert len([value for value in emitted if isinstance(value, RadarReport)]) == 8
    assert answers.settings["0012"] == "3c010300"


def test_a_lost_link_is_no_answer() -> None:
    class Gone:
        name = "radar-1"
        receiver: Any = None
        repeat_receiver: Any = None

        def write(self, data: bytes, t_ns: int) -> None:
            raise LinkLost("radar-1", t_ns, "unplugged")

    emitted: list[Quantity] = []
    link = Gone()
    radar = Ld2451Radar("radar-1", link, emitted.append, settings=WANTED)  # type: ignore[arg-type]
    link.receiver(IDLE_FRAME, 0)
    for t_ns in range(0, 2 * NS_PER_S, 100 * NS_PER_MS):
        radar.advance(t_ns)
    assert emitted == [DeviceHealth(6 * ANSWER_NS, "radar-1", False, "settings: no answer to command 0x00ff")]
    assert radar.counters()["link_losses"] == 6


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (Ld2451Settings(range_m=9), "radar-1: range_m 9 is not 10 to 255"),
        (Ld2451Settings(direction="up"), 'radar-1: direction "up"; write away, approach, both'),
        (Ld2451Settings(min_speed_kmh=121), "min_speed_kmh 121"),
        (Ld2451Settings(trigger_count=11), "trigger_count 11"),
        (Ld2451Settings(snr_level=0), "snr_level 0 is not 3 to 8"),
        (Ld2451Settings(snr_level=9), "snr_level 9 is not 3 to 8"),
    ],
)
def test_settings_that_no_part_takes_are_refused_at_once(settings: Ld2451Settings, text: str) -> None:
    with pytest.raises(InputError, match=text):
        Desk(settings)


# --- orders


def ordered(desk: Desk, name: str, *args: object) -> Quantity:
    """What comes of an order to a part that reports."""
    desk.run(NS_PER_S)
    desk.answers.heard.clear()
    desk.emitted.clear()
    desk.radar.order(name, args, desk.now_ns)
    desk.run(desk.now_ns + NS_PER_S // 2)
    return desk.emitted[0]


def test_an_order_is_answered_by_a_message() -> None:
    desk = Desk(None)
    version = ordered(desk, "version")
    assert version == Message(version.t_ns, "radar-1", {"version": "V1.01.24051510"})
    assert desk.told() == "00ff 00a0 00fe"
    settings = ordered(desk, "read-settings")
    assert isinstance(settings, Message)
    assert settings.body == {
        "range_m": 100,
        "direction": "both",
        "min_speed_kmh": 0,
        "no_target_delay_s": 0,
        "trigger_count": 1,
        "snr_level": 4,
    }


def test_an_order_changes_one_setting_and_says_all() -> None:
    desk = Desk(None)
    settings = ordered(desk, "set", 30, None, None, None, None, None)
    assert isinstance(settings, Message)
    assert (settings.body["range_m"], settings.body["direction"]) == (30, "both")
    assert desk.told() == "00ff 0012 0002 0012 0012 0013 00fe"
    assert desk.answers.settings["0012"] == "1e020000"


def test_an_order_that_fails_is_told_and_forgotten_with_the_next_frame() -> None:
    desk = Desk(None, Faults(keeps=frozenset({0x0002})))
    failure = ordered(desk, "set", 30, None, None, None, None, None)
    assert failure == DeviceHealth(failure.t_ns, "radar-1", False, "set: range_m stays 100, wanted 30")
    desk.run(desk.now_ns + NS_PER_S)
    assert desk.health()[1:] == [(True, "")]


def test_an_order_that_fails_does_not_hide_trouble_with_the_settings() -> None:
    desk = Desk(faults=Faults(keeps=frozenset({0x0003}), refuses=frozenset({0x00A0})))
    ordered(desk, "version")
    desk.run(desk.now_ns + NS_PER_S)
    reason = "settings: trigger_count stays 1, wanted 2, snr_level stays 4, wanted 5"
    assert desk.health() == [(False, "version: refuses command 0x00a0"), (False, reason)]


def test_after_a_factory_reset_the_part_starts_anew_with_the_factorys_settings() -> None:
    desk = Desk(None, stored={"0012": "3c010300"})
    done = ordered(desk, "factory-reset")
    assert isinstance(done, Message)
    assert done.body == {"restarts": True}
    assert desk.answers.settings == Ld2451Answers.FACTORY
    assert isinstance(ordered(desk, "restart"), Message)
    assert desk.told() == "00ff 00a3"


def test_a_direction_that_no_paper_knows_is_told_as_its_number() -> None:
    settings = ordered(Desk(None, stored={"0012": "64090000"}), "read-settings")
    assert isinstance(settings, Message)
    assert settings.body["direction"] == 9


# --- laws


@pytest.mark.parametrize("stop_ms", [0, 1, 20, 21, 350, 640, 1_005, 3_001, 5_000])
@pytest.mark.parametrize("faults", [Faults(late_ns=30 * NS_PER_MS), Faults(late_ns=310 * NS_PER_MS), Faults(deaf=True)])
def test_restored_in_the_middle_of_a_conversation_it_goes_on_where_it_stood(stop_ms: int, faults: Faults) -> None:
    desk, other = Desk(faults=faults), Desk(faults=faults)
    desk.run(stop_ms * NS_PER_MS)
    other.radar.restore(json.loads(json.dumps(desk.radar.snapshot())))
    other.peer.restore(json.loads(json.dumps(desk.peer.snapshot())))
    other.now_ns = desk.now_ns
    desk.emitted.clear()
    desk.answers.heard.clear()
    for each in (desk, other):
        each.run(100 * NS_PER_S)
    assert other.emitted == desk.emitted
    assert other.told() == desk.told()
    assert other.radar.snapshot() == desk.radar.snapshot()
    assert other.peer.snapshot() == desk.peer.snapshot()


def test_before_it_is_due_nothing_changes() -> None:
    desk = Desk(faults=Faults(late_ns=310 * NS_PER_MS))
    for until_ms in range(0, 6_000, 130):
        desk.run(until_ms * NS_PER_MS)
        before = json.dumps(desk.radar.snapshot())
        desk.radar.advance(desk.radar.wake_ns - 1)
        assert json.dumps(desk.radar.snapshot()) == before


def test_frames_told_in_bulk_start_the_settings_as_one_by_one() -> None:
    for bulk in (True, False):
        near, far = memory_pair("radar-1")
        radar = Ld2451Radar("radar-1", near, lambda value: None, settings=WANTED)
        answers = Ld2451Answers()
        far.receiver = ld2451_peer("radar-1", far, answers).hear
        radar.advance(0)
        if bulk:
            far.repeat(IDLE_FRAME, NS_PER_S, 3 * NS_PER_S, 3)
        else:
            for t_ns in (1, 2, 3):
                far.write(IDLE_FRAME, t_ns * NS_PER_S)
        assert radar.wake_ns == NS_PER_S
        radar.advance(3 * NS_PER_S)
        assert answers.settings["0012"] == "3c010300"
        assert radar.wake_ns == 6 * NS_PER_S
