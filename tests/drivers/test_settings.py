"""Settings files: what is wrong is said with the file, the place, and the mend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import InputError
from drivers.settings import explain, load_toml, parse_toml


class Lamp(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A table in a list."""

    pwm_hz: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    next_lamp: Lamp | None = None


class Site(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"length_m": "length-m"}):
    """A whole file."""

    name: str
    lamps: list[Lamp] = []
    by_name: dict[str, Lamp] = {}
    length_m: int = 0


def refused(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_toml(text, Site, "my.toml")
    return str(caught.value)


def test_a_right_file_becomes_its_struct(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('name = "Kanal"\nlength-m = 7\n[[lamps]]\npwm_hz = 5\n', encoding="utf-8")
    assert load_toml(path, Site) == Site("Kanal", [Lamp(5)], {}, 7)


def test_an_unknown_key_is_told_with_its_place_and_the_nearest_known() -> None:
    assert refused('name = "a"\n[[lamps]]\npwm_hs = 5') == (
        "my.toml: $.lamps[0]: unknown key `pwm_hs`; did you mean `pwm_hz`?"
    )
    assert refused('name = "a"\nlength_m = 5') == "my.toml: $: unknown key `length_m`; did you mean `length-m`?"


def test_an_unknown_key_near_to_none_is_told_with_all_known() -> None:
    assert refused('name = "a"\nxyzzy = 5') == (
        "my.toml: $: unknown key `xyzzy`; known keys: by_name, lamps, length-m, name, next_lamp, pwm_hz"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 5", "$.name: expected `str`, got `int`"),
        ("", "$: object missing required field `name`"),
        ('name = "a"\n[by_name.x]\npwm_hz = 0', "$.by_name[...].pwm_hz: expected `int` >= 1"),
        (
            'name = "a"\n[[lamps]]\n[lamps.next_lamp]\npwm_hz = 1001',
            "$.lamps[0].next_lamp.pwm_hz: expected `int` <= 1000",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_place_and_what_was_expected(text: str, said: str) -> None:
    assert refused(text) == f"my.toml: {said}"


def test_a_fault_of_syntax_is_told_with_its_line() -> None:
    said = refused('name = "a"\nlength-m =\n')
    assert said.startswith("my.toml: not TOML: ")
    assert "line 2" in said


@pytest.mark.parametrize("text", ["a = " + "[" * 20_000, "a = " + "9" * 5_000, "a = 0x" + "f" * 20_000, "a = \x00"])
def test_a_file_made_to_break_a_reader_is_refused_in_one_line(text: str) -> None:
    said = refused(text)
    assert said.startswith("my.toml: ")
    assert len(said) < 200
    assert "\n" not in said


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["name", " = ", '"a"', "[[lamps]]", "\n", "1", "{", "."])).map("".join)
)
def test_any_text_is_a_site_or_an_input_error(text: str) -> None:
    said = "my.toml: "
    try:
        assert isinstance(parse_toml(text, Site, "my.toml"), Site)
    except InputError as error:
        said = str(error)
    assert said.startswith("my.toml: ")


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'name = "M\xfcnster"')
    for path, reason in ((tmp_path / "none.toml", "No such file or directory"), (latin, "it is not UTF-8 text")):
        with pytest.raises(InputError) as caught:
            load_toml(path, Site)
        assert str(caught.value) == f"{path}: cannot be read: {reason}"
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        load_toml(tmp_path, Site)


def test_a_fault_without_a_place_is_one_of_the_whole_file() -> None:
    assert explain("Expected `object`, got `array`", Site) == "$: expected `object`, got `array`"


class Hour(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A table with words and a pattern."""

    light: Literal["off", "lit"] = "lit"
    at: Annotated[str, msgspec.Meta(pattern=r"^\d\d:\d\d$", description="a time like 05:30")] | None = None
    plain: Annotated[str, msgspec.Meta(pattern="^x$")] = "x"


class Day(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Hours in a list, and by name."""

    hours: tuple[Hour, ...] = ()
    named: dict[str, Hour] = {}
    either: str | Hour = "a"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[hours]]\nlight = "bright"', "$.hours[0].light: invalid enum value 'bright'; known: lit, off"),
        ('[[hours]]\nat = "5:30"', "$.hours[0].at: expected a time like 05:30"),
        ('[named.noon]\nat = "noon"', "$.named[...].at: expected a time like 05:30"),
        ('[either]\nat = "noon"', "$.either.at: expected a time like 05:30"),
        ("[[hours]]\nat = 05:30:00", "$.hours[0].at: expected `str | null`, got `time`"),
        ('[[hours]]\nplain = "y"', "$.hours[0].plain: expected `str` matching regex '^x$'"),
    ],
)
def test_a_wrong_word_is_told_with_those_that_are_right_and_a_pattern_in_words(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_toml(text, Day, "my.toml")
    assert str(caught.value) == f"my.toml: {says}"
