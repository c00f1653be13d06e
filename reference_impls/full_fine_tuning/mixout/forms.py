"""What the closed forms of Mixout are made of."""

from tests.closed_forms.terms import Spec

SPEC = Spec()
