"""Plant wrong implementations in a copy of the repository, and see the tests catch each of them.

    python tests/mutants/plant.py [NAME ...] [--jobs N]

NAME is a method, or `core`; without one, all. `NAME.toml` next to this file lists the mutants:

    [[mutant]]
    why = "the update is not scaled by alpha / r"
    old = "return self.scale * update"  # occurs exactly once in the file
    new = "return update"
    file = "reference_impls/core/method.py"  # only where it is not the method's own file
    tests = ["tests/methods/test_x.py"]  # only where these are not the method's own tests

A method's tests are its own file first, then its cases of the contract. Every test that catches a
mutant is run on the unchanged copy as well, where it must pass. Exit 1 if a mutant survives.

Importing torch takes longer than most of these tests: one server process imports it, and each run
of pytest is a fork of it.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).parents[2]
MUTANTS = Path(__file__).parent
COPIED = ("reference_impls", "tests", "tools", "papers.yaml", "pyproject.toml")
SLOWEST = 1800  # seconds that one mutant's tests may take: an endless loop is no catch
SURVIVED = "SURVIVED"
OPTIONS = ("-q", "-p", "no:cacheprovider", "--tb=line")
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # none is needed, and loading them takes its time
}
FAMILIES = ("bert", "gpt2", "llama", "mistral", "qwen2", "roberta", "t5")
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["pytest", *(f"transformers.models.{name}.modeling_{name}" for name in FAMILIES)]
)


class MutantError(Exception):
    """A mutant that cannot be planted, or that does not run."""


@dataclass(frozen=True)
class Mutant:
    """One wrong implementation; `runs` are the arguments of pytest, one run after another."""

    name: str
    why: str
    old: str
    new: str
    file: str
    runs: tuple[tuple[str, ...], ...]

    def source(self, root: Path = ROOT) -> str:
        """The wrong file.

        Raises:
            MutantError: the file is not there, `old` does not name one place in it, or what comes
                out is the same or no Python.
        """
        path = root / self.file
        if not path.is_file():
            raise MutantError(f"{self}: there is no {self.file}")
        source = path.read_text(encoding="utf-8")
        if (times := source.count(self.old)) != 1:
            raise MutantError(f"{self}: 'old' occurs {times} times in {self.file}, not once")
        mutated = source.replace(self.old, self.new)
        if mutated == source:
            raise MutantError(f"{self}: 'new' changes nothing")
        try:
            compile(mutated, self.file, "exec")
        except SyntaxError as error:
            raise MutantError(f"{self}: {self.file} is no Python any more: {error}") from None
        return mutated

    def __str__(self) -> str:
        return f"{self.name}.toml: {self.why}"


def names() -> list[str]:
    """Every list of mutants."""
    return sorted(path.stem for path in MUTANTS.glob("*.toml"))


def load(name: str) -> list[Mutant]:
    """The mutants of a list, in its order.

    Raises:
        MutantError: there is no such list, or it is incomplete.
    """
    path = MUTANTS / f"{name}.toml"
    if not path.is_file():
        raise MutantError(f"there is no {path.relative_to(ROOT)}; known: {', '.join(names())}")
    files = [str(found.relative_to(ROOT)) for found in ROOT.glob(f"reference_impls/*/{name}.py")]
    tests = (
        (f"tests/methods/test_{name}.py",),
        ("tests/methods/test_contract.py", "-k", f"[{name}- or [{name}]"),
    )
    mutants = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]:
        if missing := {"why", "old", "new"} - entry.keys():
            raise MutantError(f"{path.name}: a mutant lacks {', '.join(sorted(missing))}")
        if odd := entry.keys() - {"why", "old", "new", "file", "tests"}:
            raise MutantError(f"{path.name}: '{odd.pop()}' is no key of a mutant")
        if not files and not {"file", "tests"} <= entry.keys():
            raise MutantError(f"{path.name}: '{entry['why']}' must name file and tests")
        file = entry.get("file") or files[0]
        runs = tuple((test,) for test in entry["tests"]) if "tests" in entry else tests
        mutants.append(Mutant(name, entry["why"], entry["old"], entry["new"], file, runs))
    return mutants


def plant(mutant: Mutant, snapshot: Path) -> str:
    """The id of the first test that fails with the mutant in place, or `SURVIVED`."""
    source = mutant.source(snapshot)
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        root = Path(folder)
        shutil.copytree(snapshot, root, dirs_exist_ok=True)
        (root / mutant.file).write_text(source, encoding="utf-8")
        for run in mutant.runs:
            code, output = pytest(root, "-x", *run)
            if code == 1:
                return failed(output)[0]
            if code != 0:
                raise MutantError(f"{mutant}: it does not run:\n{output[-2000:]}")
    tqdm.write(f"survives: {mutant}", file=sys.stderr)
    return SURVIVED


def pytest(root: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of the tests in `root`: 0 green, 1 red, more: they did not run.

    Raises:
        MutantError: they do not end.
    """
    output = root / "pytest.log"
    process = FORKS.Process(target=_pytest, args=(root, output, arguments))
    process.start()
    process.join(SLOWEST)
    if process.is_alive():
        process.kill()
        raise MutantError(f"{' '.join(arguments)}: no end after {SLOWEST} seconds")
    return process.exitcode, output.read_text(encoding="utf-8")


