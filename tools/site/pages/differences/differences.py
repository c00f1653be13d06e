"""Where libraries do otherwise than the papers or the files here, each difference once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from ....data.differences import SEVERITIES, Severity, Told
from ...shared.method_words import title
from ...shared.site import Site

PAGE = "differences"  # beside the methods' pages
MEANINGS: dict[Severity, str] = {
    "bug": "wrong by the library's own intention, or an error on what it should run",
    "deviation": "not what the paper says, or another reading of it",
    "default": "only the default is another; it can be set",
    "layout": "the same function, stored or counted in another way",
    "scope": "what one of the two runs on and the other refuses, or says that it cannot do",
}


def pages(site: Site) -> Iterator[tuple[str, str]]:
    """The page. Raises CommittedError where an effect names a figure that its rows lack."""
    found = site.atlas.told
    libraries = sorted({told.difference.library for told in found})
    number = Counter((told.difference.library, told.difference.severity) for told in found)
    severities = [name for name in SEVERITIES if any(number[each, name] for each in libraries)]
    methods = sorted({(title(site.atlas, m), m) for told in found for m in told.methods})
    yield site.render(
        "differences.md.j2",
        f"methods/{PAGE}.md",
        found=found,
        libraries=libraries,
        severities=severities,
        meanings=MEANINGS,
        number=number,
        methods=methods,
        rows=sum(len(told.rows) for told in found),
        title_of=lambda name: title(site.atlas, name),
        thread=thread,
    )


def thread(told: Told) -> str:
    """'huggingface/peft#3761': the name of the address of an issue."""
    owner, repository, _, number = urlsplit(told.difference.upstream).path.strip("/").split("/")
    return f"{owner}/{repository}#{number}"
