"""Plant faults in a copy of the repository, and see the tests catch each of them.

    python tests/mutants/plant.py [NAME ...] [--sample N [--seed S]] [--shard I/N] [--jobs N]

NAME is a list of mutants, or the start of several: a method, `core`, `tools`, `tools/rules`;
without one, all. A method's list is `mutants.toml` in its folder, the others are `NAME.toml` below
this one:

    [[mutant]]
    why = "the update is not scaled by alpha / r"
    old = "return self.scale * update"  # occurs exactly once in the file
    new = "return update"
    file = "reference_impls/core/method.py"  # only where it is not the method's own file
    tests = ["tests/methods/test_x.py"]  # only where these are not the method's own tests

A method's tests are those of its folder first, then its cases of the contract. Every test that
catches a mutant is run on the unchanged copy as well, where it must pass. Exit 1 if one survives.

Importing torch takes longer than most of these tests: one server process imports it, where a mutant
needs it, and each run of pytest is a fork of it.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import importlib
import multiprocessing
import os
import py_compile
import random
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).parents[2]
MUTANTS = Path(__file__).parent
SLOWEST = 1800  # seconds that one mutant's tests may take: an endless loop is no catch
SURVIVED = "SURVIVED"
OPTIONS = ("-q", "-p", "no:cacheprovider", "--tb=line")
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # none is needed, and loading them takes its time
}
# what the tests import, and no mutant is in: of the tools', and of the implementations'
LIGHT = ("pytest", "hypothesis", "jinja2", "jsonschema", "pydantic.main", "requests", "yaml")
FAMILIES = ("bert", "gpt2", "llama", "mistral", "qwen2", "roberta", "t5")
HASHED = py_compile.PycInvalidationMode.CHECKED_HASH
FORKS = multiprocessing.get_context("forkserver")


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
        """The wrong file. Raises MutantError where it cannot be made."""
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


def lists() -> dict[str, Path]:
    """Where every list of mutants is, by its name."""
    rest = {p.relative_to(MUTANTS).with_suffix("").as_posix(): p for p in MUTANTS.rglob("*.toml")}
    own = {p.parent.name: p for p in ROOT.glob("reference_impls/*/*/mutants.toml")}
    return dict(sorted((rest | own).items()))


def chosen(given: list[str]) -> list[str]:
    """The lists that are meant, each by its name or by a folder that it is in; else MutantError."""
    every = lists()
    for name in given:
        if not any(f"{known}/".startswith(f"{name}/") for known in every):
            raise MutantError(f"there is no list '{name}'; known: {', '.join(every)}")
    meant = tuple(f"{name}/" for name in given) or ("",)
    return [known for known in every if f"{known}/".startswith(meant)]


def load(name: str) -> list[Mutant]:
    """The mutants of a list, in its order. Raises MutantError where it is incomplete."""
    path = lists()[name]
    of_method = path.name == "mutants.toml"
    own = (path.parent / f"{name}.py").relative_to(ROOT).as_posix() if of_method else ""
    beside = (test.relative_to(ROOT).as_posix() for test in sorted(path.parent.glob("test_*.py")))
    contract = ("tests/methods/test_contract.py", "-k", f"[{name}- or [{name}]")
    tests = (*((test,) for test in beside), contract)
    mutants = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]:
        if missing := {"why", "old", "new"} - entry.keys():
            raise MutantError(f"{name}: a mutant lacks {', '.join(sorted(missing))}")
        if odd := entry.keys() - {"why", "old", "new", "file", "tests"}:
            raise MutantError(f"{name}: '{odd.pop()}' is no key of a mutant")
        if not own and not {"file", "tests"} <= entry.keys():
            raise MutantError(f"{name}: '{entry['why']}' must name file and tests")
        runs = tuple((test,) for test in entry.pop("tests")) if "tests" in entry else tests
        mutants.append(Mutant(name, **{"file": own, **entry}, runs=runs))
    return mutants


def part_of(mutants: list[Mutant], size: int, seed: str, shard: str) -> list[Mutant]:
    """A sample, where `size` is not 0, and of it a part like "2/3". MutantError if it is none."""
    if size:
        mutants = random.Random(seed).sample(mutants, min(size, len(mutants)))
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", shard)
    part = mutants[int(found[1]) - 1 :: int(found[2])] if found else []
    if not part or int(found[1]) > int(found[2]):
        raise MutantError(f"there is nothing to plant in part {shard}")
    return part


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
    """Exit code and output of the tests in `root`: 0 green, 1 red, more: they did not run."""
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
    parser.add_argument("name", nargs="*", help=f"of lists: {' '.join(lists())} (default: all)")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="plant so many of them")
    parser.add_argument("--seed", help="of the sample (default: a digest of the lists)")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="the I-th of N parts")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time (default: 1)")
    options = parser.parse_args(arguments)
    os.environ.update(ENVIRONMENT)  # before the server starts
    try:
        mutants = [mutant for name in chosen(options.name) for mutant in load(name)]
        seed = options.seed or hashlib.sha256(repr(mutants).encode()).hexdigest()[:8]
        if options.sample:
            print(f"{options.sample} of {len(mutants)} mutants, by the seed {seed}")
        mutants = part_of(mutants, options.sample, seed, options.shard)
        return report(*run(mutants, options.jobs))
    except MutantError as error:
        print(f"plant: {error}", file=sys.stderr)
        return 2


def run(mutants: list[Mutant], jobs: int) -> tuple[dict[Mutant, str], list[str]]:
    """What caught each mutant, and which of these tests fail without any mutant too."""
    heavy = any(mutant.file.startswith("reference_impls/") for mutant in mutants)
    models = [f"transformers.models.{name}.modeling_{name}" for name in FAMILIES]
    FORKS.set_forkserver_preload([*LIGHT, *models] if heavy else [*LIGHT])
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        snapshot = Path(folder)
        copy(snapshot)
        for mutant in mutants:
            mutant.source(snapshot)  # before the first long run
        for top in {mutant.file.partition("/")[0] for mutant in mutants}:
            # by the digests of their sources, so that what a mutant is in is compiled anew
            compileall.compile_dir(snapshot / top, quiet=1, invalidation_mode=HASHED)
        with ThreadPoolExecutor(jobs) as pool:
            results = pool.map(lambda mutant: plant(mutant, snapshot), mutants)
            caught = dict(zip(mutants, tqdm(results, total=len(mutants), unit="mutant")))
        catching = sorted(set(caught.values()) - {SURVIVED})
        code, output = pytest(snapshot, *catching) if catching else (0, "")
        if code not in (0, 1):
            raise MutantError(f"the tests do not run without a mutant:\n{output[-2000:]}")
        return caught, failed(output)


def copy(folder: Path) -> None:
    """The files of the repository as they stand, without what git ignores."""
    command = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for name in listed.split("\0"):
        if (ROOT / name).is_file():  # and not removed just now
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def report(caught: dict[Mutant, str], red: list[str]) -> int:
    """Print what caught what; the exit code."""
    for mutant, test in caught.items():
        print(f"{mutant.name:20} {mutant.why}\n{'':20}   {test}")
    survivors = [mutant for mutant, test in caught.items() if test == SURVIVED]
    for test in red:
        print(f"plant: {test} fails without a mutant: it catches nothing", file=sys.stderr)
    print(f"{len(caught) - len(survivors)} of {len(caught)} mutants caught")
    return 1 if survivors or red else 0


if __name__ == "__main__":
    sys.exit(main())
