"""What a site file may not say of places, and what an installer is warned of: each with its place and mend."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import msgspec
import pytest

from boards.load import load_board
from boards.wires import MqttWire
from controllers.cli import main
from controllers.lighting.section import section
from controllers.lighting.site import Behaviour, LightingSite, check
from controllers.lighting.site_checks import warnings
from controllers.service.assemble import assemble
from controllers.service.fitting import fitted
from controllers.service.sites import load_site, shipped
from drivers.devices.neighbour import Neighbour
from drivers.errors import InputError
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth
from drivers.settings import parse_toml

GOOD = """\
format = 1
name = "promenade"
product = "lighting"
[place]
lat_deg = 51.97
lon_deg = 7.64
timezone = "Europe/Berlin"
[light]
rise_s = 1
[[controllers]]
name = "west"
board = "kanalpromenade-lamp-mqtt"
neighbours = { neighbour = "east" }
lamps = [{ name = "lamp-1", x_m = 0 }, { name = "lamp-2", x_m = 32 }]
radars = [{ name = "radar-1", x_m = 0, looks = "up" }]
[[controllers]]
name = "east"
board = "kanalpromenade-lamp-mqtt"
neighbours = { neighbour = "west" }
lamps = [{ name = "lamp-1", x_m = 64 }, { name = "lamp-2", x_m = 96 }]
radars = [{ name = "radar-1", x_m = 96, looks = "down", range_m = 40 }]
"""


NO_RADAR = (
    "$.controllers[0].radars: 'west' has no radar; its lamps, and its neighbours' next to them, are full in all lit "
    "hours"
)


ALWAYS = ("rise_s = 1", 'rise_s = 1\ncalendar = "always"')


def site(*changes: tuple[str, str]) -> LightingSite:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return check(parse_toml(text, LightingSite, "site.toml"), "site.toml")


@pytest.mark.parametrize("name", [name for name in shipped() if name.startswith("kanalpromenade")])
def test_a_shipped_lit_path_has_nothing_to_be_warned_of(name: str) -> None:
    found = load_site(name)
    assert isinstance(found, LightingSite)
    assert warnings(found) == []


def test_a_good_site_has_nothing_to_be_warned_of() -> None:
    assert warnings(site()) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            '"lamp-2", x_m = 32',
            '"lamp-2", x_m = -32',
            "$.controllers[0].lamps[1]: lamp 'lamp-2' at -32 m stands",
        ),
        (
            '"lamp-2", x_m = 32',
            '"lamp-2", x_m = 0',
            "$.controllers[0].lamps[1]: lamp 'lamp-2' at 0 m stands",
        ),
        (
            '"lamp-1", x_m = 64',
            '"lamp-1", x_m = 32',
            "$.controllers[1].lamps: the sections of 'west' and 'east' overlap between 32 m and 32 m",
        ),
        (
            'x_m = 96, looks = "down"',
            'x_m = 960, looks = "down"',
            "$.controllers[1].radars[0]: radar 'radar-1' sees 920 m to 960 m, the path's light",
        ),
        ("rise_s = 1", "dark_lx = 30", "$.light: `bright_lx` 30 is not above `dark_lx` 30"),
        ("rise_s = 1", 'calendar = "summer"', "$.light: calendar `summer` is not known; known: always, other-sections"),
        (
            "rise_s = 1",
            'events = [{ from = "2026-02-30 10:00", to = "2026-03-01 10:00", light = "full" }]',
            "$.light: event: 2026-02-30 10:00 is no date",
        ),
        (
            "rise_s = 1",
            'calendar = { name = "own", rules = [{ months = [1], from = "sunset", to = "sunrise" }] }',
            "$.light: calendar own: gap: no rule for month 2",
        ),
        (
            'timezone = "Europe/Berlin"',
            'timezone = "Europe/Munster"',
            "$.light: time zone `Europe/Munster`",
        ),
    ],
)
def test_what_cannot_stand_is_refused_with_file_place_and_mend(old: str, new: str, says: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(f"site.toml: {says}")):
        site((old, new))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('radars = [{ name = "radar-1", x_m = 0, looks = "up" }]', "radars = []", NO_RADAR),
        ("range_m = 40", "range_m = 10", "somebody at 30 km/h is through the 10 m of 'radar-1' in 1.2 s"),
        ('neighbours = { neighbour = "west" }\n', "", "'west' names 'east', but not the other way round"),
        ("rise_s = 1", "rise_s = 0.5", "$.light.rise_s: 0.5 s is no fade of the gear's"),
        ("rise_s = 1", 'dusk = "lux"', "$.controllers[0].lux: 'west' has no lux sensor; its dusk is by the sun"),
        ("lon_deg = 7.64", "lon_deg = 139.7", "longitude 139.7 and time zone Europe/Berlin are 7 hours apart"),
        (
            "rise_s = 1",
            'calendar = { name = "own", rules = [{ from = "sunset", to = "sunrise" },'
            ' { months = [6], from = "05:30", to = "sunrise" }] }',
            "rules[1] (from 05:30 to sunrise) holds on no day",
        ),
        (
            'lamps = [{ name = "lamp-1", x_m = 64 }, { name = "lamp-2", x_m = 96 }]',
            'lamps = [{ name = "lamp-1", x_m = 64 }, { name = "lamp-2", x_m = 240 }]',
            "$.controllers: nobody is seen from 96 m to 240 m; a radar is missing there",
        ),
    ],
)
def test_what_is_odd_is_said_and_runs(old: str, new: str, says: str) -> None:
    assert any(says in said for said in warnings(site((old, new))))


def test_where_a_place_is_is_refused_and_warned_of_from_its_bound_on() -> None:
    """The light reaches from 70 m before the first lamp to 70 m behind the last."""
    for old, fits, too_far in (
        ('x_m = 0, looks = "up"', 'x_m = -110, looks = "up"', 'x_m = -110.1, looks = "up"'),
        ('x_m = 96, looks = "down"', 'x_m = 166, looks = "up"', 'x_m = 166.1, looks = "up"'),
    ):
        site((old, fits))
        with pytest.raises(InputError, match="the path's light reaches from -70 m to 166 m"):
            site((old, too_far))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ((("lon_deg = 7.64", "lon_deg = 45"), ("Europe/Berlin", "UTC"), ALWAYS), []),
        (
            (("lon_deg = 7.64", "lon_deg = 45.01"), ("Europe/Berlin", "UTC"), ALWAYS),
            ["$.place: longitude 45.01 and time zone UTC are 3 hours apart; is one of them wrong?"],
        ),
        (
            (("lon_deg = 7.64", "lon_deg = 52.51"), ("Europe/Berlin", "UTC"), ALWAYS),
            ["$.place: longitude 52.51 and time zone UTC are 4 hours apart; is one of them wrong?"],
        ),
        ((("range_m = 40", "range_m = 12.5"),), []),
        (
            (("range_m = 40", "range_m = 12.4"),),
            [
                "$.controllers[1].radars[0].range_m: somebody at 30 km/h is through the 12.4 m of 'radar-1' in 1.5 s, "
                "before a lamp has risen"
            ],
        ),
        ((('"lamp-2", x_m = 96', '"lamp-2", x_m = 196'),), []),
        (
            (('"lamp-2", x_m = 96', '"lamp-2", x_m = 196.5'),),
            ["$.controllers: nobody is seen from 96 m to 196.5 m; a radar is missing there"],
        ),
        (
            (
                ('x_m = 0, looks = "up"', 'x_m = 0, looks = "up", range_m = 100'),
                ('"lamp-2", x_m = 96', '"lamp-2", x_m = 250'),
                ('x_m = 96, looks = "down"', 'x_m = 250, looks = "down"'),
            ),
            ["$.controllers: nobody is seen from 100 m to 210 m; a radar is missing there"],
        ),
        (
            (('neighbours = { neighbour = "west" }\n', ""),),
            [
                "$.controllers[0].neighbours.neighbour: 'west' names 'east', but not the other way round: riders are "
                "handed over in one direction only"
            ],
        ),
    ],
)
def test_all_that_is_said_of_a_site_at_a_bound(changes: tuple[tuple[str, str], ...], says: list[str]) -> None:
    assert warnings(site(*changes)) == says


def test_a_zone_with_the_date_of_the_other_side_of_the_date_line_is_not_a_day_apart() -> None:
    for lon_deg, zone in (("-157.4", "Pacific/Kiritimati"), ("-171.8", "Pacific/Apia"), ("179.9", "Pacific/Fiji")):
        there = site(("lon_deg = 7.64", f"lon_deg = {lon_deg}"), ("Europe/Berlin", zone))
        assert warnings(there) == []


def test_neighbours_on_the_path_that_are_none_in_the_file_are_said() -> None:
    alone = site(('neighbours = { neighbour = "east" }\n', ""), ('neighbours = { neighbour = "west" }\n', ""))
    assert warnings(alone) == [
        "$.controllers: 'west' and 'east' lie next to each other and are no neighbours: nobody is handed over between "
        "them"
    ]


def test_check_prints_the_warnings_and_is_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("range_m = 40", "range_m = 10"))
    assert main(["check", "--site", str(path)]) == 0
    said = capsys.readouterr().out
    assert f"{path}: warning: $.controllers[1].radars[0].range_m: somebody at 30 km/h" in said
    assert f"{path}: fine, 4 lamps" in said


# --- boards fitted to their controller


def test_a_wire_by_a_broker_gets_its_topics_and_the_sites_broker() -> None:
    found = site(("[light]", '[broker]\nhost = "10.4.0.1"\nport = 8883\ntls = true\nca_file = "ca.pem"\n[light]'))
    wire = fitted(load_board("kanalpromenade-lamp-mqtt"), found, found.controller("west")).wires["neighbour"]
    assert isinstance(wire, MqttWire)
    assert (wire.host, wire.port, wire.tls, wire.ca_file) == ("10.4.0.1", 8883, True, "ca.pem")
    assert wire.publish == "leeze/promenade/west/to/east"
    assert wire.subscribe == ("leeze/promenade/east/to/west",)
    assert (wire.qos, wire.retain, wire.take_retained, wire.topics) == (1, False, False, True)


def test_without_a_broker_in_the_site_the_boards_own_stays_and_nothing_is_ever_retained() -> None:
    board = load_board("kanalpromenade-lamp-mqtt")
    wire = board.wires["neighbour"]
    assert isinstance(wire, MqttWire)
    careless = msgspec.structs.replace(wire, qos=0, retain=True, take_retained=True, publish=None)
    board = msgspec.structs.replace(board, wires={**board.wires, "neighbour": careless})
    found = fitted(board, site(), site().controller("east")).wires["neighbour"]
    assert isinstance(found, MqttWire)
    assert (found.host, found.qos, found.retain, found.take_retained, found.publish) == (
        "localhost",
        1,
        False,
        False,
        None,
    )


def test_a_wire_of_its_own_stays_as_it_is_and_so_does_a_neighbour_the_board_has_not() -> None:
    board = load_board("kanalpromenade-lamp")
    assert fitted(board, site(), site().controller("west")) == board
    strange = site(("neighbours = { neighbour", "neighbours = { nobody"))
    assert fitted(board, strange, strange.controller("west")) == board


def test_a_neighbour_behind_a_broker_is_numbered_and_one_on_a_wire_is_not() -> None:
    for board, numbered in (("kanalpromenade-lamp-mqtt", True), ("kanalpromenade-lamp", False)):
        made = assemble(site(), controller="west", board=board, link_for=lambda name, _: memory_pair(name)[0])
        neighbour = made.board.devices["neighbour"]
        assert isinstance(neighbour, Neighbour)
        assert ("duplicates" in neighbour.counters()) == numbered


LAPTOP = (Path(str(files("boards"))) / "catalog" / "kanalpromenade-lamp-laptop.toml").read_text()
LUX = """
[wires.sky]
kind = "memory"
[devices.lux]
part = "bh1750"
wire = "sky"
"""


def test_a_lux_sensor_of_the_site_has_to_be_on_the_board(tmp_path: Path) -> None:
    board = tmp_path / "lux.toml"
    board.write_text(LAPTOP + LUX)
    found = site(('name = "west"', 'name = "west"\nlux = "lux"'), ("rise_s = 1", 'dusk = "lux"'))
    made = assemble(found, controller="west", board=str(board), link_for=lambda name, _: memory_pair(name)[0])
    dusk = made.cycle.gate.dusk  # type: ignore[attr-defined]
    assert (dusk.source, dusk.trims) == ("lux", True)
    with pytest.raises(InputError, match=r"has no bh1750 named 'lux'; it has: none"):
        assemble(found, controller="west", link_for=lambda name, _: memory_pair(name)[0])


def test_a_lux_sensor_or_meter_that_is_lost_is_no_doubt_for_the_neighbours_and_a_gateway_is(tmp_path: Path) -> None:
    board = tmp_path / "lux.toml"
    board.write_text(LAPTOP + LUX)
    found = site(('name = "west"', 'name = "west"\nlux = "lux"'))
    made = assemble(found, controller="west", board=str(board), link_for=lambda name, _: memory_pair(name)[0])
    policy = made.cycle.policy
    policy.step((), 0)
    assert list(policy.step((DeviceHealth(1, "lux", False), DeviceHealth(1, "relay", False)), 1)) == []
    (said,) = policy.step((DeviceHealth(2, "dali", False),), 2)
    assert said.body == {"kind": "doubt", "of": "dali", "doubt": [0, 32_000]}  # type: ignore[union-attr]


def test_no_device_may_have_the_name_of_who_orders_by_hand(tmp_path: Path) -> None:
    board = tmp_path / "odd.toml"
    board.write_text(LAPTOP + LUX.replace("devices.lux", "devices.commissioning"))
    with pytest.raises(InputError, match="is named commissioning; rename it"):
        assemble(site(), controller="west", board=str(board), link_for=lambda name, _: memory_pair(name)[0])


def test_the_words_of_a_calendar_survive_the_flight_recorders_metadata() -> None:
    own = site(
        (
            "rise_s = 1",
            'calendar = { name = "own", rules = [{ from = "sunset", to = "sunrise", base_pct = 0 }] }\n'
            'events = [{ from = "2026-12-31 18:00", to = "2027-01-01 03:00", light = "full" }]',
        )
    )
    assert msgspec.json.decode(msgspec.json.encode(own), type=LightingSite) == own
    assert own.light.calendar != Behaviour().calendar


def test_controllers_so_short_that_the_next_but_one_hears_too_late_are_told() -> None:
    short = section(7, each=2)
    (first, *_) = [line for line in warnings(short) if "comes late there" in line]
    assert first.startswith("$.controllers: 'c001' and 'c003' are 96 m apart with 'c002' between them")
    assert first.endswith("give 'c002' more lamps")
    for fine in (section(250), section(12), section(7, each=3)):
        assert not [line for line in warnings(fine) if "comes late there" in line]


def test_light_that_ends_at_the_next_controller_but_one_does_not_come_late_there() -> None:
    light = Behaviour(ahead_m=120)
    assert not [line for line in warnings(section(6, each=2, spacing_m=40, light=light)) if "comes late" in line]
    assert [line for line in warnings(section(6, each=2, spacing_m=39.9, light=light)) if "comes late" in line]
