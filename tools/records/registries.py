"""Records by identifier from arXiv, the registries of DOIs, the ACL Anthology and OpenReview."""

from __future__ import annotations

import json
from urllib.parse import quote

from . import atom, bib, csl
from .connections import FetchError
from .names import split_name
from .record import Record, SourceError
from .web import Answer, Fetcher, Politeness

ARXIV = "https://export.arxiv.org/api/query"
DOI = "https://doi.org/"
ACL = "https://aclanthology.org/"
OPENREVIEW = "https://api2.openreview.net/notes"
# arXiv's terms of use: three seconds between two requests.
PAUSES = {"export.arxiv.org": 3.0}
# What each registry answers with, of the kinds that are kept as evidence.
KINDS = {"doi": "csl", "acl": "bibtex", "arxiv": "atom"}


class Registries:
    """Asks the registries. The addresses are arguments so that others can play them in tests."""

    def __init__(
        self,
        fetcher: Fetcher | None = None,
        *,
        arxiv: str = ARXIV,
        doi: str = DOI,
        acl: str = ACL,
        openreview: str = OPENREVIEW,
    ) -> None:
        self.fetcher = fetcher or Fetcher(politeness=Politeness(pauses=PAUSES))
        self._arxiv, self._doi, self._acl, self._openreview = arxiv, doi, acl, openreview

    def raw(self, registry: str, identifier: str) -> str:
        """What a registry of KINDS answers, to the letter. Raises SourceError."""
        answer = getattr(self, f"_{registry}_answer")(identifier)
        try:
            return answer.body.decode()
        except UnicodeDecodeError as error:
            raise SourceError(f"{registry} {identifier}: the answer is no UTF-8: {error}") from None

    def arxiv(self, identifier: str) -> Record:
        """What arXiv says. Raises SourceError."""
        return atom.record(self._arxiv_answer(identifier).body, f"arXiv {identifier}")

    def _arxiv_answer(self, identifier: str) -> Answer:
        return self._get(f"{self._arxiv}?id_list={quote(identifier)}&max_results=1", "arXiv")

    def doi(self, identifier: str) -> Record:
        """What Crossref, DataCite or another agency says of a DOI. Raises SourceError."""
        answer = self._doi_answer(identifier)
        name = f"DOI {identifier}"
        try:
            item = json.loads(answer.body)
        except ValueError:
            kind = answer.headers.get("Content-Type", "no type")
            raise SourceError(f"{name}: the answer is {kind}, not CSL-JSON") from None
        agency = str(item.get("source", "doi")).lower() if isinstance(item, dict) else "doi"
        return csl.record(item, name, agency)

    def _doi_answer(self, identifier: str) -> Answer:
        wanted = {"Accept": "application/vnd.citationstyles.csl+json"}
        return self._get(f"{self._doi}{quote(identifier)}", "doi.org", wanted)

    def acl(self, identifier: str) -> Record:
        """What the ACL Anthology says. Raises SourceError."""
        text = self._acl_answer(identifier).body.decode("utf-8", errors="replace")
        found = bib.records(text, f"ACL {identifier}")
        return Record(**{**vars(found[0]), "source": "acl", "acl": identifier})

    def _acl_answer(self, identifier: str) -> Answer:
        return self._get(f"{self._acl}{quote(identifier)}.bib", "the ACL Anthology")

    def openreview(self, identifier: str) -> Record:
        """What OpenReview says, where it answers programs at all. Raises SourceError."""
        url = f"{self._openreview}?id={quote(identifier)}"
        try:
            notes = json.loads(self._get(url, "OpenReview").body)["notes"]
            content = {key: value["value"] for key, value in notes[0]["content"].items()}
            title, names = content["title"], content["authors"]
        except (ValueError, KeyError, IndexError, TypeError):
            raise SourceError(f"OpenReview {identifier}: the answer holds no such note") from None
        return Record(
            source="openreview",
            title=str(title),
            authors=tuple(split_name(str(name)) for name in names),
            venue=str(content.get("venue", "")),
            openreview=identifier,
        ).tidy()

    def _get(self, url: str, who: str, headers: dict[str, str] | None = None) -> Answer:
        try:
            answer = self.fetcher.patiently(url, headers=headers)
        except FetchError as error:
            raise SourceError(f"{who}: {error}") from None
        if answer.status == 404:
            raise SourceError(f"{who}: knows no such work")
        if answer.status in (401, 403):
            raise SourceError(f"{who}: refuses programs; paste its BibTeX into a file instead")
        if answer.status != 200:
            raise SourceError(f"{who}: answers with status {answer.status}; try again later")
        return answer
