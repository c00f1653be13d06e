"""What the closed forms of Houlsby adapters are made of."""

from tests.closed_forms.terms import ADAPTER, Spec

SPEC = Spec(ADAPTER)
