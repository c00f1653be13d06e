"""S714, S715: each method is compared with its official code, number by number."""

from __future__ import annotations

from collections.abc import Iterator

from ..data import official
from ..data.twins import without_claim, without_twin
from . import Context, Fault, Source, rule
from .places import at, file_beside, source_of, unread


@rule(
    "S714",
    "Method not compared with its official code",
    "The file official.toml beside a method names the official code and the commit that was read, "
    "or says why there is none, and answers the checklist of what recipes of training differ in: "
    "start, schedule, warm_up, decay, clipping, dropout, label_smoothing, loss and targets are "
    "'equal', 'none', or both sides in words. A quoted line of code has the number in it that is "
    "said to be there.",
    bad='[settings]\ndecay = "as usual"',
    good='[settings]\ndecay = { official = "0.1 [`run.sh`]", here = "none" }',
)
def not_compared(context: Context) -> Iterator[Fault]:
    found, unreadable = context.officials
    yield from unread(unreadable)
    for implementation in context.implementations[0].values():
        path = file_beside(implementation, official.FILE)
        if path not in found and path not in unreadable:
            message = f"is not compared with its official code; add {path} with [settings]"
            yield Fault(source_of(implementation), message)


@rule(
    "S715",
    "Number without a twin",
    "Each number that a docstring has from official code, that is before a source with a file or a "
    "name of that code in it, or in a sentence that speaks of official code, stands in "
    "official.toml too: with the file, its line and the value in that line, or with what else it "
    "is of. So do the numbers of the checklist. The words that stand there are the docstring's.",
    bad='"at a rate of 1e-3. [`run.sh`]" in a docstring, without a [[number]]',
    good='[[number]]\nsays = "rate of 1e-3"\nfile = "run.sh"\nline = "lr=1e-3"\n'
    'pattern = "lr=(.+)"\nvalue = 1e-3',
)
def number_without_twin(context: Context) -> Iterator[Fault]:
    for implementation in context.implementations[0].values():
        path = file_beside(implementation, official.FILE)
        if path not in context.officials[0]:
            continue
        declared = context.officials[0][path]
        for number, around, setting in without_twin(implementation.page, declared):
            place = Source(implementation.path, 1, implementation.name)
            place = at(context, path, "settings", setting) if setting else place
            message = f"{number} in '…{around}…' has no [[number]] in {path} with its line of code"
            yield Fault(place, message)
        for index, message in without_claim(implementation.page, declared):
            yield Fault(at(context, path, "number", index, "says"), message)
