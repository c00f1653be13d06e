"""The real catalog is clean; a fault planted in it is found, in its place, and nothing else is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools import rules
from tools.commands.validate import validate
from tools.data.parts import read

ROOT = Path(__file__).resolve().parents[2]
FILES = {name: raw.decode() for name, raw in read(ROOT / "papers.yaml").items()}


@dataclass(frozen=True)
class Fault:
    """In the entry `entry` (the whole file, if empty), the match of `old` becomes `new`.

    The finding is expected `down` lines below the line on which the match starts, or on the
    entry's first line where `on_entry`.
    """

    code: str
    entry: str
    old: str
    new: str
    down: int = 0
    on_entry: bool = False

    def plant(self) -> tuple[str, str, int]:
        """The file, its spoiled text and the line of the expected finding."""
        file, start, end = "papers.yaml", 0, len(FILES["papers.yaml"])
        if self.entry:
            head = re.compile(rf"^( *)- id: {re.escape(self.entry)}\n", re.MULTILINE)
            file, match = next((n, m) for n, text in FILES.items() if (m := head.search(text)))
            start = match.start()
            # The entry ends where a line is indented no deeper than its dash.
            deeper = re.compile(rf"^ {{0,{len(match[1])}}}\S", re.MULTILINE)
            after = deeper.search(FILES[file], match.end())
            end = after.start() if after else len(FILES[file])
        text = FILES[file]
        found = re.compile(self.old, re.MULTILINE).search(text, start, end)
        assert found, f"{self.entry} has no {self.old}"
        spoiled = text[: found.start()] + found.expand(self.new) + text[found.end() :]
        place = start if self.on_entry else found.start()
        return file, spoiled, text[:place].count("\n") + 1 + self.down


LORA = "hu2021lora"
FAULTS = [
    Fault("S002", LORA, 'title: "(LoRA: .*)"', r"title: \1"),
    Fault("S003", LORA, r"leaves: .*", "leaves: " + "[" * 99 + "]" * 99),
    Fault("S004", LORA, "kind: method", "kind: &kind method"),
    Fault("S004", LORA, "kind: method", "kind: *kind"),
    Fault("S004", LORA, "kind: method", "kind: !!str method"),
    Fault("S005", "", "^venues:", "---\nvenues:"),
    Fault("S006", LORA, "Low-Rank", "Low\u2011Rank\u200b"),
    Fault("S006", LORA, "Low-Rank", "\u202eLow-Rank"),
    Fault("S006", LORA, "Low-Rank", r"Low-\\u00ad Rank"),
    Fault("S006", LORA, "kind: method", "kind: method\t# tab"),
    Fault("S007", "ruckle2020adapterdrop", "é", "e\u0301"),
    Fault("S008", LORA, "    kind: method\n", "    kind: method\n    kind: method\n", 1),
    Fault("S009", LORA, '"(2106.09685)"', r"\1"),
    Fault("S009", LORA, 'title: ".*"', "title: NO"),
    Fault("S009", LORA, 'title: ".*"', "title: 12:30:45"),
    Fault("S009", LORA, 'title: ".*"', "title:"),
    Fault("S101", LORA, "    title: .*\n", "", 0, on_entry=True),
    Fault("S101", "ICLR", "    name: .*\n", "", 0, on_entry=True),
    Fault("S101", "low-rank", "        name: .*\n", "", 0, on_entry=True),
    Fault("S102", LORA, "    venue:", "    venu:"),
    Fault("S102", "ICLR", "    color:", "    colour:"),
    Fault("S102", LORA, "    added:", "    implementations: [lora]\n    added:"),
    Fault("S103", LORA, "year: (.*)", r'year: "\1"'),
    Fault("S103", LORA, r"leaves: \[(.*)\]", r"leaves: \1"),
    Fault("S104", LORA, '"2106.09685"', '"arXiv:2106.09685"'),
    Fault("S104", LORA, '"Hu, Edward J."', '"Edward J. Hu"'),
    Fault("S104", LORA, "code: https", "code: javascript"),
    Fault("S104", "ICLR", "url: https", "url: ftp"),
    Fault("S105", LORA, "kind: method", "kind: methods"),
    Fault("S106", LORA, 'title: ".*"', 'title: ""'),
    Fault("S107", LORA, "year: 2022", "year: 20222"),
    Fault("S108", LORA, r"leaves: \[low-rank\]", "leaves: [low-rank, low-rank]"),
    Fault("S109", "liu2022tfew", r"(?:^    (?:arxiv|doi|acl|openreview|url): .*\n)+", "", 0, True),
    Fault("S110", LORA, "    year: 2022\n", "", 0, on_entry=True),
    Fault(
        "S111",
        "reparameterized",
        "    main: true\n",
        "    main: true\n    elsewhere:\n      hu2021lora: x\n",
        0,
        on_entry=True,
    ),
    Fault("S201", LORA, r"leaves: \[low-rank\]", "leaves: [low-rnak]"),
    Fault("S201", LORA, r"leaves: \[low-rank\]", "leaves: [reparameterized]"),
    Fault("S202", LORA, r"modality: \[LLM\]", "modality: [LLN]"),
    Fault("S203", LORA, "related: .*", "related: [houlsby2019adaptesr]"),
    Fault("S204", LORA, "venue: ICLR", "venue: ICRL"),
    Fault("S205", "low-rank", "han2024peft", "han2024petf"),
    Fault("S206", LORA, "related: .*", "related: [hu2021lora]"),
    Fault("S207", "dettmers2023qlora", "builds_on: .*", "builds_on: [hu2021loar]"),
    Fault("S208", "dettmers2023qlora", "builds_on: .*", "builds_on: [dettmers2023qlora]"),
    Fault("S412", "dettmers2023qlora", "builds_on: .*", "builds_on: [lv2023lomo]"),
    Fault("S301", "AAAI", r"^  - id: AAAI\n(?:    .*\n)+", r"\g<0>\g<0>", 5),
    Fault("S302", "ding2022delta", 'doi: ".*"', 'doi: "10.1609/aaai.v35i16.17718"'),
    Fault("S303", LORA, '"2106.09685"', '"2106.10199"'),
    Fault("S305", LORA, "openreview: .*", 'openreview: "0RDcd5Axok"'),
    Fault(
        "S306",
        "li2021prefix",
        'title: ".*"',
        'title: "Lora - low rank adaption of large language models"',
    ),
    Fault("S401", LORA, "year: 2022", "year: 2012"),
    Fault("S402", "mosbach2020stability", "arxiv: .*", 'arxiv: "2106.04884"', on_entry=True),
    Fault("S403", "mao2021unipelt", "doi: .*\n    acl: .*", 'acl: "2021.acl-long.433"'),
    Fault("S404", "mao2021unipelt", "doi: .*\n    acl: .*", 'acl: "2022.emnlp-main.433"'),
    Fault(
        "S405",
        LORA,
        '    arxiv: "2106.09685"\n',
        '    arxiv: "2106.09685"\n    doi: "10.48550/arXiv.2106.09685"\n',
        1,
    ),
    Fault(
        "S406",
        LORA,
        "    venue: .*\n(    (?:.*\n)*?    arxiv: .*\n)",
        '    venue: arXiv\n\\1    doi: "10.1000/182"\n',
    ),
    Fault("S407", LORA, '      - "Hu, Edward J."\n', "", 0, on_entry=True),
    Fault("S408", "mao2021unipelt", 'doi: ".*"', 'doi: "10.18653/v1/2022.acl-long.999"'),
    Fault(
        "S409",
        "low-rank",
        "        aliases:",
        "        main: true\n        aliases:",
    ),
    Fault("S410", "ICLR", "color: .*", 'color: "#ffcc00"'),
    Fault(
        "S411",
        LORA,
        "    code: .*\n",
        "    url: https://arxiv.org/abs/2106.09685\n    code: https://github.com/microsoft/LoRA\n",
    ),
    Fault("S501", LORA, 'Models"$', 'Models <b>x</b>"'),
    Fault("S502", LORA, 'Models"$', 'Models [x](https://example.org)"'),
    Fault("S503", LORA, 'Models"$', 'Models {{ x }}"'),
    Fault("S504", LORA, 'Models"$', 'Models {"'),
    Fault("S505", LORA, 'Models"$', r'Models \\\\alpha"'),
    Fault("S506", LORA, 'Models"$', 'Models "'),
    Fault("S507", LORA, "summary: >-\n      (.)", r"summary: >-\n      x\1"),
    Fault("S508", LORA, 'Models"$', 'Models”"'),
    Fault("S509", LORA, "code: https://", "code: https://user:password@"),
    Fault("S510", LORA, "code: .*", "code: http://10.0.0.1/lora"),
    Fault("S602", LORA, "(    year: .*\n)(    venue: .*\n)", r"\2\1"),
    Fault(
        "S701",
        "quantized",
        "^ +- id: quantized",
        r"      - id: new\n        name: New\n        description: Something.\n\g<0>",
    ),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder in which the real implementations and tests are beside a copy of the catalog."""
    for folder in ("tests", "papers"):
        (tmp_path / folder).mkdir()
    for name in ("reference_impls", "tests/methods", "README.md", "papers.schema.json"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_catalog_is_clean() -> None:
    findings, papers = validate(ROOT / "papers.yaml")
    assert findings == []
    assert papers > 100


def cases() -> list[object]:
    """At the gate one of each family of rules; each costs a check of the whole catalog."""
    families: set[str] = set()
    found = []
    for fault in FAULTS:
        later = pytest.mark.night if fault.code[:2] in families else ()
        families.add(fault.code[:2])
        found.append(pytest.param(fault, marks=later, id=f"{fault.code}-{fault.new[:25]!a}"))
    return found


@pytest.mark.parametrize("fault", cases())
def test_planted_fault_is_found_and_nothing_else(fault: Fault, root: Path) -> None:
    file, text, line = fault.plant()
    (root / file).write_text(text, encoding="utf-8")
    findings, _ = validate(root / "papers.yaml")
    found = [(f.code, Path(f.path).relative_to(root).as_posix(), f.line) for f in findings]
    assert found == [(fault.code, file, line)], "\n".join(map(str, findings))


def test_moved_entry_is_found(root: Path) -> None:
    """The last entry at the head of its file: one finding, on that entry."""
    head, papers = FILES["papers/2021.yaml"].split("papers:\n")
    start = papers.rindex("  - id: ")
    (root / "papers/2021.yaml").write_text(f"{head}papers:\n{papers[start:]}{papers[:start]}")
    findings, _ = validate(root / "papers.yaml")
    assert [(finding.code, finding.line) for finding in findings] == [("S601", 3)]


def test_copied_entry_is_found(root: Path) -> None:
    """A paper entered twice, under another id and with another identifier: its title says so."""
    text = FILES["papers/2021.yaml"]
    entry = re.search(r"(?m)^  - id: hu2021lora\n(?:    .*\n)+", text)
    assert entry
    copy = entry[0].replace("hu2021lora", "hu2021loraagain").replace("2106.09685", "2106.00001")
    copy = re.sub(r"    openreview: .*\n", "", copy)
    (root / "papers/2021.yaml").write_text(text[: entry.end()] + copy + text[entry.end() :])
    findings, _ = validate(root / "papers.yaml")
    assert [finding.code for finding in findings] == ["S306"]
    assert "nearly the title of hu2021lora" in findings[0].message


def test_stale_readme_is_found(root: Path) -> None:
    text = FILES["papers/2021.yaml"]
    spoiled = text.replace("LoRA: Low-Rank Adaptation of", "LoRA: Low-Rank Adaptations of", 1)
    (root / "papers/2021.yaml").write_text(spoiled, encoding="utf-8")
    findings, _ = validate(root / "papers.yaml")
    assert [finding.code for finding in findings] == ["S801"]


def test_every_rule_about_the_catalogs_text_is_planted() -> None:
    """What is left concerns other files, or needs what is planted below the table."""
    planted = {fault.code for fault in FAULTS}
    elsewhere = {"S001", "S010", "S413", "S304", "S307", "S601", "S603", "S704", "S705"}
    elsewhere |= {code for code in rules.load() if code >= "S706"}
    assert set(rules.load()) - planted == elsewhere
