"""Methods that peft's files carry, away from their defaults, and the models to try them on."""

FAMILIES = ("bert", "gpt2-lm", "llama-lm", "t5-lm")
DECODERS = ("gpt2-lm", "llama-lm")
MADE = {
    "lora": {"r": 3, "alpha": 7.0, "targets": ("query", "value", "feed_forward_down")},
    "qlora": {"r": 3, "alpha": 7.0, "dropout": 0.0},
    "ia3": {},
    "prompt_tuning": {"length": 4, "init": "uniform"},
}
CASES = [(n, m) for n in MADE for m in (DECODERS if n == "prompt_tuning" else FAMILIES)]
