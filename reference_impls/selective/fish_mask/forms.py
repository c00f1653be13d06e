"""What the closed forms of FISH mask are made of."""

from tests.closed_forms.terms import Spec

SPEC = Spec(density=0.005)
