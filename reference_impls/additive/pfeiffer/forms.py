"""What the closed forms of Pfeiffer adapters are made of."""

from tests.closed_forms.terms import ADAPTER, Spec

SPEC = Spec(ADAPTER)
