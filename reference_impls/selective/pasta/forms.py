"""What the closed forms of PASTA are made of."""

from tests.closed_forms.terms import Size, Spec

SPEC = Spec({"vectors": Size(1, 4, "vectors a layer")})
