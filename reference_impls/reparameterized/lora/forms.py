"""What the closed forms of LoRA are made of."""

from tests.closed_forms.terms import Size, Spec, low_rank

SPEC = Spec(
    {"r": Size(1, 9, "rank")},
    {
        "query and value": {},
        "all of attention": {"targets": ("query", "key", "value", "attention_output")},
        "every linear map": {
            "targets": (
                *("query", "key", "value", "attention_output"),
                *("feed_forward_up", "feed_forward_down"),
            )
        },
    },
    rules=low_rank("r"),
)
