"""What the closed forms of Scaled parallel adapter are made of."""

from tests.closed_forms.terms import ADAPTER, Spec

SPEC = Spec(ADAPTER)
