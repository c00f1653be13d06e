"""What the closed forms of P-tuning v2 are made of."""

from tests.closed_forms.terms import BOTTLENECK, DIRECT, Size, Spec, prefix

SPEC = Spec(
    {"length": Size(1, 7, "rows of the prefix"), "bottleneck": BOTTLENECK},
    DIRECT,
    terms=prefix("length", "bottleneck"),
)
