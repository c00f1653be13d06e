"""What the closed forms of Ladder side-tuning are made of."""

from tests.closed_forms.terms import Size, Spec, over, rule

SPEC = Spec(
    {"reduction": Size(1, 4, "how much narrower the side network is")},
    derived={
        "w": {"floor": ["d", "reduction"]},
        "v": {"floor": ["f", "reduction"]},
    },
    terms=(*over("L*single*S", ("w", "d", "S*H")), *over("single*S", ("w", "d", "S*H"))),
    rules=(
        rule("reduction", "reduction", "divide", "d", "It must divide the model's width."),
        rule("reduction", "H", "divide", "w", "The heads must divide the reduced width."),
        rule("reduction", "2*H", "at most", "w", "A head needs two features of that width."),
    ),
    symbols={"w": "width of the side network", "v": "feed-forward width of the side network"},
)
