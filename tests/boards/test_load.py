from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boards.load import catalog_names, digest, load_board, parse_board
from boards.parts import PARTS, contents
from boards.pins import FUNCTIONS, HEADER, MATRIX_PINS, PIN_OF_GPIO, UARTS
from boards.schema import json_schema
from drivers.errors import InputError

CATALOG = Path(__file__).parents[2] / "boards" / "catalog"


def test_the_catalog_has_the_two_boards_and_their_laptop_variants() -> None:
    names = catalog_names()
    assert {"kanalpromenade-lamp", "leezenflow"} <= set(names)
    assert {"kanalpromenade-lamp-laptop", "leezenflow-laptop"} <= set(names)


@pytest.mark.parametrize("name", ["kanalpromenade-lamp", "leezenflow"])
def test_a_laptop_variant_has_the_same_devices_but_the_relay_in_the_same_parts_and_period(name: str) -> None:
    board, laptop = load_board(name), load_board(f"{name}-laptop")
    assert {key: said for key, said in board.devices.items() if key != "relay"} == laptop.devices
    assert {wire: what for wire, what in contents(board).items() if what != "relay"} == contents(laptop)
    assert board.period_ms == laptop.period_ms
    assert (board.bench, laptop.bench) == (False, True)


def test_a_board_is_found_by_path_as_well_as_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((CATALOG / "leezenflow.toml").read_text())
    assert load_board(str(path)) == load_board("leezenflow")


def test_an_unknown_name_is_refused_with_the_nearest_and_the_whole_list() -> None:
    with pytest.raises(InputError, match="did you mean `leezenflow`") as caught:
        load_board("leezenfow")
    assert all(name in str(caught.value) for name in catalog_names())


def test_a_name_like_nothing_known_gets_the_list_alone() -> None:
    with pytest.raises(InputError) as caught:
        load_board("qqqqq")
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_bytes(b"\xff\xfe")])
def test_a_path_that_cannot_be_read_is_refused_with_the_path_and_the_reason(make: object, tmp_path: Path) -> None:
    path = tmp_path / "gone.toml"
    make(path)  # type: ignore[operator]
    with pytest.raises(InputError, match=r"gone\.toml: cannot be read: ."):
        load_board(str(path))


def test_the_digest_does_not_see_order_comments_or_spelled_out_defaults() -> None:
    text = (CATALOG / "leezenflow-laptop.toml").read_text()
    wires, devices = text.index("[wires.feed]"), text.index("[devices.feed]")
    turned = text[:wires] + text[devices:] + "\n# more\n" + text[wires:devices]
    spelled = turned.replace('message_format = "spat-xml"', 'message_format = "spat-xml"\nstale_ms = 15000')
    assert spelled != text
    assert digest(parse_board(spelled, "x")) == digest(parse_board(text, "x"))


def test_the_digest_sees_a_changed_address() -> None:
    text = (CATALOG / "kanalpromenade-lamp.toml").read_text()
    changed = text.replace("short_address = 5", "short_address = 6")
    assert digest(parse_board(changed, "x")) != digest(parse_board(text, "x"))


@pytest.mark.parametrize("name", catalog_names())
def test_the_json_schema_accepts_the_catalog_and_refuses_an_unknown_key(name: str) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    raw = tomllib.loads((CATALOG / f"{name}.toml").read_text())
    jsonschema.validate(raw, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(raw | {"colour": "red"}, schema)


def test_the_schema_knows_the_keys_of_every_part_and_no_bare_device() -> None:
    definitions = json_schema()["$defs"]
    assert all(part.keys.__name__ in definitions for part in PARTS.values())
    assert "DeviceKeys" not in definitions


def test_the_header_has_28_gpio_and_12_supplies_and_each_gpio_once() -> None:
    assert len(HEADER) == 40
    assert sorted(what for what in HEADER if isinstance(what, int)) == list(range(28))
    assert [HEADER[pin - 1] for pin in (1, 2, 6, 8, 17, 39, 40)] == ["3V3", "5V", "GND", 14, "3V3", "GND", 21]
    assert [pin for pin, what in enumerate(HEADER, 1) if what == "GND"] == [6, 9, 14, 20, 25, 30, 34, 39]


def test_no_two_uarts_of_a_model_share_a_device_and_no_adapter_uses_a_pin_twice() -> None:
    for uarts in UARTS.values():
        assert len({uart.device for uart in uarts.values()}) == len(uarts)
        assert all({uart.tx_gpio, uart.rx_gpio} <= set(PIN_OF_GPIO) for uart in uarts.values())
    for pins in MATRIX_PINS.values():
        assert len(pins) == len(set(pins.values())) == 14
    assert set(FUNCTIONS) <= set(PIN_OF_GPIO)


def test_uarts_are_numbered_otherwise_on_a_pi_5_than_on_a_pi_4() -> None:
    assert UARTS["raspberry-pi-4"]["uart3"].tx_gpio == UARTS["raspberry-pi-5"]["uart2"].tx_gpio == 4
    assert UARTS["raspberry-pi-5"]["uart2"].config == ("dtoverlay=uart2-pi5",)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def toml(value: object) -> str:
    """Just enough of a TOML writer for what the strategy above makes."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08X}" for c in value if not 0xD800 <= ord(c) < 0xE000) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return "0" if value is None else repr(value)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["format", "name", "wires", "devices", "relay", "odd"]), VALUES))
def test_any_toml_is_a_board_or_an_input_error(table: dict[str, object]) -> None:
    text = "".join(f"{key} = {toml(value)}\n" for key, value in table.items())
    with pytest.raises(InputError):  # no such table is a whole board: title, model and more are missing
        parse_board(text, "x.toml")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_board_or_an_input_error(text: str) -> None:
    with pytest.raises(InputError):
        parse_board(text, "x.toml")


LINES = (CATALOG / "kanalpromenade-lamp.toml").read_text().splitlines(keepends=True)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, len(LINES) - 1), max_size=4), st.lists(st.integers(0, len(LINES) - 1), max_size=2))
def test_a_good_file_with_lines_lost_or_doubled_is_a_board_or_an_input_error(lost: list[int], twice: list[int]) -> None:
    text = "".join(line * (2 if n in twice else 0 if n in lost else 1) for n, line in enumerate(LINES))
    try:
        board = parse_board(text, "x.toml")
    except InputError as error:
        said = str(error)
    else:
        said = "x.toml: fine"
        assert set(contents(board)) == set(board.wires)
    assert said.startswith("x.toml: ")
