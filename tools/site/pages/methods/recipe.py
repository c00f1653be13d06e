"""How a method is trained by its official code and here: the checklist of `official.toml`."""

from __future__ import annotations

from markupsafe import Markup

from ....data.official import Official
from ....text.escape import html, page, safe
from ....text.markup import code, listed, table, with_code

LABELS = {
    "start": "Start",
    "schedule": "Schedule",
    "warm_up": "Warm-up",
    "decay": "Weight decay",
    "clipping": "Clipping of gradients",
    "dropout": "Dropout",
    "label_smoothing": "Label smoothing",
    "loss": "Loss",
    "targets": "What is trained",
}


def recipe(official: Official) -> dict[str, object]:
    """What differs as a table, what does not as a sentence, and what code was read."""
    settings = official.settings.items()
    rows = [
        [page(LABELS[key]), with_code(setting.official), with_code(setting.here)]
        for key, setting in settings
        if setting.differs
    ]
    return {
        "table": table(["", "Official code", "Here"], "lll", rows) if rows else None,
        "same": safe(" ".join(filter(None, (_alike(official, *how) for how in ALIKE)))),
        "read": _read(official),
    }


ALIKE = (("equal", "Equal"), ("none", "In neither"))


def _alike(official: Official, word: str, says: str) -> str:
    names = [
        LABELS[key].lower()
        for key, setting in official.settings.items()
        if setting.official == word
    ]
    return f"**{says}:** {page(listed(names))}." if names else ""


def _read(official: Official) -> Markup:
    """The commits that were read, or why there are none."""
    if not official.code:
        return page(official.unavailable)
    links = listed(
        f'<a href="{html(read.url)}">{page(read.repository)}</a> at {code(read.commit[:7])}'
        for read in official.code
    )
    lines = sum(len(number.lines) or bool(number.file) for number in official.number)
    kept = (
        f"; {lines} of its lines are kept, and the numbers on this page held to them"
        if lines
        else ""
    )
    return safe(f"Read: {links}{kept}.")
