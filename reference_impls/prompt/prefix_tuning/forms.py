"""What the closed forms of Prefix tuning are made of."""

from tests.closed_forms.terms import BOTTLENECK, WRITTEN, Size, Spec, prefix

SPEC = Spec(
    {"length": Size(1, 7, "rows of the prefix"), "bottleneck": BOTTLENECK},
    WRITTEN,
    terms=prefix("length", "bottleneck"),
)
