"""What the closed forms of AdapterDrop are made of."""

from tests.closed_forms.terms import ADAPTER, WIDTHS, Size, Spec, over, rule

SPEC = Spec(
    ADAPTER | {"dropped": Size(0, 2, "lowest layers without an adapter")},
    # in a step that leaves none out, which takes most
    {
        "none left out": {"robust": False, "dropped": 0},
        "a fixed number left out": {"robust": False},
    },
    {
        "kept": {"sum": {"L": 1, "dropped": -1}},
        "above": {"sum": {"kept": 1, "1": -1}},
        "more": {"min": ["1", "above"]},  # whether gradients pass through a layer
    },
    terms=(
        *(*over("kept*B*S", WIDTHS), *over("kept*B*S*S", "H")),
        *(*over("more*S", ("e", "S", "S*H")), *over("more*B*S", ("e", "S"))),
    ),
    rules=(rule("dropped", "1", "at most", "kept", "At least one layer keeps its adapter."),),
    symbols={
        "kept": "layers with an adapter",
        "more": "1 where gradients pass through a whole layer, else 0",
    },
)
