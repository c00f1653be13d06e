"""Identifiers in whatever is given for one: bare, with a prefix, in a link, in Markdown.

What is found has the form that the catalog's schema asks for; nothing else is called an identifier.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

from ..data.schema import ACL, ARXIV, DOI, OPENREVIEW

KINDS = ("arxiv", "doi", "acl", "openreview")

_ARXIV, _ACL = (pattern.strip("^$") for pattern in (ARXIV, ACL))
_ARXIV_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"(?i:arxiv:)?(?P<id>{_ARXIV})(?:v\d+)?",
        rf"(?i:(?:https?://)?(?:(?:dx\.|www\.)?doi\.org/)?(?:doi:)?10\.48550/arxiv\.)"
        rf"(?P<id>{_ARXIV})(?:v\d+)?",
        r"(?i:(?:https?://)?(?:[\w-]+\.)*(?:arxiv|ar5iv)(?:\.labs\.arxiv)?\.org)"
        rf"/(?:abs|pdf|html|format|ps|src|e-print)/(?P<id>{_ARXIV})(?:v\d+)?(?:\.pdf)?/?",
    )
)
_LINK = re.compile(r"https?://|[\w-]+(?:\.[\w-]+)*\.org/", re.IGNORECASE)
_DOI_PREFIX = re.compile(r"(?:https?://)?(?:(?:dx\.|www\.)?doi(?:\.acm)?\.org/)?(?:doi:)?", re.I)
_ACL_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?P<id>{_ACL})",
        rf"10\.18653/v1/(?P<id>{_ACL})",
        r"(?:https?://)?(?:www\.)?(?:aclanthology\.(?:org|info)|aclweb\.org/anthology)"
        rf"(?:/papers)?/(?P<id>{_ACL})(?:v\d+)?(?:\.pdf|\.bib)?/?",
    )
)


def find(text: str) -> dict[str, str]:
    """The first identifier of each kind that the text holds, by its kind."""
    found: dict[str, str] = {}
    for token in _tokens(text) if text else ():
        for kind, read in (("arxiv", _arxiv), ("doi", _doi), ("acl", _acl), ("openreview", _note)):
            if kind not in found and (value := read(token)):
                found[kind] = value
    return found


def _tokens(text: str) -> list[str]:
    """The words of a text without the marks around them; what stands in brackets is one."""
    pieces = re.split(r"\s+|\]\(|[,;](?=\s*(?:10\.|$))", text)
    return [token for piece in pieces if (token := _trimmed(piece))]


def _trimmed(token: str) -> str:
    token, before = token.lstrip("<[('\""), ""
    while token != before:  # what stood in front of one mark may be another
        before, token = token, token.rstrip(".,;:'\"]")
        alone = token.endswith(">") and "<" not in token  # old DOIs hold both
        if alone or (token.endswith(")") and token.count(")") > token.count("(")):
            token = token[:-1]
    return token


def _path(token: str) -> str:
    """A link without its query and fragment; anything else as it is."""
    return _trimmed(re.split(r"[?#]", token)[0]) if _LINK.match(token) else token


def _arxiv(token: str) -> str:
    path = _path(token)
    matches = (form.fullmatch(path) for form in _ARXIV_FORMS)
    return next((match["id"] for match in matches if match), "")


def _doi(token: str) -> str:
    value = _DOI_PREFIX.sub("", _path(token), count=1)
    value = unquote(value) if value != token and "%" in value else value
    if not re.fullmatch(DOI, value) or _arxiv(value):
        return ""
    return f"10.18653/v1/{acl}" if (acl := _acl(value)) else value


def _acl(token: str) -> str:
    path = _path(token)
    matches = (form.fullmatch(path) for form in _ACL_FORMS)
    value = next((match["id"] for match in matches if match), "")
    return value.lower() if value[:4].isdigit() else value.upper()


def _note(token: str) -> str:
    """The id of a forum or a PDF at OpenReview."""
    if "openreview.net" not in token.lower():
        return ""
    try:
        link = urlsplit(token if "://" in token else f"https://{token}")
    except ValueError:
        return ""
    if link.hostname not in ("openreview.net", "www.openreview.net"):
        return ""
    value = parse_qs(link.query).get("id", [""])[0]
    page = link.path.strip("/")
    return value if page in ("forum", "pdf") and re.fullmatch(OPENREVIEW, value) else ""
