"""Build the pages with Zensical too and compare both sites page by page.

    python -m tests.site.same_tree ZENSICAL

takes the Zensical executable, expects `site/` to be built, and says where an article's text, links,
anchors, or the page's scripts and meta elements differ. Returns 1 if they do anywhere.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.site.html_pages import HtmlPage, is_external, read_site, target
from tools.data.files import ROOT


def article(page: HtmlPage, folder: Path) -> HtmlPage:
    """The part of the page that comes from its Markdown."""
    text = (folder / page.path).read_text(encoding="utf-8")
    part = HtmlPage(page.path)
    part.feed(text[text.find("<article") : text.rfind("</article>")])
    part.close()
    return part


def facts(page: HtmlPage, folder: Path) -> dict[str, object]:
    """What must not depend on who builds the site."""
    part = article(page, folder)
    own = [link for link in page.fetched if re.search(r"assets/[\w-]+\.(js|css)$", link)]
    data = [e.text for e in page.all("script") if "ld+json" in e.attributes.get("type", "")]
    return {
        "text": " ".join(part.text.replace("¶", "").split()),
        "links": sorted(
            {link if is_external(link) else "#".join(target(page, link)) for link in part.links}
        ),
        "anchors": sorted(a for a in part.anchors if not a.startswith("__")),
        "scripts and styles": sorted({target(page, link)[0] for link in own}),
        "meta": sorted(
            (e.attributes.get("name") or e.attributes.get("property"), e.attributes["content"])
            for e in page.all("meta")
            if re.match(r"citation_|description|og:", "".join(e.attributes.values()))
        ),
        "linked data": [json.loads(text) for text in data],
    }


def differences(ours: Path, theirs: Path) -> Iterator[str]:
    """A line for each page that is missing or differs."""
    one, other = read_site(ours), read_site(theirs)
    yield from (f"{path}: only one of the two has it" for path in sorted(one.keys() ^ other.keys()))
    for path in sorted(one.keys() & other.keys() - {"404.html"}):
        mine, yours = facts(one[path], ours), facts(other[path], theirs)
        for name, value in mine.items():
            if value != yours[name]:
                yield f"{path}: {name}: {difference(value, yours[name])}"


def difference(one: object, other: object) -> str:
    """Where the two part."""
    if isinstance(one, str) and isinstance(other, str):
        pairs = enumerate(zip(f"{one}\0", f"{other}\1"))
        same = next(place for place, (a, b) in pairs if a != b)
        start = max(0, same - 30)
        return f"…{one[start : same + 50]!r} / …{other[start : same + 50]!r}"
    return f"{[x for x in one if x not in other][:3]} / {[x for x in other if x not in one][:3]}"


def main(zensical: str) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "mkdocs.yml", folder)
        for part in ("docs", "overrides"):
            shutil.copytree(ROOT / part, folder / part)
        subprocess.run([zensical, "build", "--clean"], cwd=folder, check=True)
        found = list(differences(ROOT / "site", folder / "site"))
    print("\n".join(found) or "Both sites say the same.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
