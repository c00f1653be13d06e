"""Every rule, on a small catalog with one fault in it: the right code, the right line, no more."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tools.small_catalog import (
    CATALOG,
    METHOD,
    METHOD_PATH,
    MUTANTS,
    TEST_PATH,
    write_generated,
    write_tree,
)
from tools import rules
from tools.rules.order import misplaced
from tools.validation import validate

RULES = rules.load()


@dataclass(frozen=True)
class Case:
    """A fault: `old` becomes `new` in the catalog or in the method's file, or `spoil` is run.

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
        catalog, method = CATALOG, METHOD
        if self.old:
            assert (catalog + method).count(self.old) == 1, self.old
            catalog = catalog.replace(self.old, self.new)
            method = method.replace(self.old, self.new)
        path = write_tree(root, catalog, method)
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


def _moved(root: Path) -> None:
    shutil.move(root / "reference_impls/reparameterized", root / "reference_impls/prompt")


def _renamed(root: Path) -> None:
    (root / METHOD_PATH).rename((root / METHOD_PATH).with_name("rank.py"))


def _second_file(root: Path) -> None:
    (root / METHOD_PATH).with_name("zlora.py").write_text(METHOD, encoding="utf-8")


def _test_lost(root: Path) -> None:
    (root / TEST_PATH).unlink()


def _beside(name: str, text: str | None) -> Callable[[Path], None]:
    """Write a file beside the method, or take it away."""

    def spoil(root: Path) -> None:
        path = (root / METHOD_PATH).parent / name
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")

    return spoil


def _readme_changed(root: Path) -> None:
    write_generated(root)
    with (root / "README.md").open("a", encoding="utf-8") as file:
        file.write("more\n")


def _readme_lost(root: Path) -> None:
    write_generated(root)
    (root / "README.md").unlink()


def _schema_changed(root: Path) -> None:
    write_generated(root)
    (root / "papers.schema.json").write_text("{}\n", encoding="utf-8")


def _schema_not_named(root: Path) -> None:
    write_generated(root)
    text = (root / "papers.yaml").read_text(encoding="utf-8")
    (root / "papers.yaml").write_text("# Papers\n" + text.partition("\n")[2], encoding="utf-8")


OTHER_CODE = '{"cue": {"sources": {"core/gone.py": "ab"}}, "summary": {"sources": {"x.py": "cd"}}}'
# Keys of the first paper, in full lines: they occur once.
YEAR = "    year: 2022\n    venue: ICLR"
LEAVES = '    leaves: [low-rank]\n    modality: [LLM]\n    arxiv: "2106'
PLAIN = 'note: "Plain text."'
BUILDS_ON = "builds_on: [ruckle2020drop]"
# What entries once repeated of the methods' files
IMPLEMENTATIONS = (
    "        elsewhere:\n",
    "        implementations: [lora]\n        elsewhere:\n",
    "implementations: [lora]",
)

