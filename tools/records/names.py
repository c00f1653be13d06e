"""A person's or a group's name, from whatever source, or a refusal that says what to write.

Names come in three forms: split already (CSL), "Family, Given" or "Given Family" (RIS, registries),
and BibTeX's, whose braces keep words together. All end in one guard: what no name holds is refused.
"""

from __future__ import annotations

import re
import unicodedata

from bibtexparser.middlewares.names import InvalidNameError, parse_single_name_into_parts

from ..data.schema import Name
from .latex import decoded
from .plain import plain
from .record import SourceError

OTHERS = frozenset({"others", "et al", "et al.", "...", "…"})
LONGEST = 7  # words of a person's name
SUFFIX = re.compile(r"(?:[Jj]r|JR|[Ss]r|SR)\.?|I{2,3}|IV|2nd|3rd|4th")
_HOMONYM = re.compile(r"(?<=[\w.])\s+\d{4}(?=,|$)")  # DBLP numbers people of the same name
# Words of which a team's name has one first or last, and a person's none.
_TEAM = re.compile(
    "AI|LLC|(?i:teams?|collaboration|consortium|group|initiative|foundation|institute|university|"
    "inc\\.?|ltd\\.?|gmbh|laborator(?:y|ies)|labs?|corporation|research|project|committee|"
    "association|society|community|organi[sz]ation|cent(?:er|re)|department|workshop|network|"
    "alliance|council|agency|ministry|company|academy|contributors|developers)"
)
_NO_FAMILY = frozenset({"and", "for", "of", "the"})
_PARTS = frozenset({"family", "given", "prefix", "suffix"})
_SETTINGS = re.compile(
    r"(?:family|given|prefix|suffix)-i|useprefix|id|hash|sortingnamekeytemplatename"
)
# Blanks, commas and equal signs in braces stand aside while a name is split.
_ASIDE = {" ": "\ue000", ",": "\ue001", "=": "\ue002"}
_BACK = str.maketrans({aside: char for char, aside in _ASIDE.items()})
_TOKEN = re.compile(r"\\[A-Za-z]+\s*|\\.\s*|[{}]|[\s,=]", re.DOTALL)
_AND = re.compile(r"\\.|[{}]|(?<=\s)and(?=\s)", re.IGNORECASE | re.DOTALL)


def people(field: str) -> list[str]:
    """The names of a BibTeX field: what stands between the 'and's outside of braces."""
    depth = start = 0
    found = []
    for match in _AND.finditer(field):
        mark = match[0]
        depth += (mark == "{") - (mark == "}")
        if depth == 0 and mark.lower() == "and":
            found.append(field[start : match.start()])
            start = match.end()
    found.append(field[start:])
    return [" ".join(name.split()) for name in found if name.strip()]


def split_names(names: list[str]) -> tuple[Name, ...]:
    """The names of a list as BibTeX writes them.

    Raises SourceError where one is none, or is probably two: among names with the family name last,
    "Jane Doe, Ann Roe" is no "Family, Given".
    """
    given_first = any("," not in name and " " in name and name[0] != "{" for name in names)
    for name in names:
        halves = [half.split() for half in name.split(",")]
        written_out = all(w[0].isupper() and "." not in w for half in halves for w in half)
        if given_first and written_out and [len(half) for half in halves] == [2, 2]:
            raise SourceError(f"'{name}' is two people or one; write every name as 'Family, Given'")
    return tuple(map(split_name, names))


def split_name(latex: str) -> Name:
    """A name as BibTeX writes it; one that is all in braces is a group's.

    Raises SourceError where it is none.
    """
    latex = latex.strip()
    if latex.startswith("{") and _closes_at_the_end(latex):
        return _braced(decoded(latex))
    return person(decoded(_kept_together(latex)))


def _braced(text: str) -> Name:
    """A group; but a person whose name somebody put in braces with its comma is told."""
    halves = [half.split() for half in text.split(",")]
    words = [word for half in halves for word in half]
    if len(halves) == 2 and max(map(len, halves)) <= 2 and not any(map(_TEAM.fullmatch, words)):
        raise SourceError(f"{_shown(text)} is a group's in braces; a person's stands without them")
    return group(text)


def _closes_at_the_end(text: str) -> bool:
    depth = 0
    for match in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        depth += (match[0] == "{") - (match[0] == "}")
        if depth == 0:
            return match.end() == len(text)
    return False


def _kept_together(latex: str) -> str:
    depth = 0

    def aside(match: re.Match[str]) -> str:
        nonlocal depth
        mark = match[0]
        depth += (mark == "{") - (mark == "}")
        return _ASIDE.get(" " if mark.isspace() else mark, mark) if depth else mark

    return _TOKEN.sub(aside, latex)


