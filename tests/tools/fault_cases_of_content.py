"""Faults in what a catalog says, how it is ordered, and in what belongs to it (S4xx to S8xx)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.tools.fault_cases import BUILDS_ON, Case
from tests.tools.small_catalog import (
    CARD,
    CARD_PATH,
    METHOD,
    METHOD_PATH,
    MUTANTS,
    TEST_PATH,
    write_generated,
)


def _moved(root: Path) -> None:
    shutil.move(root / "reference_impls/reparameterized", root / "reference_impls/prompt")


def _renamed(root: Path) -> None:
    folder = (root / METHOD_PATH).parent.rename((root / METHOD_PATH).parents[1] / "rank")
    (folder / "lora.py").rename(folder / "rank.py")


def _second_file(root: Path) -> None:
    path = (root / METHOD_PATH).parents[1] / "zlora" / "zlora.py"
    path.parent.mkdir()
    path.write_text(METHOD, encoding="utf-8")


def _card_lost(root: Path) -> None:
    (root / CARD_PATH).unlink()


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


# Keys of the first paper: they occur once.
YEAR = "    year: 2022\n    venue: ICLR"
PLAIN = 'note: "Plain text."'
OTHER_CODE = '{"cue": {"sources": {"core/gone.py": "ab"}}, "summary": {"sources": {"x.py": "cd"}}}'

DRAWN, EQUATION = CARD.partition("[beside]")[0], 'equation = ["LoRA"]\n'

FAULTS_OF_CONTENT = [
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
        file="reference_impls/prompt/lora/lora.py",
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
        file="reference_impls/reparameterized/rank/rank.py",
        spoil=_renamed,
    ),
    Case(
        "S708",
        at="class LoRA",
        says=f"already the name of {METHOD_PATH}",
        file="reference_impls/reparameterized/zlora/zlora.py",
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
        "S709",
        at="class LoRA",
        says=f"has no card; add {CARD_PATH} with a [drawing]",
        file=METHOD_PATH,
        spoil=_card_lost,
    ),
    Case("S709", DRAWN, "", "[beside]", "has no drawing; add [drawing]", CARD_PATH),
    Case("S710", EQUATION, "", "[beside]", "add equation = [part, …]", CARD_PATH),
    Case("S710", EQUATION, 'equation = ["LoRa"]\n', "equation", "did you mean 'LoRA'?", CARD_PATH),
    Case("S710", "details.LoRA = [1]\n", "", "[beside]", "no part carries detail 1", CARD_PATH),
    Case("S710", "LoRA = [1]", "LoRA = [1, 2]", "details", "has no detail 2", CARD_PATH),
    Case("S710", "LoRA = [1]", "Lora = [1]", "details", "no part 'Lora'; did you mean", CARD_PATH),
    Case("S710", "LoRA = [1]", "LoRA = [1]\nelsewhere = [1]", "elsewhere", "has a part", CARD_PATH),
    Case("S710", "$$ h = W x + B A x $$", "Nothing", "equation", "no equation", CARD_PATH),
    Case("S713", "\n[beside]", "\n[beside", "[beside", "is not TOML", CARD_PATH),
    Case(
        "S713",
        "added = [{",
        "adds = [{",
        "adds",
        "drawing.adds: is not a key here; these are: states, added",
        CARD_PATH,
    ),
    Case("S713", '"low_rank"', '"lowrank"', "added", "should be 'adapter'", CARD_PATH),
    Case("S713", "settings = {", "setting = {", "setting", "published.0.setting: ", CARD_PATH),
    Case("S713", '"0.3M"', '"0.4M"', "[[published]]", "needs a note that says why", CARD_PATH),
    Case("S713", '"0.3M"', '"much"', "[[published]]", "is not a number", CARD_PATH),
    Case(
        "S713", "RoBERTa-base = {", "RoBERTa = {", "[drawing]", "must be both a key of", CARD_PATH
    ),
    Case(
        "S713", '{ paper = "hu2021lora" }', '{ paper = "hu2022lora" }', "source", "did", CARD_PATH
    ),
    Case(
        "S801", at="# Fine-Tuning", says="is not current", file="README.md", spoil=_readme_changed
    ),
    Case("S801", says="is missing", file="README.md", spoil=_readme_lost),
    Case("S802", says="is not current", file="papers.schema.json", spoil=_schema_changed),
    Case("S803", says="the first line must be", at="# Papers", spoil=_schema_not_named),
]
