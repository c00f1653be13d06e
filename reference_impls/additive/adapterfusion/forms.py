"""What the closed forms of AdapterFusion are made of."""

from tests.closed_forms.terms import ADAPTER, Size, Spec, over

SPEC = Spec(
    {**ADAPTER, "sources": Size(1, 4, "source tasks, each with an adapter", default=1)},
    terms=(
        *(*over("L*B*S*sources", ("d", "size")), *over("B*S*sources", ("d", "size"))),
        *("L*d*d", "L*d", "L", "L*size", "L*d*size"),
    ),
    arguments=lambda v: {"size": v["size"]},
)
