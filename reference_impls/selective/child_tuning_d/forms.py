"""What the closed forms of Child-Tuning-D are made of."""

from tests.closed_forms.terms import Spec

SPEC = Spec(density=0.3)
