"""What the closed forms of Compacter are made of."""

from tests.closed_forms.terms import ADAPTER, Size, Spec, over, rule

SPEC = Spec(
    ADAPTER | {"n": Size(1, 4, "Kronecker products")},
    {"behind attention and feed-forward": {}, "Compacter++": {"attention": False}},
    terms=(*over("L*B*S*n", "n"), *over("B*S*n", "n"), "n*n*n"),
    rules=(
        rule("n", "n", "divide", "d", "It must divide the model's width."),
        rule("n", "n", "divide", "size", "It must divide the hidden units."),
    ),
)
