"""What processor this is: seconds are told apart by it."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path


@cache
def processor() -> str:
    """'x86_64, Intel(R) Xeon(R) Processor': the machine, and the model where Linux tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return ", ".join([platform.machine(), *models[:1]])
