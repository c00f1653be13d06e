"""Few shots (encoder, classification)

As the last clause, from 8 labeled examples of each class: enough for who asks the backbone's cloze,
few for a new classifier.
"""

from __future__ import annotations

from dataclasses import replace

from .last_clause import TASK as LAST_CLAUSE

TASK = replace(LAST_CLAUSE, name="few-shot", shots=8)
