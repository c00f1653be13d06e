"""What the closed forms of Diff pruning are made of."""

from tests.closed_forms.terms import Spec

SPEC = Spec(density=0.005)
