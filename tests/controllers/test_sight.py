"""`check` holds what the site believes of a radar against how its board sets it up."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from boards.load import load_board
from controllers.cli import main
from controllers.lighting.site import LightingSite
from controllers.service.sight import sight_warnings
from controllers.service.sites import load_site, shipped

LAPTOP = (Path(str(files("boards"))) / "catalog" / "kanalpromenade-lamp-laptop.toml").read_text()
RADAR = 'part = "ld2451"\nwire = "radar-2"\n'


def on(folder: Path, keys: str) -> list[str]:
    """The warnings of the reference site on a board whose second radar is `keys`."""
    assert LAPTOP.count(RADAR) == 1
    board = folder / "mine.toml"
    board.write_text(LAPTOP.replace(RADAR, f'{keys}\nwire = "radar-2"\n').replace("kanalpromenade-lamp-laptop", "mine"))
    load_board(str(board))
    site = load_site("kanalpromenade-reference")
    assert isinstance(site, LightingSite)
    return [line for line in sight_warnings(site, str(board)) if line.startswith("$.controllers[0]")]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (
            'part = "ld2451"\nrange_m = 39',
            ".range_m: 40 m, but radar-2 of board mine looks 39 m far; write the same in both",
        ),
        (
            'part = "ld2451"\ndirection = "approach"',
            ": radar-2 of board mine tells of one way only (approach); let its",
        ),
        ('part = "ld2451"\nmin_speed_kmh = 5', ": radar-2 of board mine tells of nobody slower than 5 km/h; who walks"),
        (
            'part = "kld7"\nrange_m = 100\nfar_pct = 30',
            ".range_m: 40 m, but radar-2 of board mine looks 30 m far; write",
        ),
        (
            'part = "kld7"\nrange_m = 100\ndirection = "inbound"',
            ": radar-2 of board mine tells of one way only (inbound)",
        ),
        ('part = "ops243"\nleast_speed = 2', ": radar-2 of board mine tells of nobody slower than 7.2 km/h; who walks"),
        (
            'part = "ops243"\nunit = "km/h"\nleast_speed = 5',
            ": radar-2 of board mine tells of nobody slower than 5 km/h",
        ),
    ],
)
def test_a_radar_that_sees_less_than_the_site_believes_is_told(keys: str, says: str, tmp_path: Path) -> None:
    (line,) = on(tmp_path, keys)
    assert line.startswith(f"$.controllers[0].radars[1]{says}")


@pytest.mark.parametrize(
    "keys",
    [
        'part = "ld2451"',
        'part = "ld2451"\nrange_m = 40\ndirection = "both"\nmin_speed_kmh = 4',
        'part = "kld7"\nrange_m = 100\nfar_pct = 40',
        'part = "ops243"\nleast_speed = 1',
        'part = "ops243"\nunit = "km/h"\nleast_speed = 4',
    ],
)
def test_one_that_sees_as_much_is_not(keys: str, tmp_path: Path) -> None:
    assert on(tmp_path, keys) == []


def test_check_prints_it_and_shipped_sites_have_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in shipped():
        assert main(["check", "--site", name]) == 0
    assert "warning" not in capsys.readouterr().out
    board = tmp_path / "mine.toml"
    board.write_text(LAPTOP.replace(RADAR, RADAR + 'direction = "away"\n'))
    assert main(["check", "--site", "kanalpromenade-reference", "--board", str(board)]) == 0
    said = capsys.readouterr().out
    assert "kanalpromenade-reference: warning: $.controllers[0].radars[1]: radar-2 of board" in said
