"""What the closed forms of Child-Tuning-F are made of."""

from tests.closed_forms.terms import Spec

SPEC = Spec()
