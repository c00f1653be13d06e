"""Parameter counts of any architecture, from its configuration alone."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoConfig, PretrainedConfig

from ..anatomy import anatomy, model_on_meta, numel
from .method import Method


def read_config(path: Path) -> PretrainedConfig:
    """The configuration in a config.json, or in a folder that has one.

    Raises:
        OSError: the path is not a transformers configuration.
    """
    if not path.exists():
        raise OSError(f"{path}: no such file")
    return AutoConfig.from_pretrained(path)


def count(method: Method, config: PretrainedConfig | Path) -> dict[str, int]:
    """Count what `method` trains and stores on an architecture, given as object or config.json.

    Returns trained, stored, head (the classifier's, trained besides) and base (what the released
    model has, head apart; tied weights once).

    Raises:
        OSError: the path is not a transformers configuration.
        ValueError: the architecture is not one that the method runs on.
    """
    if isinstance(config, Path):
        config = read_config(config)
    parts = anatomy(model_on_meta(config))
    method.check(parts)
    return {
        "trained": method.trained(parts),
        "stored": method.stored(parts),
        "head": numel(parts.head_parameters()),
        "base": numel(parts.base_parameters()),
    }
