"""Processor seconds of every test: what it costs on any machine, however busy that is.

    python benchmarks/processor_seconds.py [ARGUMENTS OF PYTEST] [--per REGEX] [--each FILE]

    python benchmarks/processor_seconds.py tests/tools -m "not night" -n 2
    python benchmarks/processor_seconds.py tests/methods --per '\\[(\\w+)'

runs pytest and prints a table by folder, by file and of the 30 dearest tests. `--per` adds one by
what the expression finds in a test's name (its group, if it has one): with the names of methods,
what a method costs. `--each` writes every test and its seconds to a file, separated by tabs.

A test's seconds are user and system time from the end of the test before it to its own end. So
they hold its fixtures, which count for the test that asks first, and what other processes did for
it: where there is /proc, those that go on running (a browser) as well as those that ended. Tests
may run in several workers of pytest-xdist; collecting, which each worker repeats, is one row.
"""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pytest

NAME, COLLECTING, DEAREST = "processor_seconds", "(collecting)", 30
COLLECTED, SPENT = pytest.StashKey[float](), pytest.StashKey[float]()
SECONDS: dict[str, float] = defaultdict(float)  # of this process's report, by test
mark = 0.0  # what this process and those below it had spent at the last look


def own() -> float:
    """What this process has spent, and those it started that have ended."""
    return sum(os.times()[:4])


def below() -> float:
    """What the running descendants of this process have spent, and theirs that have ended."""
    parents, seconds = {}, {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            fields = file.read_text(errors="replace").rpartition(")")[2].split()
            parents[int(file.parent.name)] = int(fields[1])
            seconds[int(file.parent.name)] = sum(map(int, fields[11:15]))
    found, todo = 0, [os.getpid()]
    while todo:
        process = todo.pop()
        children = [child for child, parent in parents.items() if parent == process]
        found += sum(seconds[child] for child in children)
        todo += children
    return found / os.sysconf("SC_CLK_TCK") if seconds else 0.0


def since_last() -> float:
    """What was spent since the last call; looking into /proc is nobody's."""
    global mark
    spent = own()
    before, after = mark, below()
    mark = own() + after
    return max(0.0, spent + after - before)  # what dies unseen takes its seconds with it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--per", type=re.compile, help="group tests by what this finds in their names")
    parser.addoption("--each", type=Path, help="write every test and its processor seconds here")


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[COLLECTED] = since_last()
    session.config.stash[SPENT] = 0.0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    stash = item.config.stash
    stash[SPENT] += since_last()
    if call.when == "teardown":  # the test's last report
        report.user_properties.append((NAME, (stash[COLLECTED], stash[SPENT])))
        stash[COLLECTED] = stash[SPENT] = 0.0
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        collecting, seconds = dict(report.user_properties)[NAME]
        SECONDS[COLLECTING] += collecting
        SECONDS[report.nodeid] += seconds


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    per = config.option.per

    def found(test: str) -> str:
        match = per.search(test)
        return (match[1] if match.lastindex else match[0]) if match else "(nothing)"

    groups = {
        "folder": lambda test: test.partition("::")[0].rpartition("/")[0],
        "file": lambda test: test.partition("::")[0],
        f"test, the {DEAREST} dearest": str,
    }
    if per:
        groups[f"what {per.pattern} finds"] = found
    tests = {test: seconds for test, seconds in SECONDS.items() if test != COLLECTING}
    for kind, group in groups.items():
        rows: dict[str, list[float]] = defaultdict(list)
        for test, seconds in tests.items():
            rows[group(test)].append(seconds)
        terminalreporter.section(f"processor seconds by {kind}")
        dearest = sorted(rows.items(), key=lambda row: -sum(row[1]))
        for name, seconds in dearest[: DEAREST if group is str else None]:
            terminalreporter.line(f"{sum(seconds):9.2f} {len(seconds):6} {name}")
    terminalreporter.line(f"{SECONDS[COLLECTING]:9.2f}        {COLLECTING}")
    terminalreporter.line(f"{sum(SECONDS.values()):9.2f} {len(tests):6} all")
    if config.option.each:
        lines = (f"{seconds:.2f}\t{test}\n" for test, seconds in SECONDS.items())
        config.option.each.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    sys.exit(pytest.main([*sys.argv[1:], "-p", "benchmarks.processor_seconds"]))
