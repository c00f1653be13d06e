"""What the closed forms of P-tuning are made of."""

from tests.closed_forms.terms import Size, Spec, longer, rule

SPEC = Spec(
    {"pseudo": Size(2, 9, "pseudo-tokens", default=6)},
    **longer("pseudo", rule("d", "2", "divide", "d", "Its LSTM needs an even width.")),
    arguments=lambda v: {"template": (v["pseudo"] - v["pseudo"] // 2, v["pseudo"] // 2)},
)
