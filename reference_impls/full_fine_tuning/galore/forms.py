"""What the closed forms of GaLore are made of."""

from tests.closed_forms.terms import Size, Spec, low_rank

# the sides of each matrix, and the rank that its shorter side allows
SIDES = {
    f"{what}_d{other}": {operation: ["d", other]}
    for other in "fkq"
    for what, operation in (("short", "min"), ("long", "max"))
} | {f"rank_d{other}": {"min": ["rank", f"short_d{other}"]} for other in "fkq"}
SPEC = Spec(
    {"rank": Size(2, 9, "rank of the subspaces")},
    derived=SIDES,
    rules=low_rank("rank"),
    terms=(
        *(f"L*rank_d{o}*{side}_d{o}" for o in "fkq" for side in ("short", "long")),
        *("L*rank*d", "L*d*d", "L*d*f", "L*d*k", "L*d*q"),
    ),
)