def person(text: str) -> Name:
    """A name in plain letters, with its family name before a comma or last.

    One word alone, and words as teams have, are a group's. Raises SourceError where it is no name.
    """
    text = plain(text)
    if "=" in text:
        return _extended(text)
    if sign := re.search(r"[{}\\]", text):
        raise SourceError(f"{_shown(text)} holds '{sign[0]}'; write the letters themselves")
    bare = re.sub(r"^\d{4},\s*", "", text)  # the same number, taken for a family name
    bare = _HOMONYM.sub("", bare).strip(" ;")
    bare, closed = bare.rstrip(" ,"), bare.endswith(",")  # RIS closes a group's name with a comma
    if "," not in bare and (closed or " " not in bare or _is_team(bare)):
        return group(bare.translate(_BACK))
    try:
        parts = parse_single_name_into_parts(bare, strict=True)
    except InvalidNameError:
        raise SourceError(
            f"{_shown(text)} has too many commas; write 'and' between names"
        ) from None
    jr, given = parts.jr, parts.first
    if jr and len(given) == 1 and SUFFIX.fullmatch(given[0]):  # "Poe, Max, Jr."
        jr, given = given, jr
    if jr and not all(map(SUFFIX.fullmatch, jr)):
        raise SourceError(f"{_shown(text)} has two commas; write 'and' between names")
    family = [*parts.von, *parts.last]
    if len(family) == 1 and SUFFIX.fullmatch(family[0]) and len(given) > 1:  # "III, Jane Doe"
        inner = parse_single_name_into_parts(" ".join(given), strict=True)
        jr, family, given = family, [*inner.von, *inner.last], inner.first
    if len(given) > 1 and SUFFIX.fullmatch(given[-1]):  # "Doe, Jane III"
        jr, given = [given[-1]], given[:-1]
    if len(family) == 1 and _TEAM.fullmatch(family[0]) and _is_team(" ".join([*given, *family])):
        return group(_joined([*given, *family]))  # "Team, Gemini"
    if "," not in bare:
        if _is_initial(family[-1]):
            raise SourceError(f"{_shown(text)} ends with an initial; write 'Family, Given'")
        if len(bare.split()) > LONGEST or any(map(_is_initial, family)):
            raise SourceError(f"{_shown(text)} is several people's; write 'and' between names")
    return _guarded(Name(_joined([*family, *jr]), _joined(given)), text)


def _is_initial(word: str) -> bool:
    return word[0].isupper() and re.fullmatch(r"[^\W\d_]\.?", word) is not None


def _joined(words: list[str]) -> str:
    return " ".join(words).translate(_BACK)


def _is_team(text: str) -> bool:
    words = text.split()
    if any(map(_is_initial, words)):
        return False
    team = _TEAM.fullmatch(words[0]) or _TEAM.fullmatch(words[-1])
    return bool(team) or not _NO_FAMILY.isdisjoint(words)


def _extended(text: str) -> Name:
    """biblatex's extended form: family=…, given=…, prefix=…, suffix=…"""
    found: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip(" \"'") for piece in part.partition("="))
        if not equals or (key not in _PARTS and not _SETTINGS.fullmatch(key)):
            raise SourceError(f"{_shown(text)} holds '='; write 'Family, Given'")
        found[key] = value.translate(_BACK)
    family = [found.get(key, "") for key in ("prefix", "family", "suffix")]
    if not found.get("given"):
        return group(" ".join(filter(None, family)))
    return _guarded(Name(" ".join(filter(None, family)), found["given"]), text)


def group(text: str) -> Name:
    """A group's name, which may hold digits and signs. Raises SourceError where it is empty."""
    text = plain(text)
    if sign := re.search(r"[{}\\]", text):
        raise SourceError(f"{_shown(text)} holds '{sign[0]}'; write the letters themselves")
    if not any(map(str.isalpha, text)):
        raise SourceError(f"{_shown(text)} is no name")
    return Name(text)


def _guarded(name: Name, text: str) -> Name:
    """The person's name, if it is one. Raises SourceError, which says what is wrong with it."""
    shown = _shown(text)
    for part, what in ((name.family, "family name"), (name.given, "given name")):
        if not any(map(str.isalpha, part)):
            raise SourceError(f"{shown} has no {what}; write 'Family, Given', or a group in braces")
        _check_letters(part, shown)
    if not _NO_FAMILY.isdisjoint(name.family.split()):
        wanted = "put a group in braces, and one 'and' between names"
        raise SourceError(f"{shown} is no person's; {wanted}")
    if SUFFIX.fullmatch(name.family):
        raise SourceError(f"{shown} has only a suffix for family name; write 'Family, Jr., Given'")
    if re.search(r"(?:^|\s)[^\W\d_]\.(?:\s|$)", name.family):
        wanted = "write 'Family, Given', and 'and' between names"
        raise SourceError(f"{shown} has an initial for family name; {wanted}")
    return name


def _check_letters(part: str, shown: str) -> None:
    for place, char in enumerate(part):
        kind = unicodedata.category(char)
        if kind == "Nd":
            raise SourceError(f"{shown} holds a digit; take it off, or put a group in braces")
        alone = kind == "Mn" and part[:place][-1:] in ("", " ")
        pair = part[max(place - 1, 0) : place + 1]
        astray = pair == "'ı" or re.fullmatch("ı[áàéèíìóòúù]", pair)  # of {'\\i} or \\i\\'a
        if kind == "Sk" or char in "ˆˇˉˊˋ~" or alone or astray:
            raise SourceError(f"{shown} holds a loose accent '{char}'; write the letter with it")
        if kind[0] not in "LMZ" and char not in ".'‘’-–·()\"“”":
            wanted = "write 'Family, Given', with 'and' between names"
            raise SourceError(f"{shown} holds '{char}'; {wanted}")


def _shown(text: str) -> str:
    return f"the name '{text.translate(_BACK)}'"
