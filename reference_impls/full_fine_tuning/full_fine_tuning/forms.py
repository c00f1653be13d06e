"""What the closed forms of Full fine-tuning are made of."""

from tests.closed_forms.terms import Spec

SPEC = Spec()
