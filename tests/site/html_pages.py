"""A built site as the tests look at it: every page parsed by the standard library."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
# What a browser fetches on its own when it shows a page.
FETCHED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "object": ("data",),
    "embed": ("src",),
    "use": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
    "input": ("src",),
}


@dataclass
class Element:
    """One start tag, its attributes, and the text inside it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class HtmlPage(HTMLParser):
    """A page's elements in document order, its text, and its prose: the text but for code."""

    path: str
    elements: list[Element] = field(default_factory=list)
    text: str = ""
    prose: str = ""
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self.open) - 1, -1, -1):
            if self.open[depth].tag == tag:
                del self.open[depth:]
                break

    def handle_data(self, data: str) -> None:
        tags = {element.tag for element in self.open}
        if not tags & {"script", "style"}:
            self.text += data
            self.prose += "" if tags & {"code", "pre"} else data
        for element in self.open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    @property
    def anchors(self) -> set[str]:
        ids = {element.attributes.get("id") for element in self.elements}
        names = {element.attributes.get("name") for element in self.all("a")}
        return (ids | names) - {None}

    @property
    def links(self) -> list[str]:
        return [e.attributes["href"] for e in self.all("a") if "href" in e.attributes]

    @property
    def fetched(self) -> list[str]:
        """Every address that the page makes a browser fetch."""
        found = [
            element.attributes[name]
            for element in self.elements
            for name in FETCHED.get(element.tag, ())
            if name in element.attributes
        ]
        passive = {"canonical", "prev", "next", "alternate", "edit", "license", "author"}
        for link in self.all("link"):
            if not set(link.attributes.get("rel", "").split()) <= passive:
                found.append(link.attributes.get("href", ""))
        return found


def read_site(folder: Path) -> dict[str, HtmlPage]:
    """Every HTML page below `folder` by its path."""
    pages = {}
    for file in sorted(folder.rglob("*.html")):
        page = HtmlPage(file.relative_to(folder).as_posix())
        page.feed(file.read_text(encoding="utf-8"))
        page.close()
        pages[page.path] = page
    return pages


def is_external(link: str) -> bool:
    parts = urlsplit(link)
    return bool(parts.scheme or parts.netloc)


def target(page: HtmlPage, link: str) -> tuple[str, str]:
    """The file and the anchor that an internal link leads to, whatever it asks of the page."""
    address, anchor = urldefrag(urljoin(page.path, link))
    address = address.partition("?")[0]
    return unquote(address), unquote(anchor)
