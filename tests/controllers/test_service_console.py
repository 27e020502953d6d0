"""Lines on stderr: with a priority for the journal, and never a reason to wait."""

from __future__ import annotations

import fcntl
import os
import re
import select

from controllers.service.console import Console, Urgent


def read_all(fd: int) -> str:
    data = b""
    while select.select([fd], [], [], 0)[0] and (more := os.read(fd, 65536)):
        data += more
    return data.decode()


def test_the_journal_gets_a_priority_before_each_line_and_others_do_not() -> None:
    for is_journal in (True, False):
        near, far = os.pipe()
        there = os.fstat(far)
        stream = f"{there.st_dev}:{there.st_ino + (not is_journal)}"
        console = Console({"JOURNAL_STREAM": stream}, far)
        console.say("well")
        console.say(Urgent("wire: gone\nlook at it"))
        console.close()
        console.close()
        os.close(far)
        said = read_all(near)
        os.close(near)
        assert said == ("<6>well\n<4>wire: gone\n<4>look at it\n" if is_journal else "well\nwire: gone\nlook at it\n")


def test_a_reader_that_is_slow_costs_lines_that_are_counted_and_told_of() -> None:
    near, far = os.pipe()
    fcntl.fcntl(far, fcntl.F_SETPIPE_SZ, 4096)
    console = Console({}, far, limit=8)
    for number in range(200):
        console.say(f"{number} {'x' * 1000}")
    assert console.dropped >= 200 - 2 * 8 - 6, "none of these waited"
    said, told = "", 0
    while not told or told != console.dropped:
        assert select.select([near], [], [], 60)[0]
        said += read_all(near)
        console.say("again")
        told = sum(int(number) for number in re.findall(r"(?m)^(\d+) lines dropped: stderr is slow$", said))
    assert said.startswith("0 x")
    console.close()
    os.close(far)
    os.close(near)


def test_a_reader_that_went_away_ends_nothing() -> None:
    near, far = os.pipe()
    os.close(near)
    console = Console({}, far)
    console.say("is anybody there?")
    console.close()
    os.close(far)
    assert console.dropped == 0


def test_a_closed_stderr_is_no_journal_and_no_fault() -> None:
    near, far = os.pipe()
    os.close(near)
    os.close(far)
    console = Console({"JOURNAL_STREAM": "1:2"}, far)
    console.close()
    assert console.figures() == {"dropped": 0, "journal": False}
