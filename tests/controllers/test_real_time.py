"""Real-time steps: in their order, each done or with the reason why not; in processes of their own, for they last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from controllers.service import real_time
from controllers.service.real_time import Step, set_up

ROOT = Path(__file__).parents[2]

LOOK = """
import gc, json, os, sys, threading
from controllers.service.real_time import set_up
if sys.argv[3:]:
    os.setresuid(65534, 65534, 65534)
steps = set_up(int(sys.argv[1]), None if sys.argv[2] == "-" else int(sys.argv[2]))
found = {"steps": [[step.step, step.done, step.why] for step in steps]}
later = {}
def look():
    later["scheduler"] = os.sched_getscheduler(0)
thread = threading.Thread(target=look)
thread.start()
thread.join()
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
found |= {
    "scheduler": os.sched_getscheduler(0), "later": later["scheduler"], "cpus": sorted(os.sched_getaffinity(0)),
    "collects": gc.isenabled(), "frozen": gc.get_freeze_count(),
    "locked_kb": int(status["VmLck"].split()[0]), "slack_ns": int(open("/proc/self/timerslack_ns").read()),
}
print(json.dumps(found))
"""


def look(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *words], cwd=ROOT, capture_output=True, text=True, timeout=100, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    found["by_name"] = {name: (finished, why) for name, finished, why in found["steps"]}
    return found


def test_every_step_is_reported_in_its_order_and_does_what_it_says() -> None:
    found = look("50", str(min(os.sched_getaffinity(0))))
    assert [name for name, _, _ in found["steps"]] == [
        "memory",
        "timer slack",
        "garbage collector",
        "affinity",
        "scheduler",
    ]
    assert all(why for _, _, why in found["steps"])
    steps = found["by_name"]
    assert (found["locked_kb"] > 0) == steps["memory"][0]
    assert (found["slack_ns"] <= 1) == steps["timer slack"][0]  # 0 where the scheduler has said so already
    assert steps["garbage collector"][0]
    assert not found["collects"]
    assert found["frozen"] > 1000
    assert found["cpus"] == [min(os.sched_getaffinity(0))]
    assert (found["scheduler"] & os.SCHED_FIFO == os.SCHED_FIFO) == steps["scheduler"][0]


def test_a_thread_made_later_is_an_ordinary_one() -> None:
    assert look("50", "-")["later"] == os.SCHED_OTHER


def test_what_is_not_asked_for_is_left_alone_and_said() -> None:
    found = look("0", "-")
    assert found["by_name"]["scheduler"] == (False, "no priority asked for")
    assert found["by_name"]["affinity"] == (False, "no CPU asked for")
    assert found["scheduler"] == os.SCHED_OTHER


def test_a_cpu_that_is_not_there_is_a_reason_and_no_error() -> None:
    assert look("0", "4000")["by_name"]["affinity"] == (False, "Invalid argument")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_plain_user_is_told_what_is_missing_and_runs_all_the_same() -> None:
    steps = look("50", "-", "plain")["by_name"]
    assert steps["scheduler"] == (False, "Operation not permitted; wants CAP_SYS_NICE or LimitRTPRIO")
    assert steps["memory"][0] is False
    assert steps["memory"][1].endswith("; wants CAP_IPC_LOCK or LimitMEMLOCK=infinity")
    assert steps["timer slack"][0]
    assert steps["garbage collector"][0]


def test_a_kernel_that_refuses_everything_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object) -> str:
        raise PermissionError(1, "Operation not permitted")

    for name in ("_lock_memory", "_timer_slack", "_put_off_garbage", "_stay_on", "_run_first"):
        monkeypatch.setattr(real_time, name, refuse)
    steps = set_up()
    assert len(steps) == 5
    assert not any(step.done for step in steps)
    assert steps[1] == Step("timer slack", False, "Operation not permitted")
