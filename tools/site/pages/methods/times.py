"""What a method takes in time beside the untouched model, full fine-tuning and a library."""

from __future__ import annotations

from markupsafe import Markup

from ....atlas import Atlas
from ....data.times import SIZES, Against, Ratio, Timed
from ....text.escape import page, safe
from ....text.markup import table
from ....text.words import count
from ...shared.times import HOW, noise

ROWS = {
    "step": "Training step",
    "forward-1": "Forward pass, one row",
    "forward-32": "Forward pass, 32 rows",
    "merged-1": "Merged, one row",
    "merged-32": "Merged, 32 rows",
    "generation": "Generation",
}
NONE = "–"


def times(atlas: Atlas, method: str) -> dict[str, object] | None:
    """The table, how it was measured, and what else there is to say; None without any times."""
    sizes = atlas.times.get(method, {})
    run = {size: timed for size, timed in sizes.items() if timed.times}
    if not run:
        return None
    stale = [SIZES.get(size, size) for size, timed in sizes.items() if not timed.current]
    return {
        "table": measured(run),
        "how": safe(f"{HOW} {noise(atlas, method)}".rstrip()),
        "more": safe(". ".join(more(sizes)) + "."),
        "stale": ", ".join(stale),
    }


def measured(run: dict[str, Timed]) -> Markup:
    """A row for each thing that was timed; a column for each size, and for its twin."""
    head = [""]
    for size, timed in run.items():
        title = SIZES.get(size, size)
        head += [page(title), *([page(f"{title}, beside {timed.twin}")] if timed.twin else [])]
    rows = [
        [label, *(cell for timed in run.values() for cell in cells(timed, timed.times.get(what)))]
        for what, label in ROWS.items()
        if any(what in timed.times for timed in run.values())
    ]
    if any(timed.kept for timed in run.values()):
        rows.append(
            ["Bytes kept for backward", *(c for timed in run.values() for c in kept(timed))]
        )
    return table(head, "l" + "r" * (len(head) - 1), rows)


def cells(timed: Timed, against: Against | None) -> list[str]:
    """Beside the base, and where there is a twin beside it."""
    ratios = [against and against.base, *([against and against.twin] if timed.twin else [])]
    return [shown(ratio) if ratio else NONE for ratio in ratios]


def kept(timed: Timed) -> list[str]:
    return [NONE, *([f"×{timed.kept:.2f}" if timed.kept else NONE] if timed.twin else [])]


def shown(ratio: Ratio) -> str:
    """The median, and below it the middle half of the rounds."""
    return f"×{ratio.median:.2f}<br><small>{ratio.low:.2f} to {ratio.high:.2f}</small>"


def more(sizes: dict[str, Timed]) -> list[str]:
    """Of each size its batches and what differs from the defaults, or why it is refused."""
    found = []
    for size, timed in sizes.items():
        title = page(SIZES.get(size, size))
        if timed.refused:
            found.append(f"Not on {title}: {page(timed.refused)}")
        else:
            found.append(f"{title}: {page('; '.join([*batches(timed), *notes(timed)]))}")
    return [*found, page(", ".join(versions(sizes)))]


def batches(timed: Timed) -> list[str]:
    """'a step has 8 rows of 32 tokens', …"""
    words = {"step": "a step has", "forward-1": "a pass has", "forward-32": "the other has"}
    found = []
    for what, (rows, tokens) in timed.batches.items():
        if what in words:
            found.append(f"{words[what]} {count(rows, 'row')} of {tokens} tokens")
        elif what == "generation":
            found.append(f"{timed.tokens} tokens are generated after {tokens}")
    return found


def notes(timed: Timed) -> list[str]:
    """What tells this from the method's defaults, and the method from its twin."""
    found = [", ".join(f"{name} = {value}" for name, value in timed.settings.items())]
    if timed.phases > 1:
        found.append(f"the step is that of the longest of {timed.phases} phases")
    if timed.trained and timed.trained[0] != timed.trained[1]:
        ours, theirs = timed.trained
        found.append(f"{timed.twin} trains {theirs:,} numbers, this method {ours:,}")
    return [note for note in found if note]


def versions(sizes: dict[str, Timed]) -> list[str]:
    """Those of the libraries, and the processors, each once."""
    found = [
        value if name == "processor" else f"{name} {value}"
        for timed in sizes.values()
        for name, value in timed.versions.items()
    ]
    return list(dict.fromkeys(found))
