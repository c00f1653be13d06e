"""Collects what parity tests find, and holds it against each method's `measured/parity.json`."""

from __future__ import annotations

import json
import math
from importlib.metadata import version
from pathlib import Path

import pytest

from reference_impls.core.registry import method_files
from reference_impls.measure import files

NAMES = {
    "bert": "BERT",
    "roberta": "RoBERTa",
    "gpt2": "GPT-2",
    "llama": "Llama",
    "mistral": "Mistral",
    "qwen2": "Qwen2",
    "t5": "T5",
    "mt5": "mT5",
}
TOLERANCE = 1e-5  # float32; the largest difference between equal implementations is 3.5e-6
VISIBLE = 1e-4  # the smallest difference that is called a deviation
DRIFT = 0.1  # by which share the size of a deviation may change without being another deviation
Row = dict[str, object]


class Outcomes:
    """What was measured, by method."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}

    def equal(
        self,
        method: str,
        library: str,
        compared: str,
        model: str,
        difference: float,
        *,
        after: str = "",
        tolerance: float = TOLERANCE,
        installed: str | None = None,
    ) -> None:
        """The library computes what we do; `after`: once we do one thing as the library does."""
        assert difference <= tolerance, f"{library}, {compared}: {difference:.1e}"
        outcome = "equal-after" if after else "equal"
        self._add(method, library, installed, compared, _title(model), outcome, difference, after)

    def deviates(
        self,
        method: str,
        library: str,
        compared: str,
        model: str,
        difference: float | None,
        *,
        note: str,
        installed: str | None = None,
    ) -> None:
        """The library computes something else; the row says by how much.

        A difference of None stands for what has no number: an error, another place.
        """
        if difference is not None:
            assert abs(difference) > VISIBLE, (
                f"{library}, {compared}: no longer true that it {note}"
            )
        title = _title(model)
        self._add(method, library, installed, compared, title, "deviates", difference, note)

    def architecture(
        self,
        method: str,
        compared: str,
        name: str,
        *,
        difference: float | None = None,
        tolerance: float = TOLERANCE,
        note: str = "",
    ) -> None:
        """How peft came out on an architecture; a row is for all on which it came out alike.

        A difference of None: it does not do the same, as the note says.
        """
        outcome = "deviates" if difference is None else "equal-after" if note else "equal"
        if difference is not None:
            assert difference <= tolerance, f"{name}, {compared}: {difference:.1e}"
        self._add(method, "peft", None, compared, name, outcome, difference, note)

    def stands(self, method: str, compared: str) -> None:
        """The committed row does: what it says is of processors that are not this one."""
        rows = [row for row in read()[method] if row["compared"] == compared]
        self.rows.setdefault(method, []).extend(rows)

    def _add(
        self,
        method: str,
        library: str,
        installed: str | None,
        compared: str,
        title: str,
        outcome: str,
        difference: float | None,
        note: str,
    ) -> None:
        row = {
            "library": library,
            "version": installed or version(library),
            "compared": compared,
            "models": [title],
            "outcome": outcome,
            "difference": _rounded(difference),
            "note": note,
        }
        rows = self.rows.setdefault(method, [])
        for other in rows:
            if _claim(other) == _claim(row) and _mergeable(other, row):
                other["models"] += [name for name in row["models"] if name not in other["models"]]
                if outcome != "deviates":
                    other["difference"] = max(other["difference"], row["difference"])
                return
        rows.append(row)

    def sorted(self) -> dict[str, list[Row]]:
        """The rows in an order that does not depend on that of the tests."""
        for rows in self.rows.values():
            for row in rows:
                row["models"].sort()
            rows.sort(key=lambda row: (row["library"], row["compared"], row["models"], row["note"]))
        return dict(sorted(self.rows.items()))


def _title(model: str) -> str:
    return NAMES.get(model.split("-")[0], model)


def _mergeable(row: Row, other: Row) -> bool:
    """Whether one row can stand for both: equal implementations, or the same count."""
    if row["outcome"] != "deviates":
        return True
    return row["difference"] == other["difference"] and not isinstance(row["difference"], float)


def _rounded(difference: float | None) -> float | None:
    """Two digits of a measurement, all of a count."""
    return float(f"{difference:.1e}") if isinstance(difference, float) else difference


def _claim(row: Row) -> Row:
    return {key: value for key, value in row.items() if key not in ("difference", "models")}


def _same(committed: Row, measured: Row) -> bool:
    """Whether two rows say the same, but for digits that another machine may round otherwise."""
    if _claim(committed) != _claim(measured) or committed["models"] != measured["models"]:
        return False
    old, new = committed["difference"], measured["difference"]
    if measured["outcome"] != "deviates":  # both were held against the tolerance
        return True
    if isinstance(old, float) and isinstance(new, float):
        return math.isclose(old, new, rel_tol=DRIFT)
    return old == new


def differing(
    committed: dict[str, list[Row]], measured: dict[str, list[Row]]
) -> list[tuple[str, str, Row]]:
    """Measured rows that the file lacks (+), and rows of the file that were not measured (-)."""
    found = []
    for method in sorted(committed.keys() | measured.keys()):
        old, new = committed.get(method, []), measured.get(method, [])
        found += [("+", method, row) for row in new if not any(_same(o, row) for o in old)]
        found += [("-", method, row) for row in old if not any(_same(row, n) for n in new)]
    return found


def place(method: str) -> Path:
    """Where a method's rows are kept."""
    return method_files()[method].parent / "measured" / "parity.json"


def read() -> dict[str, list[Row]]:
    """The committed rows of every method that has any."""
    found = {name: place(name) for name in method_files()}
    return {name: json.loads(path.read_text()) for name, path in found.items() if path.exists()}


def write(rows: dict[str, list[Row]]) -> None:
    """Put each method's rows beside it, one a line; those of other methods go."""
    for method in method_files():
        if method in rows:
            files.write(place(method), rows[method], depth=1)
        else:
            place(method).unlink(missing_ok=True)


_OUTCOMES = Outcomes()
_CHANGES = pytest.StashKey[list[tuple[str, str, Row]]]()


@pytest.fixture(scope="session")
def outcomes() -> Outcomes:
    return _OUTCOMES


def pytest_addoption(parser: pytest.Parser) -> None:
    help_ = "write what all tests measured beside the methods, where it does not say so yet"
    parser.addoption("--record", action="store_true", help=help_)


def pytest_configure(config: pytest.Config) -> None:
    """Rows that no test measured are taken out, so that only all tests may write."""
    option = config.option
    chosen = option.keyword or option.markexpr or option.collectonly
    asked = [Path(config.invocation_params.dir, name).resolve() for name in config.args]
    if option.record and (chosen or asked != [Path(__file__).resolve().parent]):
        raise pytest.UsageError("--record would drop what is not measured: only with tests/parity")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run that passed still fails where the committed file does not say what it measured."""
    if exitstatus != pytest.ExitCode.OK:
        return
    measured = _OUTCOMES.sorted()
    record = session.config.getoption("--record")
    found = [line for line in differing(read(), measured) if record or line[0] == "+"]
    session.config.stash[_CHANGES] = found
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if found and record:
        write(measured)


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    found = config.stash.get(_CHANGES, [])
    if found:
        action = "written, commit it" if config.getoption("--record") else "`make parity` writes it"
        terminalreporter.section(f"the committed files say something else ({action})", red=True)
        for sign, method, row in found:
            terminalreporter.write_line(f"{sign} {method}: {json.dumps(row, ensure_ascii=False)}")
