"""Faults in a catalog's text, schema and references, and the duplicates in it (S0xx to S3xx)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.tools.small_catalog import CARD, CATALOG, METHOD, OFFICIAL, write_tree


@dataclass(frozen=True)
class Case:
    """A fault: `old` becomes `new` in the catalog, the method's file or what is declared
    beside it, or `spoil` is run.

    One finding is expected, which says `says`, on the first line of `file` that holds `at`
    (without `at`: on the line where `old` stood).
    """

    code: str
    old: str = ""
    new: str = ""
    at: str = ""
    says: str = ""
    file: str = "papers.yaml"
    spoil: Callable[[Path], None] | None = None

    def write(self, root: Path) -> Path:
        texts = (CATALOG, METHOD, CARD, OFFICIAL)
        if self.old:
            assert "".join(texts).count(self.old) == 1, self.old
            texts = (text.replace(self.old, self.new) for text in texts)
        path = write_tree(root, *texts)
        if self.spoil:
            self.spoil(root)
        return path

    def line(self, root: Path) -> int:
        path = root / self.file
        if not self.at:
            return CATALOG.partition(self.old)[0].count("\n") + 1 if self.old else 1
        text = path.read_bytes().decode("utf-8", "replace")
        return text.partition(self.at)[0].count("\n") + 1


def _latin_1(root: Path) -> None:
    (root / "papers.yaml").write_bytes(CATALOG.encode("utf-8").replace("é".encode(), b"\xe9", 1))


def _byte_order_mark(root: Path) -> None:
    (root / "papers.yaml").write_bytes(b"\xef\xbb\xbf" + CATALOG.encode())


# Keys of the first paper: they occur once.
LEAVES = '    leaves: [low-rank]\n    modality: [LLM]\n    arxiv: "2106'
BUILDS_ON = "builds_on: [ruckle2020drop]"
# What entries once repeated of the methods' files
IMPLEMENTATIONS = (
    "        elsewhere:\n",
    "        implementations: [lora]\n        elsewhere:\n",
    "implementations: [lora]",
)

FAULTS = [
    Case("S001", at="of methods", says="0xe9 is not UTF-8", spoil=_latin_1),
    Case("S001", at="yaml-language", says="byte-order mark", spoil=_byte_order_mark),
    Case(
        "S002",
        'title: "A Survey"',
        "title: A: Survey",
        "A: Survey",
        "a colon in a text without quotes",
    ),
    Case(
        "S002",
        'title: "A Survey"',
        'title: "A Survey',
        '"Rücklé, Andreas"]\n    year: 2020',
        "a closing quotation mark",
    ),
    Case("S002", 'title: "A Survey"', "? [title]\n    : A", "? [title]", "plain text"),
    Case("S003", "[mao2021unipelt]", "[" * 40 + "]" * 40, "related: [", "levels deep"),
    Case("S004", 'title: "A Survey"', 'title: &a "A Survey"', "&a", "anchor &a"),
    Case("S004", 'title: "A Survey"', "title: *a", "*a", "alias *a"),
    Case("S004", 'title: "A Survey"', 'title: !!str "A Survey"', "!!str", "tag"),
    Case("S004", "authors: [{literal", "authors: [!!map {literal", "!!map", "tag"),
    Case("S004", "    kind: survey", "    !!str kind: survey", "kind: survey", "a tag"),
    Case("S005", "papers:\n", "---\npapers:\n", "---", "second document"),
    Case("S006", '"A Survey"', '"A\u202e Survey"', "Survey", "U+202E (right-to-left override)"),
    Case("S006", '"A Survey"', '"A\u200b Survey"', "Survey", "U+200B (zero width space)"),
    Case("S006", '"A Survey"', '"A\u00a0Survey"', "Survey", "U+00A0 (no-break space)"),
    Case("S006", '"A Survey"', '"A\\u2066 Survey"', "Survey", "U+2066"),
    Case("S006", '"A Survey"', '"A\\0 Survey"', "Survey", "U+0000 (a control character)"),
    Case("S006", '"A Survey"', '"A Survey" \t# tab', "# tab", "U+0009"),
    Case("S006", '"A Survey"', '"A Survey" # \x07', "Survey", "U+0007"),
    Case("S006", '"A Survey"', '"A\u3164Survey"', "Survey", "U+3164 (hangul filler)"),
    Case(
        "S007",
        'Rücklé, Andreas"]\n    year: 2020',
        'Ru\u0308cklé, Andreas"]\n    year: 2020',
        "Ru\u0308cklé",
        "near 'ü'",
    ),
    Case("S007", '"A café of methods."', '"A cafe\\u0301 of methods."', "of methods", "form C"),
    Case(
        "S008",
        "    kind: survey",
        "    kind: survey\n    kind: blog",
        "kind: blog\n    leaves: [soft]\n    modality: [LLM]\n    arx",
        "twice",
    ),
    Case("S009", '"2106.09685"', "2106.09685", "2106.09685", 'in quotes: "2106.09685"'),
    Case("S009", '"A Survey"', "NO", "title: NO", "unquoted NO"),
    Case("S009", '"A Survey"', "12:30:45", "12:30:45", "unquoted"),
    Case("S009", '"A Survey"', "2021-06-17", "2021-06-17", "unquoted"),
    Case("S009", '"A Survey"', "null", "title: null", "unquoted"),
    Case("S009", '"A Survey"', "0x1F", "0x1F", "unquoted"),
    Case("S009", '"A Survey"', ".inf", ".inf", "unquoted"),
    Case("S009", ' "A Survey"', "", "    title:\n", "has no value"),
    Case("S101", '    title: "A Survey"\n', "", "- id: ruckle2020survey", "title: is missing"),
    Case("S102", "    kind: survey", "    knid: survey", "knid", "did you mean 'kind'?"),
    Case("S102", "    name: arXiv\n", "    name: arXiv\n    logo: a\n", "logo", "is not a key"),
    Case("S102", *IMPLEMENTATIONS, "delete the key"),
    Case("S102", "{literal:", "{literl:", "{literl:", "did you mean 'literal'?"),
    Case("S103", '"A Survey"', "2020", "title: 2020", "must be a text"),
    Case("S103", "year: 2020", 'year: "2020"', 'year: "2020"', "whole number without quotes"),
    Case("S103", LEAVES, LEAVES.replace("[low-rank]", "low-rank"), "leaves: low-rank\n", "a list"),
    Case("S103", "main: true", 'main: "true"', "main:", "true or false"),
    Case("S103", "{literal: Microsoft Research}", "3", "authors: [3]", "must be a text"),
    Case(
        "S103",
        '    elsewhere:\n          hu2021lora: "Low-rank methods"',
        "    elsewhere: [a]",
        "elsewhere: [a]",
        "a mapping",
    ),
    Case("S104", '"2010.00001"', '"2010.00001v2"', "00001v2", "without its version"),
    Case("S104", '"10.5281/zenodo.1"', '"https://doi.org/10.5281/zenodo.1"', "zenodo", "a DOI"),
    Case("S104", '"Mao, Yuning"', '"Yuning Mao"', "Yuning Mao", "'Family, Given'"),
    Case("S104", "https://example.org/notes", "javascript:alert(1)", "javascript", "http or https"),
    Case("S104", "https://example.org/notes", '"https://example.org/<a>"', "/<a>", "encoded"),
    Case("S104", '"#8b1a1a"', '"red"', 'color: "red"', "hexadecimal"),
    Case("S104", '"1-13"', '"1–13"', "1–13", "one hyphen"),
    Case("S105", "    kind: survey", "    kind: servey", "servey", "did you mean 'survey'?"),
    Case("S105", "    kind: preprint", "    kind: server", "kind: server", "not one of"),
    Case("S106", '"A Survey"', '""', 'title: ""', "is empty"),
    Case("S106", '["Mao, Yuning"]', "[]", "authors: []", "is empty"),
    Case("S107", "year: 2020", "year: 202", "year: 202\n", "out of range"),
    Case("S108", "[low-rank, soft]", "[soft, soft]", "[soft, soft]", "'soft' is listed twice"),
    Case("S109", '    arxiv: "2010.00001"\n', "", "- id: ruckle2020survey", "at least one of"),
    Case("S110", "    year: 2020\n", "", "- id: ruckle2020survey", "year is missing"),
    Case(
        "S111",
        "    description: Something is written before the input.\n",
        "    description: Something.\n    elsewhere:\n      hu2021lora: Prompts\n",
        "- id: prompt",
        "only a leaf",
    ),
    Case(
        "S111",
        "    description: Something is written before the input.\n",
        "    description: Something.\n    no_code: Prompts are words.\n",
        "- id: prompt",
        "only a leaf may have no_code",
    ),
    Case("S201", "[low-rank, soft]", "[low-rank, sofft]", "sofft", "did you mean 'soft'?"),
    Case("S201", "[low-rank, soft]", "[low-rank, prompt]", "[low-rank, prompt]", "is a branch"),
    Case("S202", LEAVES, LEAVES.replace("LLM", "VLLM"), "VLLM", "did you mean 'LLM'?"),
    Case("S203", "[mao2021unipelt]", "[mao2022unipelt]", "[mao2022", "mean 'mao2021unipelt'?"),
    Case(
        "S204", "venue: ICLR", "venue: ICRL", "ICRL", "'ICRL' is not a venue; did you mean 'ICLR'?"
    ),
    Case("S205", 'hu2021lora: "Low', 'hu2021loar: "Low', "hu2021loar", "mean 'hu2021lora'?"),
    Case("S206", "[mao2021unipelt]", "[hu2021lora]", "[hu2021lora]", "names itself"),
    Case("S207", BUILDS_ON, "builds_on: [ruckle2020drap]", says="mean 'ruckle2020drop'?"),
    Case("S208", BUILDS_ON, "builds_on: [hu2021lora]", says="hu2021lora → hu2021lora"),
    Case("S301", "- id: ruckle2020survey", "- id: ruckle2020drop", says="the id on line 96"),
    Case("S301", "- id: VFM", "- id: LLM", says="already the id on line 3"),
    Case(
        "S301",
        "What is written are vectors.\n",
        "Vectors.\n      - id: soft\n        name: Again\n        description: Vectors.\n",
        "- id: soft\n        name: Again",
        "already the id on line 26",
    ),
    Case("S302", '"10.5281/zenodo.1"', '"10.1109/5.771073"', "", "the DOI of hu2021lora"),
    Case("S302", '"10.5281/zenodo.1"', '"10.18653/V1/2022.ACL-LONG.433"', says="of mao2021unipelt"),
    Case("S303", '"2010.00001"', '"2010.11918"', "", "arXiv identifier of ruckle2020drop"),
    Case("S304", '"2022.acl-long.1"', '"2022.acl-long.433"', "", "of mao2021unipelt on line"),
    Case("S305", "kBjlDJpGGwF", "nZeVKeeFYf9", "", "OpenReview identifier of hu2021lora"),
    Case("S306", '"A Survey"', '"LoRA low rank adaptation of large language-models"', "rank ad"),
    Case("S306", '"A Survey"', '"Tunning: Notes"', "Tunning", "the title of microsoftndtuning"),
    Case("S306", '"A Survey"', '"Low Rank Adaptation"', "Low Rank Ad", "title of hu2021lora"),
    Case("S307", "https://example.org/notes", "https://example.org/lora/", "", "of hu2021lora"),
]
