"""The lab's pre-trained models, by name.

`encoder` (a BERT), `decoder` (a Llama), `decoder-gpt2` and `encoder-decoder` (a T5) ship with the
repository and were written by `pretrain.py`; `encoder-random` and the like are the same
architectures with random weights, the control that every result is held against. The encoder's
pooler is in its file too: masked-word prediction never trains it, so it holds random values, the
same ones for every run.

Any other name is a folder that `save_pretrained` wrote, or a model of the Hugging Face hub
(`owner/name`); only the latter needs a network.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel
from transformers.utils import cached_file

from .. import anatomy
from ..core.quiet import quiet

WEIGHTS = Path(__file__).parent / "weights"
WEIGHTS_FILE = "model.safetensors"

# sha256 of weights/<name>/model.safetensors
DIGESTS = {
    "encoder": "84acacdf6fe408a5cc940c4883f78861bfeaf80839529bf78d240e8f9334a863",
    "decoder": "07421326c09d83ab75b7ef5ad6a5730094753e13c2933662f881b1ef0e8cf405",
    "decoder-gpt2": "13bcdfe6fafb60db2114e4a01cf342a85b56f4c8576038e3eab49454409140f4",
    "encoder-decoder": "505c1c223125414f53919189ef5667fadc3958bffd8d4ba6cadd4984e77387fd",
}
RANDOM = "-random"
NAMES = (*DIGESTS, *(name + RANDOM for name in DIGESTS))


def load(name: str, model_class: type, seed: int = 0, **config_overrides: Any) -> PreTrainedModel:
    """The backbone `name` as a `model_class`, in evaluation mode.

    `model_class` is a transformers class: `BertForMaskedLM`, `AutoModelForCausalLM`, ….

    What the backbone's file does not hold (a task head; with a random backbone, everything) is
    drawn from `seed`; torch's global generator stays as it is. `config_overrides` are
    configuration values such as `num_labels=4`.

    Raises:
        ValueError: no such backbone; a file that ships is not the one whose digest is known; the
            file holds other weights than `model_class` needs.
    """
    source = _source(name)
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        if name in NAMES and name.endswith(RANDOM):
            config = AutoConfig.from_pretrained(source, **config_overrides)
            build = getattr(model_class, "from_config", model_class)  # an Auto class, or not
            model = build(config).eval()
        else:
            if name in DIGESTS:
                _verify(name)
            model, report = model_class.from_pretrained(
                source, output_loading_info=True, **config_overrides
            )
            _complain(name, model, report["missing_keys"])
    model.name_or_path = model.config.name_or_path = name
    return model


def shape(name: str) -> str:
    """What a backbone is: 'encoder', 'decoder' or 'encoder-decoder'."""
    return anatomy.shape(AutoConfig.from_pretrained(_source(name)))


def model_type(name: str) -> str:
    """Transformers' name of a backbone's type, such as 'bert'."""
    return AutoConfig.from_pretrained(_source(name)).model_type


def digest(name: str) -> str:
    """The sha256, in hexadecimal, of the file that defines a backbone.

    That is the file of its weights; a random backbone has none, so there it is its configuration.
    """
    source = _source(name)
    if name in NAMES and name.endswith(RANDOM):
        return _sha256(source / "config.json")
    return _sha256(Path(cached_file(str(source), WEIGHTS_FILE)))


def _source(name: str) -> Path | str:
    if name in NAMES:
        return WEIGHTS / name.removesuffix(RANDOM)
    if Path(name).is_dir():
        return Path(name)
    if "/" in name:
        return name  # on the hub
    near = difflib.get_close_matches(name, NAMES, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(NAMES)}"
    raise ValueError(f"no backbone and no folder is called '{name}'; {hint}")


def _verify(name: str) -> None:
    path = WEIGHTS / name / WEIGHTS_FILE
    if not path.is_file():
        raise ValueError(f"{path} is missing; restore it with: git checkout -- {path}")
    found = _sha256(path)
    if found != DIGESTS[name]:
        raise ValueError(
            f"{path} is not the {name} that ships: its sha256 is {found[:12]}…, expected "
            f"{DIGESTS[name][:12]}…; restore it with: git checkout -- {path}"
        )


def _complain(name: str, model: PreTrainedModel, missing: Iterable[str]) -> None:
    """Refuse a file that lacks more than a classifier, or the pooler that goes with one."""
    if model.get_output_embeddings() is None:
        body, pooler = f"{model.base_model_prefix}.", f"{model.base_model_prefix}.pooler."
        missing = [key for key in missing if key.startswith(body) and not key.startswith(pooler)]
    if missing := sorted(missing):
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise ValueError(
            f"backbone '{name}' does not fit {type(model).__name__}: "
            f"it lacks {', '.join(missing[:3])}{more}"
        )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
