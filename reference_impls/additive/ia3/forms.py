"""What the closed forms of (IA)³ are made of."""

from tests.closed_forms.terms import Spec

SPEC = Spec()
