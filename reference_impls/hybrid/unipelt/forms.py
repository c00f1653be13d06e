"""What the closed forms of UniPELT are made of."""

from tests.closed_forms.terms import ADAPTER, BOTTLENECK, Size, Spec, low_rank, prefix

SPEC = Spec(
    {
        "r": Size(1, 9, "rank"),
        "prefix_length": Size(1, 7, "rows of the prefix"),
        "bottleneck": BOTTLENECK,
        "size": ADAPTER["size"],
    },
    rules=low_rank("r"),
    terms=prefix("prefix_length", "bottleneck"),
)
