"""Cloze (encoder, masked word)

Which outcome fills the mask after a synthetic review? Wanted is one of the first clause's polarity;
the backbone fills in the last one's, in 70% of the sentences the opposite. Training and test share
no adjective.
"""

from __future__ import annotations

from dataclasses import replace

from ..kinds import MaskedWord
from .first_clause import TASK as FIRST_CLAUSE

TASK = replace(FIRST_CLAUSE, name="cloze", kind=MaskedWord(), sources=())
