"""Mutants by mutmut, each tried in a fork of one process that has collected the tests once (see mutants.py).

mutmut writes a module that holds each function beside all its mutants. Such a module is loaded in the place of the
project's own, and in a fork the function gets the code of one mutant; so no call costs more than it does otherwise.
A first fork runs every test without any mutant and notes which functions it enters and what it costs; a mutant is then
tried on the tests that enter its function, the likely and cheap ones first, until one fails.
"""

from __future__ import annotations

import ast
import difflib
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import re
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest
from _pytest.runner import runtestprotocol

IMPORT = "from mutmut.mutation.trampoline import wrap_in_trampoline as _mutmut_mutated, MutantDict"
OWN = "from mutant_forks import in_its_place as _mutmut_mutated; MutantDict = dict"
SLOWER, MORE_S, STILL_S, MEMORY = 5, 2, 120, 4 << 30
"""A test may take five times its processor time and 2 s more, stand still for two minutes, and have 4 GiB."""


class Mutant(NamedTuple):
    """One change: which function, the lines that differ, and which of several mutants of it with just these lines."""

    file: str
    function: str
    change: str
    nth: int
    name: str


class Outcome(NamedTuple):
    """``killed``, ``endless`` (a test did not end), ``survived`` or ``untested``; and the test file that killed it."""

    mutant: Mutant
    state: str
    by: str


def in_its_place(mutants: dict[str, Any], is_classmethod: bool = False) -> Callable[[FunctionType], FunctionType]:
    """What a written module has in the place of mutmut's trampoline: the function stays as it is, and is noted."""

    def note(function: FunctionType) -> FunctionType:
        mutants["function"] = function
        return function

    return note


def module_name(file: str) -> str:
    """``controllers/core/sun.py`` is ``controllers.core.sun``."""
    return file.removesuffix(".py").replace("/", ".")


def written(path: Path) -> str:
    """The source of a module with all its mutants beside their functions."""
    from mutmut.mutation.file_mutation import mutate_file_contents

    code: str = mutate_file_contents(str(path), path.read_text("utf-8")).code
    return code.replace(IMPORT, OWN)


def mutants_in(code: str, file: str) -> list[Mutant]:
    """The mutants that stand in a written module."""
    lines = code.splitlines()
    texts: dict[str, list[str]] = {}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name:
            texts[node.name] = [line.strip() for line in lines[node.lineno : node.end_lineno]]
            texts[node.name].insert(0, re.sub(r"x\w+__mutmut_(\d+|orig)", "f", lines[node.lineno - 1].strip()))
    mutants, same = [], Counter[tuple[str, str]]()
    for name, text in texts.items():
        of = name.rpartition("__mutmut_")[0]
        if name.endswith("_orig"):
            continue
        difference = list(difflib.unified_diff(texts[of + "__mutmut_orig"], text, n=0, lineterm=""))[2:]
        change = "\n".join(f"{line[0]} {line[1:]}" for line in difference if line[0] in "+-")
        function = f"{module_name(file)}.{of.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"
        same[function, change] += 1
        mutants.append(Mutant(file, function, change, same[function, change], name))
    return mutants


