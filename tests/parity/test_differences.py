"""Every difference that is told shows: its program prints the line that stands beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tools.data.differences import Difference, read_differences

ROOT = Path(__file__).parents[2]
PATIENCE = 300  # seconds; importing the libraries takes most of ten
TOLD = [difference for own in read_differences(ROOT).values() for difference in own]


def python(difference: Difference) -> str:
    """The interpreter that has the library: adapters needs another transformers."""
    adapters = difference.library == "adapters"
    return str(ROOT / ".parity/b/bin/python") if adapters else sys.executable


@pytest.mark.parametrize("difference", TOLD, ids=lambda difference: difference.name)
def test_the_program_prints_its_line(difference: Difference, tmp_path: Path) -> None:
    path = tmp_path / "reproduce.py"
    path.write_text(difference.reproduce, encoding="utf-8")
    run = subprocess.run(
        [python(difference), path],
        cwd=tmp_path,  # so that nothing of this repository is found
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert run.returncode == 0, run.stderr
    here = difference.processor in ("", torch.backends.cpu.get_cpu_capability())
    assert (run.stdout.strip() == difference.prints) == here, run.stdout
