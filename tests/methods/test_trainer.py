"""Under transformers' `Trainer` a method trains as in its own loop, or is refused."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch
from torch.utils.data import IterableDataset
from transformers import TrainerCallback, TrainingArguments

from reference_impls import deltas
from reference_impls.core.method import METHODS, Method
from reference_impls.core.training import Loop, train
from reference_impls.trainer import DELTA, MethodTrainer, refuse_own_steps
from tests.methods import models
from tests.methods.settings import CASES, NAMES, adapt, batches

STEPS, SEED = 3, 42
OWN = [n for n in NAMES if (METHODS[n].step, METHODS[n].fit) != (Method.step, Method.fit)]


class Batches(IterableDataset):
    """Batches as they are, in their order."""

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def __iter__(self):
        return islice(batches(self.model_name), STEPS)


class Seeded(TrainerCallback):
    """Chance is that of the loop: making a data loader draws a number."""

    def on_step_begin(self, args, state, control, **_) -> None:
        if state.global_step == 0:
            torch.manual_seed(SEED)


def trainer(folder: Path, model, model_name: str, **more) -> MethodTrainer:
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=STEPS,
        per_device_train_batch_size=1,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        **{"save_strategy": "no", **more},
    )
    data = Batches(model_name)
    given = {"train_dataset": data, "data_collator": lambda rows: rows[0], "callbacks": [Seeded()]}
    return MethodTrainer(model, arguments, **given)


def trained(model) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OWN])
def test_a_method_takes_the_steps_of_its_own_loop(name, tmp_path):
    model_name = next(model for method, model in CASES if method == name)
    method, model = adapt(name, model_name)
    train(method, model, Loop(lambda seed: batches(model_name), steps=STEPS, seed=SEED))
    other, twin = adapt(name, model_name)
    before = trained(twin)
    trainer(tmp_path, twin, model_name).train()
    found, expected = trained(twin), trained(model)
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, rtol=1e-5, atol=1e-6)
    assert any(not torch.equal(found[key], before[key]) for key in found)
    assert other.begun


def test_each_part_of_a_step_is_the_methods(tmp_path):
    def patched():
        method, model = adapt("lora", "bert")
        seen, loss = [], method.loss
        method.before_step = lambda model, step: seen.append(("before", step))
        method.on_grad = lambda model, step: seen.append(("gradients", step))
        method.loss = lambda model, batch: (
            loss(model, batch)
            + sum(p.square().sum() for p in model.parameters() if p.requires_grad)
        )
        return method, model, seen

    method, model, seen = patched()
    train(method, model, Loop(lambda seed: batches("bert"), steps=STEPS, seed=SEED))
    _, twin, also = patched()
    trainer(tmp_path, twin, "bert").train()
    assert also == seen == [(what, i) for i in range(STEPS) for what in ("before", "gradients")]
    for key, tensor in trained(model).items():
        torch.testing.assert_close(trained(twin)[key], tensor, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OWN)
def test_what_takes_its_steps_by_itself_is_refused(name, tmp_path):
    model_name = next(model for method, model in CASES if method == name)
    _, model = adapt(name, model_name)
    with pytest.raises(ValueError, match=r"train it with core.training.train"):
        trainer(tmp_path, model, model_name)


def test_both_reasons_are_told():
    with pytest.raises(ValueError, match="MeZO takes its steps by itself"):
        refuse_own_steps(METHODS["mezo"]())
    with pytest.raises(ValueError, match="LT-SFT trains in phases of its own"):
        refuse_own_steps(METHODS["lt_sft"]())


def test_a_model_without_a_method_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no method is on this"):
        trainer(tmp_path, models.build("bert"), "bert")


def test_a_checkpoint_is_a_delta_and_is_gone_on_from(tmp_path):
    _, whole = adapt("lora", "bert")
    trainer(tmp_path / "whole", whole, "bert").train()
    _, first = adapt("lora", "bert")
    trainer(tmp_path / "half", first, "bert", save_strategy="steps", save_steps=2).train()
    checkpoint = tmp_path / "half" / "checkpoint-2"
    assert (checkpoint / DELTA).is_file()
    assert not [*checkpoint.glob("model*")]
    _, second = adapt("lora", "bert")
    trainer(tmp_path / "again", second, "bert").train(resume_from_checkpoint=str(checkpoint))
    for key, tensor in trained(whole).items():
        torch.testing.assert_close(trained(second)[key], tensor, rtol=1e-5, atol=1e-6)
    fresh = models.build("bert")
    deltas.load(fresh, checkpoint / DELTA)
    assert fresh.adapted_by.name == "lora"
