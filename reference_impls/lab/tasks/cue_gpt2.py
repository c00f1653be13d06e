"""Cue, GPT-2 (decoder, language modeling)

As the cue task, on a decoder with learned positions and one matrix for query, key and value.
"""

from __future__ import annotations

from dataclasses import replace

from .cue import TASK as CUE

TASK = replace(CUE, name="cue-gpt2", backbone="decoder-gpt2")
