"""Faults in what a catalog says, in its order, and in what is made of it (S4xx to S6xx, S8xx)."""

from __future__ import annotations

from pathlib import Path

from tests.tools.fault_cases import BUILDS_ON, Case
from tests.tools.small_catalog import write_generated


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


def _six_starts(root: Path) -> None:
    entries = "".join(
        f'  - id: zz2020{word}\n    title: "{word.title()}"\n    authors: ["Zz, A."]\n'
        f"    year: 2020\n    venue: Web\n    kind: method\n    leaves: [soft]\n"
        f"    modality: [LLM]\n    url: https://example.org/{word}\n"
        f'    summary: "It is of {word}."\n    start_here: "It is of {word}."\n'
        for word in ("apple", "birch", "cedar", "daisy", "elder", "fennel")
    )
    with (root / "papers.yaml").open("a", encoding="utf-8") as file:
        file.write(entries)


# Keys of the first paper: they occur once.
YEAR = "    year: 2022\n    venue: ICLR"
PLAIN = 'note: "Plain text."'

FAULTS_OF_CONTENT = [
    Case(
        "S413",
        at='start_here: "It is of fennel."',
        says="is one too many in 'soft'; five are the most",
        spoil=_six_starts,
    ),
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
        "S801", at="# Fine-Tuning", says="is not current", file="README.md", spoil=_readme_changed
    ),
    Case("S801", says="is missing", file="README.md", spoil=_readme_lost),
    Case("S802", says="is not current", file="papers.schema.json", spoil=_schema_changed),
    Case("S803", says="the first line must be", at="# Papers", spoil=_schema_not_named),
]