CASES = [
    Case("S001", at="of methods", says="0xe9 is not UTF-8", spoil=_latin_1),
    Case("S001", at="yaml-language", says="byte-order mark", spoil=_byte_order_mark),
    Case("S002", 'title: "A Survey"', "title: A: Survey", "A: Survey", "mapping values"),
    Case(
        "S002", 'title: "A Survey"', 'title: "A Survey', '"Rücklé, Andreas"]\n    year: 2020', "key"
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
    Case("S401", "year: 2020", "year: 2010", "year: 2010", "2010.00001 of 2020"),
    Case("S401", YEAR, YEAR.replace("2022", "2028"), "2028", "does not go with"),
    Case("S402", "- id: ruckle2020survey", "- id: ruckle2021survey", "ruckle2021", "in 2020"),
    Case("S402", "- id: ruckle2020survey", "- id: rucklendsurvey", "rucklend", "says nd"),
    Case("S402", "- id: microsoftndtuning", "- id: microsoft2020tuning", "t2020t", "write nd"),
    Case("S403", '"2022.acl-long.1"', '"2021.acl-long.1"', '"2021.acl-long.1"', "is of 2021"),
    Case("S403", '"2022.acl-long.1"', '"P18-1031"', "P18", "is of 2018, but year is 2022"),
    Case("S404", '"2022.acl-long.1"', '"2022.emnlp-main.1"', "emnlp", "in EMNLP, but venue is ACL"),
    Case("S404", '"2022.acl-long.1"', '"2022.findings-acl.1"', "findings", "in Findings of ACL"),
    Case("S404", '"2022.acl-long.1"', '"D22-1031"', "D22", "in EMNLP, but venue is ACL"),
    Case(
        "S405", '"10.5281/zenodo.1"', '"10.48550/arXiv.2106.00001"', "48550", 'arxiv: "2106.00001"'
    ),
    Case(
        "S406",
        "venue: ACL\n    kind: analysis",
        "venue: arXiv\n    kind: analysis",
        "venue: arXiv\n    kind: analysis",
        "was published",
    ),
    Case(
        "S406",
        '    arxiv: "2010.00001"\n',
        "    url: https://example.org/s\n",
        "venue: arXiv\n",
        "no arxiv identifier",
    ),
    Case("S407", "- id: ruckle2020survey", "- id: rueckle2020survey", "rueckle", "with 'ruckle'"),
    Case("S408", 'acl-long.433"\n    acl', 'acl-long.434"\n    acl', "long.434", "ends with"),
    Case(
        "S408",
        '    acl: "2022.acl-long.433"\n',
        "",
        'doi: "10.18653',
        'add acl: "2022.acl-long.433"',
    ),
    Case(
        "S409",
        "        description: What is written are vectors.",
        "        description: What is written are vectors.\n        main: true",
        "        main",
        "top",
    ),
    Case("S410", '"#8b1a1a"', '"#ff8888"', "#ff8888", "contrast 2.30"),
    Case(
        "S411",
        "https://example.org/notes",
        "https://arxiv.org/pdf/2106.00001v3.pdf",
        "pdf",
        'write arxiv: "2106.00001"',
    ),
    Case(
        "S411",
        "https://example.org/notes",
        "https://doi.org/10.1000/a",
        "doi.org",
        'doi: "10.1000/a"',
    ),
    Case(
        "S411",
        "https://example.org/notes",
        "https://aclanthology.org/P18-1031/",
        "P18",
        'acl: "P18-1031"',
    ),
    Case(
        "S411",
        "https://example.org/notes",
        "https://openreview.net/forum?id=abcdefgh",
        "forum",
        'openreview: "abcdefgh"',
    ),
    Case("S412", BUILDS_ON, "builds_on: [mao2021unipelt]", says="in 2021-10, this paper in 2021"),
    Case(
        "S412",
        '2010.00001"\n    summary: "Counts what there is."\n',
        '2009.00001"\n    summary: "Counts what there is."\n    builds_on: ["ruckle2020drop"]\n',
        'builds_on: ["ruckle',
        "in 2020-10, this paper in 2020-09",
    ),
    Case("S501", PLAIN, 'note: "<script>x</script>"', "<script>", "'<script'"),
    Case("S501", PLAIN, 'note: "A &amp; B."', "&amp;", "'&amp;'"),
    Case("S502", PLAIN, 'note: "![x](y)"', "![x]", "Markdown"),
    Case("S502", PLAIN, 'note: "Plain `text`."', "`text`", "Markdown"),
    Case("S502", PLAIN, 'note: "At www.example.org."', "At www", "link"),
    Case("S503", PLAIN, 'note: "Plain {% text %}."', "{% text", "'{%'"),
    Case("S504", PLAIN, 'note: "Plain {text."', "{text", "without its partner"),
    Case("S504", PLAIN, 'note: "Plain }text{."', "}text", "without its partner"),
    Case("S505", PLAIN, "note: 'Plain \\alpha.'", "alpha", "'\\a'"),
    Case("S506", PLAIN, 'note: " Plain text."', '" Plain', "stray space"),
    Case("S506", PLAIN, 'note: "Plain  text."', "Plain  text", "stray space"),
    Case("S506", PLAIN, "note: >\n      Plain text.", "note: >", "line break"),
    Case("S507", '"Counts what there is."', '"Counts what there is"', "", "full stop"),
    Case(
        "S507", '"Counts what there is."', '"counts what there is."', "counts what there", "capital"
    ),
    Case("S508", PLAIN, 'note: "Plain “text."', "“text", "has a “ without"),
    Case("S508", PLAIN, 'note: "It’s plain."', "It’s", "write ' for an apostrophe"),
    Case("S508", PLAIN, "note: 'Plain \"text.'", 'Plain "text', "quotation mark"),
    Case("S509", "https://example.com/lora", "https://me:secret@example.com/lora", "", "password"),
    Case("S510", "https://example.com/lora", "http://localhost/lora", "localhost", "not public"),
    Case("S510", "https://example.com/lora", "http://169.254.169.254/a", "169.254", "not public"),
    Case("S510", "https://example.com/lora", "http://[::1]/lora", "[::1]", "not public"),
    Case("S510", "https://example.com/lora", "http://2130706433/lora", "2130706433", "not public"),
    Case("S510", "https://example.com/lora", "http://127.1/lora", "127.1/", "not public"),
    Case("S510", "https://example.com/lora", "http://10.1.2.3:80/lora", "10.1.2.3", "not public"),
    Case("S510", "https://example.com/lora", "http://wiki.internal/lora", "wiki", "not public"),
    Case(
        "S601",
        'ruckle2020survey\n    title: "A Survey"\n    authors: ["Rücklé',
        'li2020survey\n    title: "A Survey"\n    authors: ["Li',
        says="goes after hu2021lora",
    ),
    Case("S602", YEAR, "    venue: ICLR\n    year: 2022", "    venue: ICLR", "goes after 'year'"),
    Case(
        "S602",
        "    name: arXiv\n    kind: preprint",
        "    kind: preprint\n    name: arXiv",
        "    kind: preprint",
        "goes after 'name'",
    ),
    Case(
        "S701",
        "    description: Something is written before the input.\n",
        "    description: Something is written before the input.\n    main: true\n",
        "- id: soft",
        "has no implementation",
    ),
    Case(
        "S704",
        at="class LoRA",
        says="is in prompt, but its leaf is below reparameterized",
        file="reference_impls/prompt/lora.py",
        spoil=_moved,
    ),
    Case(
        "S705",
        '    paper = "hu2021lora"',
        '    paper = "hu2022lora"',
        "class LoRA",
        "did you mean 'hu2021lora'?",
        METHOD_PATH,
    ),
    Case("S706", "**Merge:** exact.", "**Merge:** TODO", 'r"""LoRA', "**Merge:**", METHOD_PATH),
    Case("S706", "**Merge:** exact.\n", "", 'r"""LoRA', "lacks **Merge:**", METHOD_PATH),
    Case(
        "S706",
        "Source: Hu et al. 2021, arXiv:2106.09685.\n",
        "",
        'r"""LoRA',
        "last paragraph 'Source: …'",
        METHOD_PATH,
    ),
    Case(
        "S707",
        at="class LoRA",
        says="add reference_impls/reparameterized/lora/test_lora.py",
        file=METHOD_PATH,
        spoil=_test_lost,
    ),
    Case(
        "S708",
        at="class LoRA",
        says="the file is named otherwise",
        file="reference_impls/reparameterized/rank.py",
        spoil=_renamed,
    ),
    Case(
        "S708",
        at="class LoRA",
        says=f"already the name of {METHOD_PATH}",
        file="reference_impls/reparameterized/zlora.py",
        spoil=_second_file,
    ),
    *(
        Case("S711", at="class LoRA", says=says, file=METHOD_PATH, spoil=_beside(name, text))
        for name, text, says in (
            (
                "measured/runs.json",
                None,
                "runs.json is missing: run `python -m reference_impls mea",
            ),
            ("measured/runs.json", "[1]", "measured/runs.json is spoiled"),
            ("measured/runs.json", OTHER_CODE, "runs.json is of other code on cue, summary"),
            ("measured/ledger.json", None, "measured/ledger.json is missing"),
            (
                "measured/ledger.json",
                '{"sources": {"core/gone.py": "ab"}}',
                "is of other code: run",
            ),
            ("measured/ledger.json", "{", "measured/ledger.json is spoiled"),
            ("forms.py", "SPEC = 1", "measured/forms.json is missing"),
        )
    ),
    Case(
        "S711",
        "    mergeable = True\n",
        '    mergeable = True\n    tasks = ("cue", "cloze")\n',
        "class LoRA",
        "measured/runs.json lacks cue, cloze: run",
        METHOD_PATH,
    ),
    Case(
        "S712",
        at="class LoRA",
        says="has no planted faults; add 3 to reference_impls/reparameterized/lora/mutants.toml",
        file=METHOD_PATH,
        spoil=_beside("mutants.toml", None),
    ),
    Case(
        "S712",
        at="class LoRA",
        says="has 2 planted faults; add 1 to",
        file=METHOD_PATH,
        spoil=_beside("mutants.toml", 2 * MUTANTS),
    ),
    Case(
        "S712",
        at="class LoRA",
        says="has no planted faults",
        file=METHOD_PATH,
        spoil=_beside("mutants.toml", 3 * MUTANTS.replace("r: int = 8", "")),
    ),
    Case(
        "S712",
        says="is not TOML",
        file="reference_impls/reparameterized/lora/mutants.toml",
        spoil=_beside("mutants.toml", "[[mutant]"),
    ),
    Case(
        "S801", at="# Fine-Tuning", says="is not current", file="README.md", spoil=_readme_changed
    ),
    Case("S801", says="is missing", file="README.md", spoil=_readme_lost),
    Case("S802", says="is not current", file="papers.schema.json", spoil=_schema_changed),
    Case("S803", says="the first line must be", at="# Papers", spoil=_schema_not_named),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.new[:30]!a}")
def test_fault_is_found_once_on_its_line(case: Case, tmp_path: Path) -> None:
    findings, _ = validate(case.write(tmp_path))
    found = [(f.code, Path(f.path).relative_to(tmp_path).as_posix(), f.line) for f in findings]
    assert found == [(case.code, case.file, case.line(tmp_path))], "\n".join(map(str, findings))
    assert case.says in str(findings[0])


def test_small_catalog_is_clean(tmp_path: Path) -> None:
    path = write_tree(tmp_path)
    write_generated(tmp_path)
    assert validate(path) == ([], 5)


def test_every_rule_has_a_case() -> None:
    assert {case.code for case in CASES} == set(RULES)
    assert not [code for code, n in Counter(map(repr, CASES)).items() if n > 1]


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if rule.good in CATALOG])
def test_documented_example(code: str, tmp_path: Path) -> None:
    """Where a rule's good example is a piece of the small catalog, its bad one breaks that rule."""
    rule = RULES[code]
    path = write_tree(tmp_path, CATALOG.replace(rule.good, rule.bad, 1))
    if code == "S803":
        write_generated(tmp_path)
    findings, _ = validate(path)
    assert [finding.code for finding in findings] == [code], "\n".join(map(str, findings))


