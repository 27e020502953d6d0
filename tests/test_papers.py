"""What the papers print exists: links, paths, commands with their options, targets of make, decisions, versions."""

from __future__ import annotations

import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAPERS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "hil" / "cases").rglob("*.md")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SCRIPTS: dict[str, str] = PROJECT["scripts"]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))

PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b|[<>…*]")
"""NAME, FILE and the like stand for something of the reader's."""


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def printed_commands(paper: Path) -> Iterator[str]:
    """Lines of code blocks that call one of our commands, without comment and without what a pipe goes on to."""
    fenced = False
    for line in paper.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            command = re.sub(r"^\s*(?:\$ )?(?:\w+=\S+ )*(?:\.venv/bin/)?", "", line)
            if command.split(" ")[0] in SCRIPTS and not re.match(r"[\w-]+:", command):
                yield re.split(r"\s#|\s[|>&]|\s\\$", command)[0]


COMMANDS = [(named(paper), command) for paper in PAPERS for command in printed_commands(paper)]


def test_the_papers_print_commands() -> None:
    assert {command.split()[0] for _, command in COMMANDS} == set(SCRIPTS)


@pytest.mark.parametrize("paper", PAPERS, ids=named)
def test_every_link_between_papers_leads_somewhere(paper: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", paper.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (paper.parent / link).exists()] == []


@pytest.mark.parametrize("paper", PAPERS, ids=named)
def test_every_path_a_paper_names_exists(paper: Path) -> None:
    paths = re.findall(r"`((?:drivers|boards|controllers|hil|tests|docs|tools)/[^`\s]+)`", paper.read_text("utf-8"))
    assert [path for path in paths if not PLACEHOLDER.search(path) and not (ROOT / path).exists()] == []


@pytest.mark.parametrize(("paper", "command"), COMMANDS)
def test_every_command_a_paper_prints_exists_with_its_options(
    paper: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asks the verb, or the verb below it, for its help; and looks for every option in what it says."""
    script, *words = shlex.split(command)
    module, _, function = SCRIPTS[script].partition(":")
    main = getattr(importlib.import_module(module), function)
    depth = 2 if words[:1] in (["import"], ["trace"], ["blackbox"], ["traffic"], ["rig"]) else 1
    assert main([*words[:depth], "--help"]) == 0, f"{paper}: {command}"
    said = capsys.readouterr().out
    options = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    assert [option for option in options if not re.search(rf"{option}\b", said)] == [], f"{paper}: {command}"


def test_every_target_of_make_that_a_paper_names_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    asked = {
        target
        for paper in PAPERS
        for target in re.findall(r"(?m)(?:`|^    )(?:\w+=\S+ )?make ([a-z-]+)", paper.read_text("utf-8"))
    }
    assert {"setup", "test", "demo", "bench"} <= asked <= targets


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    assert re.findall(r"\]\((\d{4}-[^)]+)\)", index) == [path.name for path in DECISIONS]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_context_decision_and_consequences(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    title = re.match(r"# (\d{4}) \S", text)
    assert title is not None
    assert title[1] == path.name[:4]
    assert re.findall(r"(?m)^## (.+)$", text) == ["Context", "Decision", "Consequences"]


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    newest = re.search(r"(?m)^## (.+)$", (ROOT / "docs" / "changelog.md").read_text())
    assert newest is not None
    assert PROJECT["version"] in newest[1]
