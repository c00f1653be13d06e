"""S718, S719: what libraries do otherwise is measured, and each of it is told once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..data.committed import CommittedError
from ..data.differences import Difference, Told, rows_of
from ..data.findings import nearest
from ..data.parity import Comparison
from . import Context, Fault, Source, rule
from .places import at, unread

Parity = Mapping[str, tuple[Comparison, ...]]


@rule(
    "S718",
    "Deviation that is not told",
    "Each row of a method's measured/parity.json whose outcome is a deviation is explained by "
    "exactly one difference: by one entry of the methods' differences.toml whose notes have that "
    "of the row. The page of differences is made of these entries.",
    bad='"outcome": "deviates", "note": "has biases" in a row, and no entry with this note',
    good='[[difference]]\nnotes = ["has biases"]',
)
def not_told(context: Context) -> Iterator[Fault]:
    if context.differences[1]:  # S719; what these explain is not known
        return
    try:
        parity = context.parity
    except CommittedError as error:
        path, _, message = str(error).partition(": ")
        yield Fault(Source(path, 1, ""), message)
        return
    entries = list(_entries(context))
    names: dict[tuple[str, Comparison], list[str]] = {}
    for path, _, difference in entries:
        for row in rows_of(difference, _home(path), parity):
            names.setdefault(row, []).append(difference.name)
    notes = [note for _, _, difference in entries for note in difference.notes]
    for place, method, row in _deviations(context.root, parity):
        told = names.get((method, row), [])
        if not told:
            message = f"no difference tells that {row.library} '{row.note}' ({row.compared})"
            yield Fault(place, message, nearest(row.note, notes))
        elif len(told) > 1:
            yield Fault(place, f"'{row.note}' is told more than once: {', '.join(sorted(told))}")


@rule(
    "S719",
    "Difference that is not measured",
    "An entry of a method's differences.toml has the keys that tools/data/differences.py explains. "
    "Its name is its own; each of its notes, and each method that it names, has a row in "
    "measured/parity.json that deviates, and its library has one. A number in its effect is put "
    "in from these rows, as {largest}, or stands in its notes, its program or the printed line. "
    "When a library mends what it did, the row goes, and the entry with it.",
    bad='effect = "Logits move by 0.15."',
    good='effect = "Logits move by {largest}."',
)
def not_measured(context: Context) -> Iterator[Fault]:
    yield from unread(context.differences[1])
    try:
        parity = context.parity
    except CommittedError:  # S718
        return
    seen: dict[str, str] = {}
    for path, index, difference in _entries(context):
        for keys, message, fix in _wrong(difference, _home(path), parity):
            place = at(context, path, "difference", index, *keys)
            yield Fault(place, f"{difference.name}: {message}", fix)
        if difference.name in seen:
            message = f"the name '{difference.name}' is that of one in {seen[difference.name]}, too"
            yield Fault(at(context, path, "difference", index, "name"), message)
        seen.setdefault(difference.name, path)


def _entries(context: Context) -> Iterator[tuple[str, int, Difference]]:
    """Every difference, with its file and its place in it."""
    for path, file in context.differences[0].items():
        for index, difference in enumerate(file.difference):
            yield path, index, difference


def _home(path: str) -> str:
    """The method beside which a file lies."""
    return Path(path).parent.name


def _deviations(root: Path, parity: Parity) -> Iterator[tuple[Source, str, Comparison]]:
    """Every row that deviates, its place and its method; files have a row a line."""
    for path in sorted(root.glob("reference_impls/*/*/measured/parity.json")):
        method, name = path.parents[1].name, path.relative_to(root).as_posix()
        for line, row in enumerate(parity[method], start=2):
            if row.outcome == "deviates":
                yield Source(name, line, method), method, row


def _wrong(
    difference: Difference, home: str, parity: Parity
) -> Iterator[tuple[tuple[str, ...], str, str | None]]:
    """The key that is wrong, why, and a likelier value."""
    told = Told(difference, home, rows_of(difference, home, parity))
    measured = {row.note for _, row in told.rows}
    own = (home, *difference.methods)
    notes = [r.note for m in own for r in parity.get(m, ()) if r.outcome == "deviates"]
    for note in difference.notes:
        if note not in measured:
            yield ("notes",), f"no row that deviates has the note '{note}'", nearest(note, notes)
    for method in difference.methods:
        if method not in told.methods:
            message = f"'{method}' has no row with these notes"
            yield ("methods",), message, nearest(method, parity)
    if told.rows and not told.version:
        yield ("library",), f"none of its rows is of '{difference.library}'", None
    if told.rows:
        try:
            told.effect()
        except CommittedError as error:
            yield ("effect",), str(error).partition(": ")[2], None
    for number in difference.unchecked():
        message = f"{number} stands in the effect alone; put it in, as {{largest}}"
        yield ("effect",), message, None
