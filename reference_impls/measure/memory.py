"""The committed peaks of a method's step on well-known architectures, and by what code.

For each architecture and setting they are the polynomials that `peaks` tells, or why it tells none,
with what the kernels of a GPU keep.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import random
from pathlib import Path
from typing import Any

import torch
from transformers import PretrainedConfig

from ..anatomy.families import files_of as family_files
from ..core.method import Method
from . import files, gpu_kernels, peaks
from .digests import sources
from .given import files_of as given_files
from .gpu_kernels import fused_dropout, without_attention_dropout
from .known import ARCHITECTURES as KNOWN
from .known import config_of
from .peaks import Setting

ARCHITECTURES = ("llama-2-7b",)  # those of the known ones that peaks are told of
SETTINGS = {
    "bfloat16": Setting(),
    "bfloat16, checkpointing": Setting(checkpointing=True),
    "float32": Setting(torch.float32),
    "float32, checkpointing": Setting(torch.float32, checkpointing=True),
}
REPEATED = 2  # figures of a method that are told once more where code changed
Told = dict[str, Any]  # of one architecture: its digest, and by setting polynomials or why none


def path_of(method: type[Method]) -> Path:
    """Where a method's peaks are kept."""
    return Path(inspect.getfile(method)).parent / "measured" / "memory.json"


def sources_of(method: type[Method]) -> dict[str, str]:
    """Digests of the code that the peaks depend on, by path below the package."""
    types = [config_of(name).model_type for name in KNOWN]
    mine = Path(inspect.getfile(method)), *given_files(method)
    its = Path(peaks.__file__), Path(gpu_kernels.__file__)
    return sources(*mine, *its, *family_files(*types))


def of_other_code(method: type[Method]) -> bool:
    """Whether there are peaks, and other code told them."""
    kept = files.read(path_of(method))
    return bool(kept) and kept["sources"] != sources_of(method)


def missing(method: type[Method]) -> list[str]:
    """The architectures of which this code told no peaks as they are now."""
    kept = files.read(path_of(method))
    there = kept["architectures"] if kept and not of_other_code(method) else {}
    return [name for name in ARCHITECTURES if not _is_current(name, there.get(name))]


def _is_current(name: str, told: Told | None) -> bool:
    return bool(told) and told.keys() == {"of", *SETTINGS} and told["of"] == _digest(name)


def _digest(name: str) -> str:
    """Of an architecture's configuration, whatever version of transformers says it."""
    said = {k: v for k, v in config_of(name).to_dict().items() if k != "transformers_version"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def record(method: type[Method], name: str) -> dict[str, Told]:
    """What is told of a method on one architecture, under its name."""
    return {name: {"of": _digest(name), **{key: _told(method, name, key) for key in SETTINGS}}}


def renew(method: type[Method]) -> dict[str, Told]:
    """What is committed, if some of it is told again as it was; or else all, told anew."""
    kept = files.read(path_of(method))["architectures"]
    there = sorted(name for name in ARCHITECTURES if _is_current(name, kept.get(name)))
    draw = random.Random(method.name)
    drawn = [(draw.choice(there), draw.choice([*SETTINGS])) for _ in range(REPEATED) if there]
    if all(_told(method, name, key) == kept[name][key] for name, key in drawn):
        return {name: kept[name] for name in there}
    return {key: told for name in there for key, told in record(method, name).items()}


def _told(method: type[Method], name: str, setting: str) -> list[list[int]] | str:
    try:
        return predicted(method, config_of(name), SETTINGS[setting])
    except ValueError as error:
        return str(error)


def predicted(
    method: type[Method], config: PretrainedConfig, setting: Setting, **arguments: Any
) -> list[list[int]]:
    """As `peaks.peaks`, with what the kernels of a GPU keep."""
    with fused_dropout():
        found = peaks.peaks(method, without_attention_dropout(config), setting, **arguments)
    return [list(polynomial) for polynomial in found]


def write(method: type[Method], told: dict[str, Told]) -> None:
    """Add to what is kept of a method; what other code told goes."""
    there = {} if of_other_code(method) else files.read(path_of(method)).get("architectures", {})
    there |= told
    made = {
        "architectures": {name: there[name] for name in ARCHITECTURES if name in there},
        "versions": files.versions(),
        "sources": sources_of(method),
    }
    files.write(path_of(method), made, depth=3)
