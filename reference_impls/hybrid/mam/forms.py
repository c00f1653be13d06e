"""What the closed forms of MAM adapter are made of."""

from tests.closed_forms.terms import ADAPTER, BOTTLENECK, WRITTEN, Size, Spec, prefix

SPEC = Spec(
    {
        "prefix_length": Size(1, 7, "rows of the prefix"),
        "bottleneck": BOTTLENECK,
        "size": ADAPTER["size"],
    },
    WRITTEN,
    terms=prefix("prefix_length", "bottleneck"),
)
