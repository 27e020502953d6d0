"""The tool that compares digests between machines: what it asks for, what is a difference to it, what it refuses."""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.build import load_board
from boards.wires import UartWire
from controllers.service.sites import load_site

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / "tools"
DIGEST, OTHER = "a" * 64, "b" * 64


def tool(name: str) -> ModuleType:
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(TOOLS))


same_digest, root_folders, field_recording = map(tool, ("same_digest", "root_folders", "field_recording"))
VARIANT = same_digest.Variant("0", 1, True)


def result(subject: str, place: str, digest: str, said: str = "") -> object:
    return same_digest.Result(subject, place, VARIANT, 1.0, digest, said)


def test_every_variant_is_every_combination_and_the_few_name_each_value_once() -> None:
    assert len(set(same_digest.variants(every=True, cores_here=2))) == 12
    few = same_digest.variants(every=False, cores_here=2)
    assert len(few) == 3
    assert {one.seed for one in few} == {"0", "1", "random"}
    assert {one.cores for one in few} == {1, 2}
    assert {one.skipping for one in few} == {True, False}


@given(st.integers(1, 64), st.booleans())
def test_no_variant_asks_for_more_cores_than_there_are(cores: int, every: bool) -> None:
    assert all(1 <= one.cores <= min(cores, 2) for one in same_digest.variants(every=every, cores_here=cores))


def test_the_digest_of_a_run_is_in_the_object_it_ends_with() -> None:
    assert same_digest.digest_in(f'note: x\n{{"files": [{{"digest": "{OTHER}"}}], "digest": "{DIGEST}"}}\n') == DIGEST
    for none in ("", "\n", DIGEST, "[]", '{"verdict": "passed"}', f'{{"digest": "{DIGEST}"}}\nbroken'):
        assert same_digest.digest_in(none) == ""


def test_one_digest_is_no_fault_and_is_summed_up() -> None:
    results = [result("case", "here", DIGEST), result("case", "trixie-arm64", DIGEST)]
    assert same_digest.faults(results) == []
    assert same_digest.summary(results) == [f"case: one digest, 2 runs on 2 machines: {DIGEST}"]


def test_digests_of_two_subjects_are_not_compared() -> None:
    assert same_digest.faults([result("one", "here", DIGEST), result("two", "here", OTHER)]) == []


def test_a_second_digest_is_a_fault_that_names_where_it_is() -> None:
    results = [result("case", "here", DIGEST), result("case", "trixie-arm64", OTHER)]
    head, *where = same_digest.faults(results)
    assert head == "case: 2 digests"
    assert where[1] == f"  {OTHER[:16]}: trixie-arm64 (seed 0, 1 core, skipping)"
    assert same_digest.summary(results) == []


def test_a_run_that_failed_is_a_fault_with_its_last_words() -> None:
    results = [result("case", "here", DIGEST), result("case", "trixie-arm64", "", "no such part")]
    assert same_digest.faults(results) == ["case on trixie-arm64 (seed 0, 1 core, skipping): failed: no such part"]
    assert same_digest.summary(results) == []


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "source", tmp_path / "target"
    for name in ("one.py", "deep/two.py", "deep/__pycache__/two.pyc"):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return source, target


def test_a_mirror_brings_what_is_new_and_takes_what_is_gone_but_nothing_compiled(folders: tuple[Path, Path]) -> None:
    source, target = folders
    same_digest.mirror(source, target)
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*.py*")) == ["deep/two.py", "one.py"]
    compiled = target / "deep/two.pyc"
    compiled.write_text("kept")
    kept = (target / "deep/two.py").stat().st_mtime_ns
    (source / "one.py").unlink()
    (source / "three.py").write_text("three")
    same_digest.mirror(source, target)
    assert not (target / "one.py").exists()
    assert (target / "three.py").read_text() == "three"
    assert compiled.exists()
    assert (target / "deep/two.py").stat().st_mtime_ns == kept


def test_a_change_of_the_same_length_and_age_is_brought_as_well(folders: tuple[Path, Path]) -> None:
    source, target = folders
    same_digest.mirror(source, target)
    age = (source / "one.py").stat()
    (source / "one.py").write_text("eno.py")
    os.utime(source / "one.py", ns=(age.st_atime_ns, age.st_mtime_ns))
    same_digest.mirror(source, target)
    assert (target / "one.py").read_text() == "eno.py"


