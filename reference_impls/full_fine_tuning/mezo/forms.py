"""What the closed forms of MeZO are made of."""

from tests.closed_forms.terms import Spec

SPEC = Spec()
