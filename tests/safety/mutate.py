"""Mutation test of the guard: every small change to what judges has to make a test fail.

``python -m tests.safety.mutate [CHILDREN [MODULE ...]]`` runs the sound code first, then each of mutmut's
mutants in a forked child with the tests that reach the changed statement: those first that killed others of
its function, then the fastest. Prints each survivor that was not reviewed and ends with 1 where there is one.
A mutant with which a test does not end counts as killed and is printed too: the test should end by itself.
"""

from __future__ import annotations
import __future__

import difflib
import gc
import importlib
import inspect
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any

import coverage
import libcst
import pytest
from _pytest.runner import runtestprotocol
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

TESTS = Path(__file__).parent
MIND = (
    "test_guard_step",
    "test_arming",
    "test_staged_unlock",
    "test_on_time",
    "test_arming_screen",
    "test_line",
    "test_purpose",
    "test_tighten",
)
# What judges, and the tests that hold it, by the begin of their name. None that needs data is among them: a
# machine without the data would have other survivors.
MODULES: dict[str, tuple[str, ...]] = {
    "judgement.states": ("test_states",),
    "judgement.contraindications": (
        "test_contraindications",
        "test_arming",
        "test_guard_step",
        "test_settings",
    ),
    "judgement.pulse_schedule": ("test_pulse_schedule",),
    "judgement.limits": ("test_limits", "test_tighten"),
    "judgement.wire": ("test_wire", "test_staged_unlock", "test_purpose"),
    "judgement.frame_check": ("test_frame_check", "test_purpose", "test_guard_step"),
    "judgement.frame_fields": ("test_frame_check", "test_purpose"),
    "judgement.contractions": ("test_contractions",),
    "settings": ("test_settings", "test_purpose", "test_staged_unlock", "test_on_time"),
    "judgement.plausibility": ("test_plausibility", "test_leg_motion"),
    "judgement.electrode_load": ("test_electrode_load",),
    "judgement.electrode_test": ("test_arming", "test_line", "test_purpose"),
    "judgement.staged_unlock": ("test_staged_unlock", "test_purpose", "test_contractions"),
    "judgement.arming_refusals": MIND,
    "judgement.on_time": ("test_on_time",),
    "judgement.in_force": ("test_kept_file",),
    "judgement.arming_screen": ("test_arming_screen",),
    "judgement.faults": ("test_guard_step", "test_line", "test_arming_screen"),
    "judgement.guard_types": (*MIND, "test_leg_motion", "test_exercise", "test_exercise_minutes"),
    "judgement.fault_reaction": (*MIND, "test_stamps", "test_any_stamp"),
    "judgement.liveness": (*MIND, "test_stamps", "test_any_stamp"),
    "judgement.requests": (*MIND, "test_stamps", "test_any_stamp"),
    "judgement.guard_step": (*MIND, "test_leg_motion", "test_electrode_load"),
    "judgement.leg_motion": ("test_leg_motion",),
}
STRING = re.compile(r'"[^"]*"')
LIMIT_CPU_S = 30.0  # and TIMES what a test takes: who needs more of the processor, however slow, has no end
TIMES = 10
SLEEP_LIMIT = 10  # times that by the clock: a child that needs more waits for what never comes
LIMIT_BYTES = 2 << 30  # more than this process takes: libraries take more on a machine of many cores
KILLER_MAX = 200  # a child ends with 1 + the place of the test that failed, as far as a status can say
Line = tuple[str, int]  # file and number

