"""What the closed forms of QLoRA are made of."""

from tests.closed_forms.terms import Size, Spec, low_rank

BLOCKS = {
    f"{what}_{name}": {"ceil": [product, size]}
    for what, size in (("blocks", "64"), ("scales", "16384"))
    for name, product in {
        "dd": "d*d", "df": "d*f", "ddd": "3*d*d", "dk": "d*k", "dq": "d*q"
    }.items()
}  # fmt: skip
SPEC = Spec(
    {"r": Size(1, 9, "rank")},
    {"the paper's dropout": {}, "no dropout": {"dropout": 0.0}},
    derived=BLOCKS,
    rules=low_rank("r"),
    terms=tuple(f"L*{name}" for name in BLOCKS),
    wider=5,
)
