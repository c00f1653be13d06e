"""Options: what each may be, and that nothing else gets as far as a model."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.__main__ import main
from reference_impls.core.method import METHODS
from reference_impls.core.options import KINDS, check
from reference_impls.hyperparameters import _value
from tests.methods import models
from tests.methods.settings import NAMES, make

OPTIONS = {
    (name, option.name): option.type
    for name in NAMES
    for option in fields(METHODS[name])
    if not option.metadata.get("from_task")
}
ODD = ["1", None, math.nan, math.inf, -math.inf, [1], 1j]
WRONG = {
    "bool": [0, 1, "true", None],
    "Count": [*ODD, 0, -1, 1.5, True],
    "Finite": [*ODD, True],
    "Negative": [*ODD, 0.0, 1.0, False],
    "NotNegative": [*ODD, -1e-9, True],
    "Part": [*ODD, -0.1, 1.0, 1, True],
    "Positive": [*ODD, 0.0, -1.0, True],
    "Share": [*ODD, 0.0, -0.1, 1.1, True],
    "Whole": [*ODD, -1, 0.5, False],
}
RIGHT = {
    "bool": [True, False],
    "Count": [1, 10**9],
    "Finite": [-1.5, 0, 2],
    "Negative": [-1e-9, -2],
    "NotNegative": [0, 0.0, 1e9],
    "Part": [0, 0.0, 0.999],
    "Positive": [1e-9, 3],
    "Share": [1e-9, 1, 1.0],
    "Whole": [0, 3],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_lets_pass_what_its_words_say(kind):
    for value in RIGHT[kind]:
        check("x", kind, value)
    for value in WRONG[kind]:
        with pytest.raises(ValueError, match=f"^x = .*: this option must be {KINDS[kind].words}$"):
            check("x", kind, value)


@given(st.sampled_from([k for k in KINDS if k != "bool"]), st.floats() | st.integers())
def test_a_number_of_any_kind_is_finite_and_within_its_bounds(kind, value):
    try:
        check("x", kind, value)
    except ValueError:
        return
    assert math.isfinite(value)
    assert KINDS[kind].holds(value)
    assert isinstance(value, int) or KINDS[kind].type is float


@pytest.mark.parametrize(("kind", "value"), [("float", 0.5), ("int", 3), ("str", "x")])
def test_the_command_line_reads_what_has_no_bounds_yet(kind, value):
    """As a new method may have it until its types are chosen."""
    assert _value("x", kind, str(value)) == value


def test_every_number_says_what_it_may_be():
    plain = [place for place, kind in OPTIONS.items() if kind in ("int", "float")]
    assert plain == []


@pytest.mark.parametrize("name", NAMES)
def test_a_value_that_is_none_of_its_option_is_refused_by_the_options_name(name):
    made = make(name)
    for (method, option), kind in OPTIONS.items():
        if method == name:
            for value in WRONG.get(kind, ()):
                with pytest.raises(ValueError, match=f"^{option} = "):
                    METHODS[name](**{option: value})
            check(option, kind, getattr(made, option))


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("lora", "targets", ()),
        ("lora", "targets", ("query", "query")),
        ("lora", "targets", ("queries",)),
        ("linear_probe", "pooling", "max"),
        ("prompt_tuning", "init", "zeros"),
        ("p_tuning", "template", ()),
        ("p_tuning", "template", (0, 3)),
        ("adapterdrop", "dropped", 12),
        ("bitfit", "lr", -1.0),
    ],
)
def test_a_wrong_option_leaves_the_model_as_it_was(name, option, value):
    model = models.build("bert")
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=option):
        METHODS[name](**{option: value}).setup(model)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert before.keys() == model.state_dict().keys()
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("train lora --r 0", "argument --r: r = 0: this option must be a whole number, at least 1"),
        ("train lora --r x", "argument --r: r = 'x': this option must be"),
        ("train lora --dropout nan", "argument --dropout: dropout = nan"),
        ("count fish_mask --config c.json --density -0.5", "--density: density = -0.5: this"),
        ("train prompt_tuning --length -5", "--length: length = -5: this option"),
        ("train compacter --n 0", "--n: n = 0: this option"),
    ],
)
def test_the_command_line_says_so_before_it_imports_anything(arguments, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