def test_most_rules_have_an_example_that_is_tested() -> None:
    described = {code for code, rule in RULES.items() if rule.good not in CATALOG}
    files = {code for code in RULES if code >= "S701"} - {"S803"}
    assert described == {"S001", "S109", "S111", "S409"} | files


def test_rules_are_explained() -> None:
    for code, rule in RULES.items():
        assert rule.code == code
        assert rule.title
        assert not rule.title.endswith(".")
        assert rule.explanation.endswith(".")
        assert rule.good != rule.bad


def test_rules_lie_in_the_module_of_their_family() -> None:
    modules = {f"tools.rules.{name}": f"S{i}" for i, name in enumerate(rules.FAMILIES)}
    for code, rule in RULES.items():
        if rule.check:
            assert code.startswith(modules[rule.check.__module__])


def test_a_code_belongs_to_one_rule() -> None:
    with pytest.raises(ValueError, match="S204"):
        rules.declare("S204", "Again", "Again.", bad="", good="x")


def test_all_findings_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = CATALOG
    for code in ("S410", "S103", "S204", "S507", "S201"):
        rule = RULES[code]
        good, bad = (rule.good, rule.bad) if code != "S103" else ("year: 2020", 'year: "2020"')
        text = text.replace(good, bad, 1)
    findings, papers = validate(write_tree(tmp_path, text))
    assert [f.code for f in findings] == ["S410", "S204", "S201", "S507", "S103"]
    assert [f.line for f in findings] == sorted(f.line for f in findings)
    assert papers == 5


