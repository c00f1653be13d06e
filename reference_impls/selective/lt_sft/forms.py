"""What the closed forms of LT-SFT are made of."""

from tests.closed_forms.terms import Spec, over

# a frozen output layer keeps no input
SPEC = Spec(density=0.08, terms=over("u*B*S", "d"))
