"""What the closed forms of Prompt tuning are made of."""

from tests.closed_forms.terms import Size, Spec, longer

SPEC = Spec(
    {"length": Size(1, 7, "trained rows")},
    **longer("length"),
)