def test_the_mirror_is_that_of_debian_itself_and_not_of_its_security_archive() -> None:
    lines = [
        "s/|Packages|Debian|Debian-Security|main",
        "n/|Packages|Node Source|Node Source|main",
        "c/|Packages|Debian|Debian|contrib",
        "d/|Sources|Debian|Debian|main",
        "d/|Packages|Debian|Debian|main",
    ]
    assert root_folders.debian_source("\n".join(lines)) == "d/"
    with pytest.raises(root_folders.RefusedError, match="no mirror of Debian"):
        root_folders.debian_source("\n".join(lines[:-1]))


def test_packages_are_those_asked_for_and_what_they_ask_for_on_that_machine() -> None:
    requires = {
        "a": ["B-b>=1", "never; sys_platform == 'win32'", "old; python_version < '3.12'", "x; extra == 'more'"],
        "b-b": ["a", "c"],
    }
    on = {machine.name: machine for machine in root_folders.MACHINES}
    for name, extra in (("trixie-arm64", set()), ("bookworm-arm64", {"old"})):
        assert root_folders.closure(["a>1"], requires, root_folders.markers(on[name])) == {"a", "b-b", "c"} | extra


def test_what_runs_there_needs_no_tool_of_ours_and_all_we_depend_on() -> None:
    names = {one.requirement.name for one in root_folders.needed(root_folders.MACHINES[0])}
    assert {"mcap", "msgspec", "zstandard", "crcmod"} <= names
    assert not names & {"pytest", "mypy", "ruff", "hypothesis"}


def test_a_folder_is_kept_only_for_the_machine_and_the_recipe_it_was_made_from() -> None:
    stamps = {root_folders.stamp(machine) for machine in root_folders.MACHINES}
    assert len(stamps) == len(root_folders.MACHINES) == 4


def test_without_root_the_other_machines_are_refused_and_this_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "need root" in root_folders.lacking(list(root_folders.MACHINES))
    assert root_folders.lacking([]) == ""


def test_programs_that_are_missing_are_named_by_their_debian_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(root_folders.shutil, "which", lambda name: None if "qemu" in name else name)
    foreign = next(machine for machine in root_folders.MACHINES if machine.emulator)
    own = next(machine for machine in root_folders.MACHINES if not machine.emulator)
    assert root_folders.lacking([own, foreign]) == "missing here: apt-get install qemu-user-static"
    assert root_folders.lacking([own]) == ""


def program(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOLS / "same_digest.py"), "--machine", "here", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


@pytest.mark.long
def test_here_alone_a_case_has_one_digest_in_twelve_runs() -> None:
    done = program("kanalpromenade-evening", "--seconds", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    cores = len(os.sched_getaffinity(0))
    runs = 12 if cores > 1 else 6
    assert f"kanalpromenade-evening: one digest, {runs} runs on 1 machines: " in done.stdout


def test_a_recording_that_is_not_there_is_wrong_use() -> None:
    done = program("none.mcap")
    assert (done.returncode, done.stderr) == (2, "none.mcap: no such recording\n")


@pytest.mark.long
def test_a_run_that_fails_is_told_with_its_reason_and_exit_code_1() -> None:
    done = program("no-such-case")
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "wrong: no-such-case on here (seed 0, 1 core, skipping): failed:" in done.stdout


@pytest.mark.parametrize("kind", field_recording.KINDS)
def test_boards_that_are_recorded_are_right_and_have_a_far_end_at_every_serial_wire(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board_text, site_text, far_ends = field_recording.KINDS[kind]
    board, site = tmp_path / field_recording.BOARD_FILE, tmp_path / "site.toml"
    board.write_text(board_text.format(**{name: f"/dev/{name}" for name in far_ends}))
    site.write_text(site_text)
    monkeypatch.chdir(tmp_path)
    wires = load_board(board.name).wires
    assert {name for name, wire in wires.items() if isinstance(wire, UartWire)} == far_ends.keys()
    assert load_site(site.name).name == kind


def test_on_the_recorded_path_somebody_rides_and_then_nobody() -> None:
    rides = [field_recording._ride(number) for number in range(60)]
    assert all(one.end_ns < other.start_ns for one, other in itertools.pairwise(rides))
    assert {one.segments[0].v_mm_s > 0 for one in rides} == {True, False}
