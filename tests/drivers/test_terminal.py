from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.errors import BenchError, InputError, LinkLost
from drivers.terminal import run

ROOT = Path(__file__).parents[2]


def failing(error: BaseException) -> int:
    def main(argv: list[str]) -> int:
        raise error

    return run(main, [])


@pytest.mark.parametrize("code", [0, 1])
def test_the_code_of_a_run_is_handed_on(code: int) -> None:
    assert run(lambda argv: code, []) == code


def test_the_command_line_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", ["leeze", "own"])
    for argv in (("given",), None):
        run(lambda words: seen.append(words) or 0, argv)
    assert seen == [["given"], ["own"]]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("my.toml: $.name: wrong"), 2, "error: my.toml: $.name: wrong\n"),
        (InputError("a\nb"), 2, "error: a\nerror: b\n"),
        (InputError(), 2, "error: \n"),
        (BenchError("no port"), 3, "error: no port\n"),
        (LinkLost("radar-1", 5, "unplugged", b"\xf4"), 3, "error: radar-1: unplugged [f4]\n"),
        (PermissionError(errno.EACCES, "Permission denied", "out.html"), 2, "error: out.html: Permission denied\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
        (SystemExit(2), 2, ""),
        (SystemExit(), 0, ""),
        (SystemExit("words"), 2, ""),
    ],
)
def test_every_end_has_its_exit_code_and_at_most_a_line_of_error(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(error) == code
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("error", [ValueError("a fault of ours"), OSError(errno.EIO, "no file")])
def test_a_fault_of_ours_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        failing(error)


def test_a_reader_that_goes_away_ends_the_run_quietly() -> None:
    program = "import sys; from drivers.terminal import run; sys.exit(run(lambda a: print('x' * 99) or 0, []))"
    ran = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert ran.stdout is not None
    ran.stdout.close()
    assert ran.stderr is not None
    with ran.stderr:
        assert ran.stderr.read() == ""
    assert ran.wait(timeout=60) == 141
