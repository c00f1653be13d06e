"""Ask Lighthouse about one page of each kind.

    python -m tests.site.lighthouse LIGHTHOUSE [--least 95] [--runs 5]

takes the Lighthouse executable, expects `site/` to be built, and serves it compressed, as hosts do.
Prints a table of the four scores, each the median of several runs, as Lighthouse advises: between
two runs on a busy machine the first differs by several points. Under it is what cost points in the
last run. Returns 1 if a score is too low.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from statistics import median

from tests.site.serving import served
from tools.data.files import ROOT

PAGES = (
    "index.html",
    "papers/index.html",
    "papers/hu2021lora.html",
    "methods/lora.html",
    "methods/compare.html",
)
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
CHROME = "--headless=new --no-sandbox --disable-background-networking --disable-quic"


def audit(lighthouse: str, address: str) -> tuple[list[int], list[str]]:
    """The scores by category, and the audits that cost points."""
    command = [lighthouse, address, "--quiet", "--output=json", f"--chrome-flags={CHROME}"]
    command.append(f"--only-categories={','.join(CATEGORIES)}")
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    report = json.loads(done.stdout)
    scores = [round(100 * report["categories"][name]["score"]) for name in CATEGORIES]
    counted = {
        entry["id"]
        for category in report["categories"].values()
        for entry in category["auditRefs"]
        if entry["weight"]
    }
    lost = [
        f"{audit['id']} {audit['score']}: {audit['title']} {audit.get('displayValue', '')}".strip()
        for audit in report["audits"].values()
        if audit["id"] in counted and audit["score"] is not None and audit["score"] < 0.9
    ]
    return scores, lost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lighthouse")
    parser.add_argument("--least", type=int, default=95)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(f"| page | {' | '.join(CATEGORIES)} |\n| --- {'| ---: ' * len(CATEGORIES)}|")
    remarks, low = [], False
    with served(ROOT / "site") as address:
        for page in PAGES:
            runs = [audit(options.lighthouse, address + page) for _ in range(options.runs)]
            scores = [
                median(scores) for scores in zip(*(scores for scores, _ in runs), strict=True)
            ]
            print(f"| {page} | {' | '.join(f'{score:g}' for score in scores)} |", flush=True)
            low |= min(scores) < options.least
            lost = runs[-1][1]
            remarks += [f"{page}: {remark}" for remark in lost]
    print("\n".join(remarks))
    return int(low)


if __name__ == "__main__":
    sys.exit(main())
