"""S4xx: what an entry says in one place agrees with what it says in another."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..data.papers import arxiv_year
from ..data.schema import Paper
from ..text.slugs import folded
from . import Context, Fault, rule

# The first letter of an ACL Anthology identifier of before 2020.
_OLD_ACL = {
    "A": "ANLP",
    "C": "COLING",
    "D": "EMNLP",
    "E": "EACL",
    "I": "IJCNLP",
    "J": "CL",
    "K": "CoNLL",
    "L": "LREC",
    "M": "MUC",
    "N": "NAACL",
    "P": "ACL",
    "Q": "TACL",
    "S": "SemEval",
}
_YEAR = re.compile("[0-9]{4}|nd")
_ACL_DOI = "10.18653/v1/"
_ARXIV_DOI = "10.48550/"


def _plausible(posted: int, published: int) -> bool:
    return posted - 1 <= published <= posted + 5


def _id_year(paper: Paper) -> int | None:
    digits = re.search("[0-9]{4}", paper.id)
    return int(digits[0]) if digits else None


@rule(
    "S401",
    "Year against arXiv identifier",
    "An arXiv identifier starts with the year and month of its first version. A paper appears at "
    "most five years after that, and at most one year before.",
    bad="year: 2012",
    good="year: 2022",
)
def year_against_arxiv(context: Context) -> Iterator[Fault]:
    for path, paper in context.papers:
        posted = arxiv_year(paper.arxiv)
        if posted is not None and paper.year is not None and not _plausible(posted, paper.year):
            message = f"{paper.year} does not go with arXiv identifier {paper.arxiv} of {posted}"
            yield Fault((*path, "year"), message)


@rule(
    "S402",
    "Year in the id",
    "The id carries the year in which the work first appeared: that of its arXiv identifier or, if "
    "it has none or was published earlier, that of its publication. Without an arXiv identifier "
    "the id may be earlier than the publication, for a preprint elsewhere. An undated work has nd.",
    bad="- id: microsoft2020tuning",
    good="- id: microsoftndtuning",
)
def year_in_id(context: Context) -> Iterator[Fault]:
    for path, paper in context.papers:
        named, posted = _id_year(paper), arxiv_year(paper.arxiv)
        where = (*path, "id")
        if named is None:
            if paper.year is not None:
                yield Fault(where, f"says nd, but year is {paper.year}")
        elif paper.year is None:
            yield Fault(where, f"says {named}, but year is missing; write nd instead")
        elif posted is not None:
            first = min(posted, paper.year)
            if named != first and _plausible(posted, paper.year):
                yield Fault(where, f"says {named}, but the paper first appeared in {first}")
        elif named > paper.year:
            yield Fault(where, f"says {named}, but year is {paper.year}")


@rule(
    "S403",
    "ACL Anthology identifier against year",
    "An ACL Anthology identifier starts with the year of publication, which is the entry's year.",
    bad='acl: "2021.acl-long.1"',
    good='acl: "2022.acl-long.1"',
)
def acl_against_year(context: Context) -> Iterator[Fault]:
    for path, paper in context.papers:
        if not paper.acl or paper.year is None:
            continue
        if paper.acl[0].isalpha():
            digits = paper.acl[1:3]
            year = int(digits) + (1900 if digits > "50" else 2000)
        else:
            year = int(paper.acl[:4])
        if year != paper.year:
            yield Fault((*path, "acl"), f"'{paper.acl}' is of {year}, but year is {paper.year}")


@rule(
    "S404",
    "ACL Anthology identifier against venue",
    "An ACL Anthology identifier names the venue: 2021.emnlp-main.468 is in EMNLP and "
    "2022.findings-acl.1 in Findings of ACL.",
    bad='acl: "2022.emnlp-main.1"',
    good='acl: "2022.acl-long.1"',
)
def acl_against_venue(context: Context) -> Iterator[Fault]:
    kinds = {venue.id: venue.kind for _, venue in context.venues}
    for path, paper in context.papers:
        if not paper.acl or kinds.get(paper.venue) in (None, "preprint"):
            continue
        workshop = kinds[paper.venue] == "workshop"
        words = set(re.findall("[a-z0-9]+", paper.venue.casefold()))
        if paper.acl[0].isalpha():
            letter, volume = paper.acl[0], paper.acl[4]
            named = _OLD_ACL.get(letter)
            # W is for workshops, and so were the high volumes of the conferences in 2018 and 2019.
            if workshop and (letter == "W" or volume >= "4"):
                continue
            agrees = named is not None and named.casefold() in words
            named = named or "a workshop"
        else:
            collection, volume = paper.acl[5:].split("-", 1)
            named = collection.upper()
            agrees = workshop or collection in words
            if collection == "findings":
                conference = volume.partition(".")[0]
                named = f"Findings of {conference.upper()}"
                agrees = {"findings", conference} <= words
            elif "findings" in words:
                agrees = False
        if not agrees:
            message = f"'{paper.acl}' is in {named}, but venue is {paper.venue}"
            yield Fault((*path, "acl"), message)


@rule(
    "S405",
    "DOI of the preprint",
    "The DOIs that arXiv gives to its preprints say the same as `arxiv`. `doi` is for the DOI of "
    "the publication.",
    bad='doi: "10.48550/arXiv.2106.09685"',
    good='doi: "10.5281/zenodo.1"',
)
def arxiv_doi(context: Context) -> Iterator[Fault]:
    for path, paper in context.papers:
        if paper.doi and paper.doi.startswith(_ARXIV_DOI):
            number = paper.doi.removeprefix(_ARXIV_DOI)[len("arXiv.") :]
            yield Fault((*path, "doi"), f'is arXiv\'s own; write arxiv: "{number}" and no doi')


@rule(
    "S406",
    "Preprint against published",
    "An entry whose venue is arXiv is a preprint: it has an arXiv identifier, and neither a DOI "
    "nor an ACL Anthology identifier of a publication. If it was published, name the venue.",
    bad="venue: arXiv\n    kind: analysis",
    good="venue: ACL\n    kind: analysis",
)
def preprint_against_published(context: Context) -> Iterator[Fault]:
    for path, paper in context.papers:
        if paper.venue != "arXiv":
            continue
        published = paper.acl or paper.doi
        if not paper.arxiv:
            yield Fault((*path, "venue"), "is arXiv, but there is no arxiv identifier")
        elif published and not published.startswith(_ARXIV_DOI):
            message = f"is arXiv, but '{published}' says that the paper was published"
            yield Fault((*path, "venue"), message)


@rule(
    "S407",
    "Id against first author",
    "An id starts with the first author's family name in lower-case ASCII (Rücklé: ruckle, Ben "
    "Zaken: benzaken), followed by the year. Of a name of several words, the first or the last "
    "ones will do, and of a name in other letters than Latin ones any spelling.",
    bad="- id: mitndtuning",
    good="- id: microsoftndtuning",
)
def id_against_author(context: Context) -> Iterator[Fault]:
    for path, paper in context.papers:
        first = paper.names[0]
        words = first.family.split()
        # The whole name, then its last words, then its first ones: mahabadi, logan (of Logan IV).
        names = [ascii_fold("".join(words[i:])) for i in range(len(words))]
        names += [ascii_fold("".join(words[:i])) for i in range(len(words) - 1, 0, -1)]
        if not any(names):
            continue  # a name in other letters, which whoever adds the paper writes as they see fit
        followed = (paper.id.removeprefix(name) for name in names if paper.id.startswith(name))
        if not any(_YEAR.match(rest) for rest in followed):
            message = f"'{paper.id}' does not start with '{names[0]}' and a year"
            yield Fault((*path, "id"), message)


def ascii_fold(name: str) -> str:
    """A name in lower-case ASCII letters: 'Rücklé' gives 'ruckle'."""
    return re.sub("[^a-z]", "", folded(name))


@rule(
    "S408",
    "ACL DOI against ACL Anthology identifier",
    "The DOIs of the ACL Anthology end with its identifier, so the two must agree, and one gives "
    "the other.",
    bad='doi: "10.18653/v1/2022.acl-long.1"\n    acl: "2022.acl-long.433"',
    good='doi: "10.18653/v1/2022.acl-long.433"\n    acl: "2022.acl-long.433"',
)
def doi_against_acl(context: Context) -> Iterator[Fault]:
    for path, paper in context.papers:
        if not paper.doi or not paper.doi.startswith(_ACL_DOI):
            continue
        named = paper.doi.removeprefix(_ACL_DOI)
        if not paper.acl:
            yield Fault((*path, "doi"), f'is of the ACL Anthology; add acl: "{named}"')
        elif named.casefold() != paper.acl.casefold():
            yield Fault((*path, "doi"), f"ends with '{named}', but acl is '{paper.acl}'")


@rule(
    "S409",
    "Main branch below the top",
    "`main` marks branches at the top of the taxonomy.",
    bad="a node with main: true below another node",
    good="main: true on a node at the top",
)
def main_below_top(context: Context) -> Iterator[Fault]:
    for path, node in context.nodes:
        if node.main and (len(path) > 2 or node.is_leaf):
            yield Fault((*path, "main"), "only a branch at the top of the tree can be main")


@rule(
    "S410",
    "Badge color too light",
    "The venue's name is written in white on its color. The contrast must be at least 4.5, the "
    "value that the accessibility guidelines (WCAG 2, success criterion 1.4.3) ask for.",
    bad='color: "#ffcc00"',
    good='color: "#1a6b3c"',
)
def badge_contrast(context: Context) -> Iterator[Fault]:
    for path, venue in context.venues:
        contrast = 1.05 / (_luminance(venue.color) + 0.05)
        if contrast < 4.5:
            message = f"{venue.color} has contrast {contrast:.2f} with white; 4.5 is the least"
            yield Fault((*path, "color"), message)


def _luminance(color: str) -> float:
    """Relative luminance of an sRGB color, 0 to 1, as WCAG 2 defines it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


