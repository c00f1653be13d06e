"""What the closed forms of LOMO are made of."""

from tests.closed_forms.terms import Spec

SPEC = Spec()
