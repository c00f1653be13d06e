"""A small valid catalog with all that belongs to it, for tests to write down and to spoil."""

from __future__ import annotations

import re
from pathlib import Path

from tools.atlas import Atlas
from tools.data.implementations import discover
from tools.data.json_schema import json_schema
from tools.data.parity import Comparison
from tools.data.parts import PART_LINE, file_of
from tools.readme import render
from tools.rules.catalog import read

CATALOG = """\
# yaml-language-server: $schema=./papers.schema.json
modalities:
  - id: LLM
    name: Large language models
    description: Models of text.
  - id: VFM
    name: Vision foundation models
    description: Models of images.
taxonomy:
  - id: reparameterized
    name: Reparameterized
    description: The change of a weight is written in fewer numbers.
    main: true
    children:
      - id: low-rank
        name: Low rank
        description: >-
          The change of a weight is a product of two
          thin matrices.
        elsewhere:
          hu2021lora: "Low-rank methods"
  - id: prompt
    name: Prompt
    description: Something is written before the input.
    children:
      - id: soft
        name: Soft
        description: What is written are vectors.
venues:
  - id: ICLR
    name: International Conference on Learning Representations
    kind: conference
    url: https://iclr.cc/
    color: "#1a6b3c"
  - id: ACL
    name: Annual Meeting of the Association for Computational Linguistics
    kind: conference
    url: https://www.aclweb.org/
    color: "#b22222"
  - id: arXiv
    name: arXiv
    kind: preprint
    url: https://arxiv.org/
    color: "#8b1a1a"
  - id: Web
    name: World Wide Web
    kind: web
    url: https://www.w3.org/
    color: "#333333"
papers:
  - id: hu2021lora
    title: "LoRA: Low-Rank Adaptation of Large Language Models"
    authors: ["Hu, Edward J.", "Shen, Yelong"]
    year: 2022
    venue: ICLR
    kind: method
    leaves: [low-rank]
    modality: [LLM]
    arxiv: "2106.09685"
    doi: "10.1109/5.771073"
    openreview: nZeVKeeFYf9
    url: https://example.org/lora
    code: https://example.com/lora
    pages: "1-13"
    also_titled: ["Low-Rank Adaptation"]
    summary: "Trains two small matrices beside each weight."
    note: "A café of methods."
    builds_on: [ruckle2020drop]
    related: [mao2021unipelt]
  - id: mao2021unipelt
    title: "UniPELT: A Unified Framework for Parameter-Efficient Language Model Tuning"
    authors: ["Mao, Yuning"]
    year: 2022
    venue: ACL
    kind: method
    leaves: [low-rank, soft]
    modality: [LLM]
    arxiv: "2110.07577"
    doi: "10.18653/v1/2022.acl-long.433"
    acl: "2022.acl-long.433"
    openreview: kBjlDJpGGwF
    url: https://example.org/unipelt
    summary: "Gates learn which part of the model to use for each input."
    note: "The set {query, value} is adapted."
  - id: microsoftndtuning
    title: "Tuning: Notes"
    authors: [{literal: Microsoft Research}]
    venue: Web
    kind: blog
    leaves: [soft]
    modality: [LLM]
    doi: "10.5281/zenodo.1"
    url: https://example.org/notes
    summary: "Notes on prompts."
    note: "The authors' own view, “so to speak”."
  - id: ruckle2020drop
    title: "On Dropping Adapters"
    authors: ["Rücklé, Andreas"]
    year: 2022
    venue: ACL
    kind: analysis
    leaves: [low-rank]
    modality: [LLM]
    arxiv: "2010.11918"
    acl: "2022.acl-long.1"
    summary: "Counts what can be dropped."
    note: "Plain text."
  - id: ruckle2020survey
    title: "A Survey"
    authors: ["Rücklé, Andreas"]
    year: 2020
    venue: arXiv
    kind: survey
    leaves: [soft]
    modality: [LLM]
    arxiv: "2010.00001"
    summary: "Counts what there is."
"""

METHOD = '''\
r"""LoRA: low-rank adaptation.

$$ h = W x + B A x $$

with thin A and B.

**Trained:** A and B.

**Frozen:** the rest.

**Stored:** A and B.

**Merge:** exact.

**Count:** $r (d_{in} + d_{out})$.

Details that matter
-------------------
1. B starts at zero. [Section 4.1]

Paper, official code, libraries
-------------------------------
- paper: the same.

Source: Hu et al. 2021, arXiv:2106.09685.
"""

from reference_impls.core.method import Method, register


@register
class LoRA(Method):
    name = "lora"
    title = "LoRA"
    paper = "hu2021lora"
    leaf = "low-rank"
    init_noop = True
    mergeable = True
    frozen_base = True

    r: int = 8
    alpha: float = 16.0
'''

CARD = """\
[drawing]
added = [{ kind = "low_rank", at = ["query", "value"] }]
notes.projections = ["A and B"]

[beside]
equation = ["LoRA"]
details.LoRA = [1]

[architectures]
RoBERTa-base = { model_type = "roberta" }

[[published]]
architecture = "RoBERTa-base"
settings = { r = 8 }
printed = "0.3M"
ours = 294912
source = { paper = "hu2021lora" }
"""