def test_a_circle_of_papers_is_told_once_and_what_builds_on_it_is_not_blamed(
    tmp_path: Path,
) -> None:
    text = CATALOG.replace(PLAIN, f"{PLAIN}\n    builds_on: [ruckle2020survey]").replace(
        'arxiv: "2010.00001"\n', 'arxiv: "2010.00001"\n    builds_on: [ruckle2020drop]\n'
    )
    findings, _ = validate(write_tree(tmp_path, text))
    [circle] = [f for f in findings if f.code == "S208"]
    assert (circle.entry, circle.message) == (
        "ruckle2020drop",
        "leads back to the paper: ruckle2020drop → ruckle2020survey → ruckle2020drop",
    )


def test_a_month_of_another_year_than_the_id_is_not_compared(tmp_path: Path) -> None:
    """A paper of 2020 that was put on arXiv in 2021 may build on one of late 2020."""
    text = CATALOG.replace('"2010.00001"', '"2101.00001"').replace(
        'arxiv: "2101.00001"\n', 'arxiv: "2101.00001"\n    builds_on: [ruckle2020drop]\n'
    )
    findings, _ = validate(write_tree(tmp_path, text))
    assert [f.code for f in findings if f.code in ("S208", "S412")] == []


def test_a_faulty_entry_makes_no_faults_of_the_references_to_it(tmp_path: Path) -> None:
    text = CATALOG.replace('title: "UniPELT', 'titel: "UniPELT').replace(
        "id: ACL", "id: ACL\n    logo: a"
    )
    findings, _ = validate(write_tree(tmp_path, text))
    assert [f.code for f in findings] == ["S102", "S102"]