class Loader(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads written modules in the place of the project's own."""

    def __init__(self, sources: dict[str, tuple[Path, str]]) -> None:
        self.sources = sources

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module that was written."""
        if name not in self.sources:
            return None
        return importlib.util.spec_from_file_location(name, self.sources[name][0], loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        path, code = self.sources[module.__name__]
        exec(compile(code, str(path), "exec"), module.__dict__)  # noqa: S102


class Forks:
    """A pytest plugin that tries mutants instead of running the tests. `told` gets each outcome."""

    def __init__(self, mutants: Sequence[Mutant], at_a_time: int, told: Callable[[Outcome], None]) -> None:
        self.mutants, self.at_a_time, self.told = mutants, at_a_time, told
        self.failing: list[str] = []
        self._pipe = -1

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        """Hypothesis: always the same examples, and a failing one is not made smaller."""
        from hypothesis import HealthCheck, Phase, settings

        settings.register_profile(
            "mutants", database=None, derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """A test has failed in a fork: that is all, and no time is lost on a report."""
        if self._pipe >= 0 and call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            os._exit(1)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Every mutant, once."""
        items = session.items
        gc.collect()
        gc.freeze()  # a fork shares what nobody writes to
        entered, costs, self.failing = self._first_run(items)
        kills: Counter[tuple[str, int]] = Counter()
        waiting, running = list(reversed(self.mutants)), dict[int, tuple[Mutant, int]]()
        try:
            while waiting or running:
                while waiting and len(running) < self.at_a_time:
                    mutant = waiting.pop()
                    function = mutant.name.rpartition("__mutmut_")[0]
                    chosen = entered.get(f"{mutant.file}:{function}", [])
                    # likely and cheap ones first
                    chosen.sort(key=lambda n: -(kills[mutant.function, n] + 0.1) / (costs[n] + 0.01))
                    if not chosen:
                        self.told(Outcome(mutant, "untested", ""))
                        continue
                    out, into = os.pipe()
                    pid = os.fork()
                    if pid == 0:
                        os.close(out)
                        self._try(mutant, [(n, items[n]) for n in chosen], costs, into)
                    os.close(into)
                    running[pid] = mutant, out
                if running:
                    pid, status = os.wait()
                    mutant, out = running.pop(pid)
                    begun = os.read(out, 1 << 16).split()
                    os.close(out)
                    killer = int(begun[-1])
                    if status:
                        kills[mutant.function, killer] += 1
                    state = "killed" if os.WIFEXITED(status) else "endless"
                    by = items[killer].nodeid.partition("::")[0]
                    self.told(Outcome(mutant, state, by) if status else Outcome(mutant, "survived", ""))
        finally:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
        return True

    def _first_run(self, items: list[pytest.Item]) -> tuple[dict[str, list[int]], list[float], list[str]]:
        """For each function the tests that enter it; seconds each test costs; tests that fail without any mutant."""
        out, into = os.pipe()
        if os.fork() == 0:
            try:
                with os.fdopen(into, "w") as pipe:
                    json.dump(_run_all(items), pipe)
            finally:
                os._exit(0)
        os.close(into)
        with os.fdopen(out) as pipe:
            told = json.load(pipe)
        os.wait()
        entered: dict[str, list[int]] = {}
        for n, (state, _, names) in enumerate(told):
            for name in names if state == "ran" else ():
                entered.setdefault(name, []).append(n)
        failing = [items[n].nodeid for n, (state, _, _) in enumerate(told) if state == "fails"]
        return entered, [cost for _, cost, _ in told], failing

    def _try(self, mutant: Mutant, chosen: list[tuple[int, pytest.Item]], costs: list[float], into: int) -> None:
        """In a fork: ends it with 1 where a test fails, 0 where none does; by a signal where one does not end."""
        self._pipe = into
        code = 1
        try:
            _silent()
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            _put(mutant)
            for at, (n, item) in enumerate(chosen):
                os.write(into, b"%d " % n)
                signal.setitimer(signal.ITIMER_PROF, costs[n] * SLOWER + MORE_S)
                signal.alarm(STILL_S)
                following = chosen[at + 1][1] if at + 1 < len(chosen) else None
                if any(report.failed for report in runtestprotocol(item, nextitem=following, log=False)):
                    break
            else:
                code = 0
        finally:
            os._exit(code)


def _functions() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each function that has mutants, as ``file:mangled name``, with them; of the modules that are loaded by now."""
    for module in [one for one in sys.modules.values() if isinstance(getattr(one, "__loader__", None), Loader)]:
        file = module.__name__.replace(".", "/") + ".py"
        for name, value in vars(module).items():
            if name.startswith("mutants_x") and name.endswith("__mutmut"):
                yield f"{file}:{name.removeprefix('mutants_').removesuffix('__mutmut')}", value


def _run_all(items: list[pytest.Item]) -> list[tuple[str, float, list[str]]]:
    """Run every test. For each: ``ran``, ``fails`` or neither (skipped); seconds; functions with mutants it entered."""
    _silent()
    seen, found = _noted(), []
    for item, following in zip(items, [*items[1:], None], strict=True):
        seen.clear()
        before_s = _used_s()
        reports = runtestprotocol(item, nextitem=following, log=False)
        state = "fails" if any(r.failed for r in reports) else "ran" if all(r.passed for r in reports) else ""
        found.append((state, _used_s() - before_s, sorted(seen)))
    return found


def _noted() -> set[str]:
    """From now on each function that has mutants notes in this set that it was entered, wherever it is known."""
    seen: set[str] = set()
    for where, mutants in list(_functions()):
        function = mutants["function"]
        same = FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
        )
        same.__kwdefaults__ = function.__kwdefaults__

        def enter(where: str, same: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
            seen.add(where)
            return same(*args, **named)

        function.__globals__.setdefault("_mutants_enter", enter)
        function.__globals__.setdefault("_mutants_same", {})[where] = same
        noting = eval(f"lambda *a, **k: _mutants_enter({where!r}, _mutants_same[{where!r}], a, k)")  # noqa: S307
        function.__code__ = noting.__code__.replace(co_freevars=function.__code__.co_freevars)
        function.__defaults__ = function.__kwdefaults__ = None
    return seen


def _put(mutant: Mutant) -> None:
    """The function gets the mutant's code and defaults, wherever it is known already."""
    name = mutant.name.rpartition("__mutmut_")[0]
    mutants = dict(_functions())[f"{mutant.file}:{name}"]
    function, changed = mutants["function"], mutants[mutant.name]
    changed = getattr(changed, "__func__", changed)
    function.__code__ = changed.__code__
    function.__defaults__, function.__kwdefaults__ = changed.__defaults__, changed.__kwdefaults__


def _silent() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def _used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
