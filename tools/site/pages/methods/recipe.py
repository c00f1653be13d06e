"""How a method is trained by its official code and here: the checklist of `official.toml`."""

from __future__ import annotations

from markupsafe import Markup

from ....data.official import UNKNOWN, Official
from ....text.escape import html, page, safe
from ....text.markup import code, listed, table, with_code

LABELS = {
    "start": "Start",
    "schedule": "Schedule",
    "warm_up": "Warm-up",
    "decay": "Weight decay",
    "clipping": "Clipping",
    "dropout": "Dropout",
    "label_smoothing": "Label smoothing",
    "loss": "Loss",
    "targets": "What is trained",
}
FOLDED = {"equal": "Equal", "none": "In neither", UNKNOWN: "Not known of the official code"}


def recipe(official: Official) -> dict[str, Markup | None]:
    """What differs as a table, what does not as a sentence, and what code was read."""
    rows = [
        [page(LABELS[key]), with_code(setting.official), with_code(setting.here)]
        for key, setting in official.settings.items()
        if setting.official not in FOLDED
    ]
    return {
        "table": table(["", "Official code", "Here"], "lll", rows) if rows else None,
        "folded": safe(" ".join(_folded(official))),
        "read": _read(official),
    }


def _folded(official: Official) -> list[str]:
    """A sentence for each word that stands for both sides, or for want of one."""
    settings = official.settings.items()
    found = {
        says: [LABELS[key].lower() for key, setting in settings if setting.official == word]
        for word, says in FOLDED.items()
    }
    return [f"**{says}:** {page(listed(names))}." for says, names in found.items() if names]


def _read(official: Official) -> Markup:
    """The commits that were read, or why there are none."""
    if not official.code:
        return page(official.unavailable)
    links = listed(
        f'<a href="{html(read.url)}">{page(read.repository)}</a> at {code(read.commit[:7])}'
        for read in official.code
    )
    lines = sum(len(number.lines) or bool(number.file) for number in official.number)
    held = f"; numbers from it are held to {lines} of its lines" if lines > 1 else ""
    return safe(f"Read: {links}{held}.")
