"""What the closed forms of Linear probe are made of."""

from tests.closed_forms.terms import Spec

SPEC = Spec()
