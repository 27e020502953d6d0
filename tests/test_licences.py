"""docs/licences.md names every package of requirements.lock, and the code keeps to what it says."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("drivers", "boards", "controllers", "hil")
LOCK = (ROOT / "requirements.lock").read_text()
COPYLEFT = re.compile(r"\b(?:[AL]?GPL|MPL|EPL|EUPL)-")
AS_A_LIBRARY = {"python-dali"}
"""Under the LGPL and needed at run time: imported as it comes, so that anybody may put another version in its place."""


def locked() -> dict[str, str]:
    return dict(re.findall(r"(?m)^([a-z0-9][a-z0-9.-]*)==(\S+)", LOCK))


def table() -> dict[str, tuple[str, str, str]]:
    """Package -> (version, licence, use)."""
    text = (ROOT / "docs" / "licences.md").read_text()
    rows = re.findall(r"(?m)^\| `([^`]+)` \| (\S+) \| ([^|]+?) \| (runtime|development) \|", text)
    assert len({row[0] for row in rows}) == len(rows), "a package stands twice in the table"
    return {name: (version, licence, use) for name, version, licence, use in rows}


def runtime() -> set[str]:
    """What an installed Leeze needs: its own dependencies, and theirs, by the lock's `# via` lines."""
    needed_by: dict[str, set[str]] = {}
    for block in re.split(r"(?m)^(?=[a-z0-9])", LOCK)[1:]:
        name = block.partition("==")[0]
        needed_by[name] = set(re.findall(r"(?m)^ +#(?: +via)? +(.+)$", block)) - {"via"}
    found: set[str] = set()
    while more := {name for name, by in needed_by.items() if by & (found | {"leeze (pyproject.toml)"})} - found:
        found |= more
    return found


def imported(path: Path) -> set[str]:
    """Top-level names of all absolute imports of a file, also of the late ones."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").partition(".")[0])
    return names


def test_every_locked_package_stands_in_the_table_and_nothing_else() -> None:
    assert set(table()) == set(locked())


def test_the_table_has_the_locked_versions() -> None:
    assert {name: row[0] for name, row in table().items()} == locked()


def test_the_table_knows_what_an_installed_leeze_needs() -> None:
    assert {name for name, row in table().items() if row[2] == "runtime"} == runtime()


def copyleft(licence: str) -> bool:
    """With no permissive licence to choose in its place."""
    return all(COPYLEFT.search(choice) for choice in licence.split(" OR "))


def test_no_package_under_a_copyleft_licence_is_needed_at_run_time_but_as_a_library_under_the_lgpl() -> None:
    needed = {name: row[1] for name, row in table().items() if row[2] == "runtime" and copyleft(row[1])}
    assert set(needed) == AS_A_LIBRARY
    assert all(licence.startswith("LGPL-") for licence in needed.values())


def test_a_choice_of_licences_is_copyleft_only_where_all_of_them_are() -> None:
    assert copyleft("LGPL-2.1-or-later OR MPL-2.0")
    assert not copyleft("EPL-2.0 OR BSD-3-Clause")


def test_every_package_of_the_extras_has_its_licence_stated() -> None:
    text = (ROOT / "docs" / "licences.md").read_text()
    stated = dict(re.findall(r"(?m)^\| `([^`]+)` \| \S+ \| ((?:`pi5?`(?:, )?)+) \|", text))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted: dict[str, list[str]] = {}
    for extra, lines in extras.items():
        for line in lines:
            wanted.setdefault(re.split("[<>=]", line)[0], []).append(f"`{extra}`")
    assert stated == {name: ", ".join(names) for name, names in wanted.items()}


def test_the_table_says_what_the_installed_packages_say_of_themselves() -> None:
    differs = {}
    for name, (_, licence, _) in table().items():
        try:
            metadata = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # locked for another system
        for stated in metadata.get_all("License-Expression") or []:
            if stated != licence:
                differs[name] = (licence, stated)
    assert differs == {}


def test_the_packages_import_nothing_that_is_for_development_only() -> None:
    top_level = importlib.metadata.packages_distributions()
    allowed = runtime()
    strange = []
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        plugin = {"pytest"} if path.match("hil/pytest_*.py") else set()  # whoever loads a plugin has what it plugs into
        for name in imported(path) - set(sys.stdlib_module_names) - set(PACKAGES) - plugin:
            known = top_level.get(name, [name])
            if not {re.sub("[-_.]+", "-", each).lower() for each in known} & allowed:
                strange.append(f"{path.relative_to(ROOT)}: {name}")
    assert strange == []


def test_the_project_is_under_the_eupl() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "EUPL-1.2"
    assert (ROOT / "LICENSE").read_text().startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2")
    assert re.search(r"(?m)^  license: EUPL-1\.2$", (ROOT / "publiccode.yml").read_text())