def test_a_faulty_branch_does_not_move_the_findings_in_the_next(tmp_path: Path) -> None:
    text = CATALOG.replace("        name: Low rank\n", "").replace(
        "are vectors.", "are <b>vectors</b>."
    )
    findings, _ = validate(write_tree(tmp_path, text))
    assert [(f.code, f.entry, f.field) for f in findings] == [
        ("S101", "low-rank", "name"),
        ("S501", "soft", "description"),
    ]


def test_a_faulty_taxonomy_makes_no_faults_elsewhere(tmp_path: Path) -> None:
    text = CATALOG.replace("        name: Low rank\n", "")
    findings, _ = validate(write_tree(tmp_path, text))
    assert [(f.code, f.entry, f.field) for f in findings] == [("S101", "low-rank", "name")]


@pytest.mark.parametrize(
    "text", ["", "[]", "a", "papers: 3", "papers: [3, [], {}]", "taxonomy: {}"]
)
def test_what_is_no_catalog_has_findings(text: str, tmp_path: Path) -> None:
    findings, _ = validate(write_tree(tmp_path, text))
    assert findings
    assert {finding.code[:2] for finding in findings} <= {"S0", "S1", "S7", "S2"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([1, 2, 3], []),
        ([3, 1, 2], [0]),
        ([1, 9, 2, 3], [1]),
        ([2, 3, 1], [2]),
        ([1, 1], [0]),
    ],
)
def test_misplaced_names_the_fewest(values: list[int], expected: list[int]) -> None:
    assert misplaced(values) == expected