def _pytest(root: Path, output: Path, arguments: tuple[str, ...]) -> None:
    """The forked process: its files are those of `root`, also for the processes that it starts."""
    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(root)
    os.environ["PYTHONPATH"] = sys.path[0] = str(root)
    sys.exit(importlib.import_module("pytest").main([*OPTIONS, *arguments]))


def failed(output: str) -> list[str]:
    """The ids of the tests that pytest's summary calls failed."""
    return re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.MULTILINE)


def main(arguments: list[str] | None = None) -> int:
    """Plant; 0 all caught, 1 a mutant survives, 2 a mutant cannot be planted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("name", nargs="*", help=f"default: {' '.join(names())}")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time (default: 1)")
    options = parser.parse_args(arguments)
    os.environ.update(ENVIRONMENT)  # before the server starts
    try:
        return report(*run(options.name or names(), options.jobs))
    except MutantError as error:
        print(f"plant: {error}", file=sys.stderr)
        return 2


def run(chosen: list[str], jobs: int) -> tuple[dict[Mutant, str], list[str]]:
    """What caught each mutant, and which of these tests fail without any mutant too."""
    mutants = [mutant for name in chosen for mutant in load(name)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        snapshot = Path(folder)
        ignored = shutil.ignore_patterns("__pycache__")
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, snapshot / name, **({"ignore": ignored} if "." not in name else {}))
        for mutant in mutants:
            mutant.source(snapshot)  # before the first long run
        with ThreadPoolExecutor(jobs) as pool:
            results = pool.map(lambda mutant: plant(mutant, snapshot), mutants)
            caught = dict(zip(mutants, tqdm(results, total=len(mutants), unit="mutant")))
        catching = sorted(set(caught.values()) - {SURVIVED})
        code, output = pytest(snapshot, *catching) if catching else (0, "")
        if code not in (0, 1):
            raise MutantError(f"the tests do not run without a mutant:\n{output[-2000:]}")
        return caught, failed(output)


def report(caught: dict[Mutant, str], red: list[str]) -> int:
    """Print what caught what; the exit code."""
    for mutant, test in caught.items():
        print(f"{mutant.name:20} {mutant.why}\n{'':20}   {test.removeprefix('tests/methods/')}")
    survivors = [mutant for mutant, test in caught.items() if test == SURVIVED]
    for test in red:
        print(f"plant: {test} fails without a mutant: it catches nothing", file=sys.stderr)
    print(f"{len(caught) - len(survivors)} of {len(caught)} mutants caught")
    return 1 if survivors or red else 0


if __name__ == "__main__":
    sys.exit(main())