# Survivors that were looked at, by the changed code itself: what was removed, what was put in its place, why.
REVIEWED: tuple[tuple[str, str, str], ...] = (
    (r"one\.copy\(\) if name", r"or True", "one more copy, of what does not change"),
    (r"cast\(", r"cast\(None", "a cast does nothing when the program runs"),
    (r"lag_ms > high_ms", r"lag_ms >= high_ms", "at the limit itself nothing is found"),
    (r"window_ns or 0", r"window_ns or 1", "set a few lines before"),
    (r"\* math\.copysign\(1\.0, w\)", r"/ math\.copysign", "times or divided by one or minus one"),
    (r"1e9", r"1000000001\.0", "a billionth of a second more: no test can tell, no person feels"),
    (r"strict=True", r".*", "lengths are equal by the check for F7; strict is a second lock"),
    (r"link=False", r"link=None", "both are false"),
    (r"\(?known\.frame_ns or 0\)?", r".*or 1.*", "a nanosecond, and only where there is no frame"),
    (r"gap_ns = 0 if", r"gap_ns = 1 if", "a nanosecond, and only where there is no frame"),
    (r"(heart)?beat_ns or 0", r".*or 1.*", "a nanosecond, and only where nothing was heard: no arming"),
    (r'"F2", ill, setup', r"None, \"F2\"", "F2 ends nothing: no time is taken from now"),
    (r'"F28", f', r"None, \"F28\"", "F28 ends nothing: no time is taken from now"),
    (r"Event\.ACKNOWLEDGE, known", r"move\(None", "a trip is off already: no time is taken from now"),
    (r"metronomes == known\.metronomes", r"and False", "the same again, made anew"),
    (r"valid_ns or 0", r".*or 1.*", "a nanosecond, and only where there is no sample"),
    (r"ages\(0, setup, known\)", r"ages\(1, setup, known\)", "the limit does not depend on the time"),
    (r"value < values\[name\]:", r".*<= values\[name\]:", "no default equals its cap"),
    (r"_CHANNEL\.pack\(False", r"_CHANNEL\.pack\(None", "packs the same byte"),
    (r"Level\(begin_ns, 0\.0, 0\.0\)", r"0\.0, 1\.0", "from off the current binds before the charge"),
    (r"replace\(stamp, valid=False\)", r"valid=None", "None is as false"),
    (r"current_ma\[index\] < allowed_ma", r"<= allowed_ma", "where both are equal either name is right"),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small change to ``target``, made only where it is needed: in the child that tries it."""

    mutation: Mutation
    node: libcst.FunctionDef
    target: FunctionType
    lines: frozenset[Line]  # of the changed statement

    def source(self) -> tuple[list[str], list[str]]:
        """Lines of the function, sound and changed."""
        changed = self.node.deep_replace(self.mutation.original_node, self.mutation.mutated_node)
        assert isinstance(changed, libcst.FunctionDef)
        sound, made = (
            libcst.Module([one.with_changes(decorators=[])]).code.strip().splitlines()
            for one in (self.node, changed)
        )
        return sound, made

    def install(self) -> None:
        """Code and defaults take the place of those of ``target``."""
        flags = __future__.annotations.compiler_flag
        space = dict(self.target.__globals__)
        code = compile("\n".join(self.source()[1]), "<mutant>", "exec", flags=flags, dont_inherit=True)
        exec(code, space)  # noqa: S102, this file's own
        made = plain(space[self.node.name.value])
        self.target.__code__ = made.__code__
        self.target.__defaults__ = made.__defaults__
        self.target.__kwdefaults__ = made.__kwdefaults__

    def words(self) -> tuple[str, str]:
        """What was removed and what was put in its place."""
        diff = list(difflib.unified_diff(*self.source(), n=0, lineterm=""))[2:]
        removed = " ".join(line[1:].strip() for line in diff if line.startswith("-"))
        return removed, " ".join(line[1:].strip() for line in diff if line.startswith("+"))


def is_prose(removed: str, added: str) -> bool:
    """Only words a person reads were changed: in a string of several."""
    if STRING.sub("", removed) != STRING.sub("", added):
        return False
    pairs = zip(STRING.findall(removed), STRING.findall(added), strict=True)
    return all(
        after == before or (" " in before and after.replace("XX", "").lower() == before.lower())
        for before, after in pairs
    )


def review(removed: str, added: str) -> int | None:
    """Place in REVIEWED of the reason why this one may live."""
    for place, (before, after, _) in enumerate(REVIEWED):
        if re.search(before, removed) and re.search(after, added):
            return place
    return None


def plain(function: object) -> FunctionType:
    """The function behind a method, a property or a class method."""
    for name in ("fget", "__func__", "__wrapped__"):
        function = getattr(function, name, function)
    assert isinstance(function, FunctionType), function
    return function


def mutants_of(module_name: str) -> Iterator[Mutant]:
    """mutmut's mutants of all functions and methods, properties too."""
    module = importlib.import_module(f"controller.safety.{module_name}")
    source = re.sub(r"^ *@property\n", "\n", inspect.getsource(module), flags=re.MULTILINE)
    wrapper = MetadataWrapper(libcst.parse_module(source))
    positions = wrapper.resolve(PositionProvider)
    parents = wrapper.resolve(ParentNodeProvider)
    visitor = MutationVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    wrapper.visit(visitor)
    targets: dict[libcst.FunctionDef, FunctionType] = {}
    for statement in wrapper.module.body:
        if isinstance(statement, libcst.FunctionDef):
            targets[statement] = plain(vars(module)[statement.name.value])
        elif isinstance(statement, libcst.ClassDef):
            for part in statement.body.body:
                if isinstance(part, libcst.FunctionDef):
                    own = vars(vars(module)[statement.name.value])
                    targets[part] = plain(own[part.name.value])
    for mutation in visitor.mutations:
        node = mutation.contained_by_top_level_function
        if isinstance(node, libcst.FunctionDef):
            changed: libcst.CSTNode = mutation.original_node
            inner = changed
            while not isinstance(changed, libcst.BaseStatement | libcst.ExceptHandler | libcst.MatchCase):
                inner, changed = changed, parents[changed]
            whole = isinstance(
                changed, libcst.SimpleStatementLine | libcst.FunctionDef
            )  # a default is the body's
            place = positions[changed if whole else inner]
            numbers = range(place.start.line, place.end.line + 1)
            lines = frozenset((targets[node].__code__.co_filename, number) for number in numbers)
            yield Mutant(mutation, node, targets[node], lines)


@dataclass(slots=True)
class Figures:
    """What became of one module's mutants."""

    module: str
    mutants: int = 0
    prose: int = 0
    reviewed: int = 0
    survived: int = 0
    endless: int = 0  # of those killed
    seconds: float = 0.0
    processor_s: float = 0.0

    def __str__(self) -> str:
        killed = self.mutants - self.prose - self.reviewed - self.survived
        return (
            f"{self.module:13}{self.mutants:5} mutants{killed:6} killed{self.prose:5} words of messages"
            f"{self.reviewed:5} reviewed{self.survived:4} SURVIVED{self.endless:4} without end"
            f"{self.seconds:7.1f} s, "
            f"{self.processor_s:.1f} s of processor time"
        )


@dataclass(slots=True)
class Run:
    """A pytest plugin in whose place of the test loop all mutants are tried."""

    modules: tuple[str, ...]
    children: int
    figures: list[Figures] = field(default_factory=list)
    used: set[int] = field(default_factory=set)
    sound: bool = False
    seconds: dict[str, float] = field(default_factory=dict)  # of each test
    lines: dict[str, set[Line]] = field(default_factory=dict)  # what each test runs of the guard
    killers: dict[str, Counter[str]] = field(default_factory=dict)  # of each function's mutants
    items: list[pytest.Item] = field(default_factory=list)
    beside: bool = False  # the test that runs has started a thread or a process

    def pytest_configure(self) -> None:
        """The same examples every day, and none made smaller: that a test fails is all there is to know."""
        from hypothesis import HealthCheck, Phase, settings
        from hypothesis.internal.conjecture import providers
        from hypothesis.internal.constants_ast import Constants

        # it would take numbers out of what happens to be imported, from wherever the checkout lies
        providers._get_local_constants = Constants
        settings.register_profile(
            "mutants",
            derandomize=True,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            deadline=None,  # a slow machine kills no mutant
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = [item for item in session.items if not goes_by_the_machine(item)]
        self.sound = not session.testsfailed and self.check_the_sound_code()
        gc.freeze()  # so that a child copies fewer pages
        for module in self.modules if self.sound else ():
            self.try_all(module)
            if not self.is_still_sound(module):
                self.sound = False
                break
        return True

    def check_the_sound_code(self) -> bool:
        """Whether all tests pass on it; notes which lines they run and how long they take.

        A test that starts a thread or a process, however deep below, takes part no more: when that thread
        gets its turn or the disk answers is the machine's, and a test that fails for it kills no mutant.
        """
        by_the_machine: list[pytest.Item] = []
        lines = coverage.Coverage(data_file=None, config_file=False, include="*/controller/safety/*")
        lines.set_option("run:disable_warnings", ["no-data-collected"])
        for item in self.items:
            begin_s = time.process_time()
            lines.erase()
            self.beside = False
            with lines.collect(), pytest.MonkeyPatch.context() as patch:
                patch.setattr(threading.Thread, "start", self.noticed(threading.Thread.start))
                patch.setattr(subprocess.Popen, "__init__", self.noticed(subprocess.Popen.__init__))
                passed = passes(item)
            self.seconds[item.nodeid] = time.process_time() - begin_s
            ran = lines.get_data()
            self.lines[item.nodeid] = {
                (file, line) for file in ran.measured_files() for line in ran.lines(file) or ()
            }
            if not passed:
                print(f"{item.nodeid}: the sound code does not pass: no mutant says anything")
                return False
            if self.beside:
                by_the_machine.append(item)
        self.items = [item for item in self.items if item not in by_the_machine]
        return True

    def is_still_sound(self, module: str) -> bool:
        """Whether the tests of ``module`` pass in a child that has no mutant: what kills it is no test."""
        tests = [item for item in self.items if item.path.name.startswith(MODULES[module])]
        _, status = os.waitpid(self.fork(None, tests), 0)
        if status != 0:
            place = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
            failed = tests[place - 1].nodeid if 0 < place <= KILLER_MAX else "a test"
            print(f"{module}: {failed} fails without a mutant, too: none of its mutants says anything")
        return status == 0

    def noticed(self, begin: Callable[..., None]) -> Callable[..., None]:
        """``begin`` of a thread or a process, noting that the test that runs did that."""

        def noted(*args: Any, **more: Any) -> None:  # Any: as ``begin`` takes them
            self.beside = True
            begin(*args, **more)

        return noted

    def tests_of(self, module: str, one: Mutant) -> list[pytest.Item]:
        """Those of its module that run what was changed; killers of its function's mutants first."""
        names = tuple(MODULES[module])
        killers = self.killers.setdefault(one.target.__qualname__, Counter())
        own = [
            item
            for item in self.items
            if item.path.name.startswith(names) and not one.lines.isdisjoint(self.lines[item.nodeid])
        ]
        return sorted(own, key=lambda item: (-killers[item.nodeid], self.seconds[item.nodeid]))

    def try_all(self, module: str) -> None:
        begin_s, began_s = time.monotonic(), processor_s()
        figures = Figures(module)
        running: dict[int, tuple[Mutant, list[pytest.Item]]] = {}
        for one in mutants_of(module):
            figures.mutants += 1
            if len(running) == self.children:
                self.wait(figures, running)
            tests = self.tests_of(module, one)
            running[self.fork(one, tests)] = (one, tests)
        while running:
            self.wait(figures, running)
        figures.seconds, figures.processor_s = time.monotonic() - begin_s, processor_s() - began_s
        print(figures, flush=True)
        self.figures.append(figures)

    def fork(self, one: Mutant | None, tests: list[pytest.Item]) -> int:
        """A child that ends with 0 where every test passes, with the mutant in place if there is one."""
        child = os.fork()
        if child:
            return child
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit_bytes = pages * resource.getpagesize() + LIMIT_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
        gc.disable()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        status = 1
        try:
            if one is not None:
                one.install()
            failed = (1 + min(place, KILLER_MAX) for place, item in enumerate(tests) if not self.holds(item))
            status = next(failed, 0)
        finally:
            os._exit(status)

    def holds(self, item: pytest.Item) -> bool:
        """Whether the test passes; one that takes far longer than with the sound code ends this process."""
        limit_s = round(LIMIT_CPU_S + TIMES * self.seconds[item.nodeid])
        resource.setrlimit(
            resource.RLIMIT_CPU, (round(time.process_time()) + limit_s, resource.RLIM_INFINITY)
        )
        signal.alarm(SLEEP_LIMIT * limit_s)
        return passes(item)

    def wait(self, figures: Figures, running: dict[int, tuple[Mutant, list[pytest.Item]]]) -> None:
        """For one child; counts what became of its mutant."""
        child, status = os.wait()
        one, tests = running.pop(child)
        if status != 0:
            if os.WIFSIGNALED(status):
                figures.endless += 1
                print(f"WITHOUT END in {told(figures, one)}", flush=True)
            if os.WIFEXITED(status) and 0 < os.WEXITSTATUS(status) <= min(len(tests), KILLER_MAX):
                killer = tests[os.WEXITSTATUS(status) - 1]
                self.killers[one.target.__qualname__][killer.nodeid] += 1
            return
        removed, added = one.words()
        place = review(removed, added)
        if is_prose(removed, added):
            figures.prose += 1
        elif place is not None:
            figures.reviewed += 1
            self.used.add(place)
        else:
            figures.survived += 1
            print(f"SURVIVED in {told(figures, one)}", flush=True)


def told(figures: Figures, one: Mutant) -> str:
    removed, added = one.words()
    return f"{figures.module}.{one.target.__qualname__}\n  - {removed}\n  + {added}"


def processor_s() -> float:
    """Of this process and its children so far."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def goes_by_the_machine(item: pytest.Item) -> bool:
    """Whether the test starts a rig or a room: such are not even tried, they take long."""
    names = item.function.__code__.co_names if isinstance(item, pytest.Function) else ()
    return "Rig" in names or "Room" in names


def passes(item: pytest.Item) -> bool:
    reports = runtestprotocol(item, log=False, nextitem=None)
    return not any(report.failed for report in reports)


def main() -> int:
    begin_s = time.monotonic()
    children = int(sys.argv[1]) if len(sys.argv) > 1 else os.cpu_count() or 1
    modules = tuple(sys.argv[2:]) or tuple(MODULES)
    names = {name for module in modules for name in MODULES[module]}
    files = sorted(str(path) for name in names for path in TESTS.glob(f"{name}*.py"))
    run = Run(modules, children)
    options = ["-qq", "-s", "-p", "no:cacheprovider", "-o", "timeout=0"]
    with tempfile.TemporaryDirectory() as own:  # what sweeps pytest's folders would kill mutants
        pytest.main([*options, f"--basetemp={own}/tests", *files], plugins=[run])
    if not run.sound:
        return 1
    unused = () if set(modules) != set(MODULES) else tuple(set(range(len(REVIEWED))) - run.used)
    for place in unused:
        print(f"no survivor needs this review any more: {REVIEWED[place]}")
    mutants, survived = sum(one.mutants for one in run.figures), sum(one.survived for one in run.figures)
    reviewed = sum(one.reviewed + one.prose for one in run.figures)
    print(
        f"{mutants} mutants, {mutants - survived - reviewed} killed, {reviewed} reviewed, "
        f"{survived} survived, {time.monotonic() - begin_s:.0f} s, "
        f"{processor_s():.0f} s of processor time in {children} children"
    )
    return 1 if survived or unused else 0


if __name__ == "__main__":
    sys.exit(main())