OFFICIAL = """\
[code]
repository = "microsoft/LoRA"
commit = "c4593f060e6a368d7bb5af5273b8e42810cdef90"

[settings]
start = "equal"
schedule = "equal"
warm_up = "none"
decay = { official = "0.1 [`run.sh`]", here = "none" }
clipping = "equal"
dropout = "equal"
label_smoothing = "none"
loss = "equal"
targets = "equal"

[[number]]
says = "0.1"
file = "NLU/run.sh"
line = "--weight_decay 0.1"
pattern = "decay (.+)"
value = 0.1
"""

MUTANTS = """\
[[mutant]]
why = "the rank is another"
old = "r: int = 8"
new = "r: int = 9"
"""

LEDGER = '{"lab": {}, "architectures": {}, "versions": {}, "sources": {}}'
CELLS = '{"runs": [], "refused": {}, "fault": {}, "versions": {}, "sources": {}}'
METHOD_PATH = "reference_impls/reparameterized/lora/lora.py"
TEST_PATH = "reference_impls/reparameterized/lora/test_lora.py"
CARD_PATH = "reference_impls/reparameterized/lora/card.toml"
OFFICIAL_PATH = "reference_impls/reparameterized/lora/official.toml"


def write_tree(
    root: Path,
    catalog: str | bytes = CATALOG,
    method: str = METHOD,
    card: str = CARD,
    official: str = OFFICIAL,
) -> Path:
    """Write the catalog, its method and what is beside it below `root`; give the catalog's path."""
    for name, text in (
        (METHOD_PATH, method),
        (TEST_PATH, ""),
        (CARD_PATH, card),
        (OFFICIAL_PATH, official),
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    beside = (root / METHOD_PATH).parent
    (beside / "mutants.toml").write_text(3 * MUTANTS, encoding="utf-8")
    (beside / "measured").mkdir(exist_ok=True)
    (beside / "measured" / "runs.json").write_text("{}", encoding="utf-8")
    (beside / "measured" / "ledger.json").write_text(LEDGER, encoding="utf-8")
    (beside / "measured" / "architectures.json").write_text(CELLS, encoding="utf-8")
    path = root / "papers.yaml"
    path.write_bytes(catalog if isinstance(catalog, bytes) else catalog.encode())
    return path


SUITE = """\
{"title": "a library, suite", "url": "https://example.org/suite", "license": "MIT",
 "commit": "0123456789012345678901234567890123456789",
 "boards": {
  "sums": {"model": "Big", "data": "Sums", "metric": "accuracy", "percent": true, "texts": 100,
           "card": "a card", "protocol": "ten steps"},
  "cats": {"model": "Draw", "data": "Cats", "metric": "likeness", "percent": false,
           "card": "a card", "protocol": "one step"}},
 "runs": [
  {"board": "sums", "run": "lora--rank8", "label": "lora, <rank8>", "score": 0.5, "rate": 0.0001,
   "trained": 1000, "stored": 4000, "seconds": 720.0, "peak": 2000000000, "date": "2026-01-01",
   "version": "lib 1.0"},
  {"board": "sums", "run": "other--a", "label": "=other", "score": 0.45, "rate": 0.001,
   "trained": 10, "stored": 40, "seconds": 30.0, "peak": 1000000000, "date": "2026-01-01",
   "version": "lib 1.0"},
  {"board": "cats", "run": "cats--a", "label": "cats", "score": 0.682, "rate": null,
   "trained": 10, "stored": 40, "seconds": 30.0, "peak": 1000000000, "date": "2026-01-01",
   "version": "lib 1.0"}
 ]}
"""


def write_suite(root: Path) -> Path:
    """What a library publishes of its runs."""
    path = root / "reference_impls" / "real" / "suites" / "library.json"
    path.parent.mkdir(parents=True)
    path.write_text(SUITE, encoding="utf-8")
    return path


def write_parts(root: Path, catalog: str = CATALOG) -> Path:
    """Write the catalog as several files, its entries by year; give the path of the first."""
    path = write_tree(root, catalog)
    head, _, body = catalog.partition("papers:\n")
    files: dict[str, list[str]] = {}
    for text in re.split(r"(?m)^(?=  - id: )", body)[1:]:
        files.setdefault(file_of(text.split()[2]), []).append(text)
    path.write_text(head, encoding="utf-8")
    (root / "papers").mkdir()
    for name, texts in files.items():
        (root / name).write_text("".join([f"{PART_LINE}\npapers:\n", *texts]), encoding="utf-8")
    return path


def write_generated(root: Path) -> None:
    """Write what `python -m tools build` writes beside a valid catalog and commits."""
    readme = render(Atlas(read(root / "papers.yaml"), discover(root)))
    (root / "README.md").write_text(readme, encoding="utf-8")
    (root / "papers.schema.json").write_text(json_schema(), encoding="utf-8")


def comparison(library: str, outcome: str) -> Comparison:
    """A comparison of which only the library and the outcome matter."""
    return Comparison(
        library=library,
        version="1.0",
        compared="logits",
        models=("BERT",),
        outcome=outcome,
        difference=None,
        note="",
    )
