"""T5 v1.1, mT5 and what was made of them: Flan-T5, T0, mT0."""

from __future__ import annotations

from transformers import PretrainedConfig

from . import Family


def _untied(config: PretrainedConfig) -> bool:
    """Their config.json has `tie_word_embeddings: false`, which transformers overrides.

    Of a T5's it keeps that outputs are not scaled, of an mT5's nothing, since none is tied.
    """
    return config.model_type == "mt5" or not config.scale_decoder_outputs


FAMILY = Family(types=("t5", "mt5"), untied=_untied)
