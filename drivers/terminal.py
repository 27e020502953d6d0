"""What all four commands share: how a run ends. Exit codes and one line on stderr; never a traceback for bad input.

0 fine, 1 the thing under test failed, 2 wrong use or bad input, 3 the bench is broken, 130 interrupted by Ctrl-C,
141 the reader of our output went away (128 + SIGPIPE, as a shell would say).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from drivers.errors import BenchError, DriverError, InputError

INTERRUPTED = 130
READER_GONE = 141


Verb = Callable[[argparse.Namespace], int]
"""What a verb does with the parsed words; gives the exit code."""


def add_verb(verbs: Any, name: str, call: Verb, about: str, example: str, **more: Any) -> argparse.ArgumentParser:
    """A verb of a command, with one line of help and an example; `verbs` is what ``add_subparsers`` gave.

    `call` is run by `run_verb`; `more` are further defaults. Returns the verb's parser, for its arguments.
    """
    added: argparse.ArgumentParser = verbs.add_parser(name, help=about, description=about, epilog=f"Example: {example}")
    added.set_defaults(verb=call, **more)
    return added


def columns() -> int:
    """How wide a table may be: the terminal's columns (or COLUMNS), e.g. 80; 1000 for a file or a pipe."""
    from shutil import get_terminal_size

    return get_terminal_size((1_000, 24)).columns


def run_verb(parser: Callable[[], argparse.ArgumentParser], argv: Sequence[str] | None = None) -> int:
    """A whole command: parse the words, run the verb they name, end as `run` says."""
    return run(partial(_verb, parser), argv)


def _verb(parser: Callable[[], argparse.ArgumentParser], argv: list[str]) -> int:
    said = parser().parse_args(argv)
    return int(said.verb(said))


def run(main: Callable[[list[str]], int], argv: Sequence[str] | None = None) -> int:
    """Call `main` with the command line (`argv`, or the process's own) and give its exit code.

    ``error: …`` goes to stderr for InputError and files that cannot be used (2), BenchError and DriverError (3). An
    argparse exit (2 for wrong use, 0 for --help) becomes the return value. Example, at the end of a cli module::

        def main(argv: Sequence[str] | None = None) -> int:
            return run(_main, argv)
    """
    try:
        code = main(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()  # so that a closed pipe is noticed here and not while Python shuts down
    except (InputError, BenchError, DriverError) as error:
        return _refuse(str(error), error.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _let_go_of_stdout()
        return READER_GONE
    except OSError as error:
        if error.filename is None:  # no file of the user's: a fault of ours, which keeps its traceback
            raise
        return _refuse(f"{os.fsdecode(error.filename)}: {error.strerror}", InputError.exit_code)
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else InputError.exit_code if leave.code else 0
    return code


def _refuse(text: str, exit_code: int) -> int:
    for line in text.splitlines() or [""]:
        sys.stderr.write(f"error: {line}\n")
    return exit_code


def _let_go_of_stdout() -> None:
    """Point stdout at nothing, or Python complains once more when it flushes at exit."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
    except (OSError, ValueError):  # stdout is not a file (a test's capture, an embedding)
        return


def status_line(text: str) -> None:
    """One line that is written over, where somebody looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM ask to stop, so that what was recorded is closed and everything let go of."""
    asked = [False]

    def ask(number: int, frame: FrameType | None) -> None:
        asked[0] = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked[0]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
