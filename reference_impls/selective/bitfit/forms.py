"""What the closed forms of BitFit are made of."""

from tests.closed_forms.terms import Spec

SPEC = Spec()