_KEYED = {
    "arxiv": re.compile(
        r"https?://(?:www\.)?arxiv\.org/(?:abs|pdf)/([^?#]+?)(?:v\d+)?(?:\.pdf)?/?"
    ),
    "doi": re.compile(r"https?://(?:dx\.)?doi\.org/(.+)"),
    "acl": re.compile(r"https?://(?:www\.)?aclanthology\.org/([^/?#]+?)(?:\.pdf)?/?"),
    "openreview": re.compile(r"https?://openreview\.net/(?:forum|pdf)\?id=([^&#]+).*"),
}


@rule(
    "S411",
    "Link instead of identifier",
    "Where an identifier gives the link, write the identifier: it is shorter, can be compared with "
    "others, and the link follows from it.",
    bad="url: https://arxiv.org/abs/2106.09685",
    good="url: https://example.org/notes",
)
def link_for_identifier(context: Context) -> Iterator[Fault]:
    for path, paper in context.papers:
        for key, pattern in _KEYED.items():
            found = pattern.fullmatch(paper.url or "")
            if found:
                yield Fault((*path, "url"), f'write {key}: "{found[1]}" and no url')


@rule(
    "S412",
    "Built on a later paper",
    "A paper builds on what had appeared before it. What counts is the year in the id, that of the "
    "first appearance, and within one year the months of the arXiv identifiers, where both papers "
    "have one of that year.",
    bad="builds_on: [mao2021unipelt]",
    good="builds_on: [ruckle2020drop]",
)
def built_on_later(context: Context) -> Iterator[Fault]:
    first = {paper.id: _first(paper) for _, paper in context.papers}
    for path, paper in context.papers:
        year, month = first[paper.id]
        for i, other in enumerate(paper.builds_on):
            other_year, other_month = first.get(other, (None, None))
            if year is None or other_year is None:
                continue
            same_year = year == other_year and month is not None and other_month is not None
            if other_year > year or (same_year and other_month > month):
                message = f"'{other}' first appeared {_moment(other_year, other_month)}"
                message += f", this paper {_moment(year, month)}"
                yield Fault((*path, "builds_on", i), message)


def _first(paper: Paper) -> tuple[int | None, int | None]:
    """Year and month in which a paper first appeared, as far as its identifiers tell."""
    year = _id_year(paper)
    if paper.arxiv and year == arxiv_year(paper.arxiv):
        return year, int(paper.arxiv.rpartition("/")[2][2:4])
    return year, None


def _moment(year: int, month: int | None) -> str:
    return f"in {year}-{month:02}" if month else f"in {year}"


@rule(
    "S413",
    "Too many works to start with",
    "At most five works of a leaf say by `start_here` that they are to be read first. What counts "
    "is the first leaf of an entry.",
    bad="a sixth paper of a leaf with start_here",
    good="five papers of a leaf with start_here",
)
def too_many_starts(context: Context) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for path, paper in context.papers:
        if paper.start_here:
            leaf = paper.leaves[0]
            first[leaf] = first.get(leaf, 0) + 1
            if first[leaf] > 5:
                yield Fault(
                    (*path, "start_here"), f"is one too many in '{leaf}'; five are the most"
                )
