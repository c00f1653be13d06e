"""Each field that a method wants of its task is given by tasks, and stood in for without one."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from reference_impls.core.batches import rows
from reference_impls.core.registry import load_methods
from reference_impls.lab.tasks import TASKS
from reference_impls.measure import given

METHODS = load_methods()
WANTED = {
    name: {field.name for field in fields(method) if field.metadata.get("from_task")}
    for name, method in METHODS.items()
}


@pytest.mark.parametrize("name", [name for name, wanted in WANTED.items() if wanted])
def test_what_a_method_wants_is_there_of_a_task_and_without_one(name):
    method = METHODS[name]
    task = TASKS[method.tasks[0]]
    model, batch = task.model(), next(task.batches())
    of_task = given.from_task(method, task, task.backbone, 0)
    stand_ins = given.stand_ins(method, model, batch)
    assert of_task.keys() == stand_ins.keys() == WANTED[name]
    for field, value in of_task.items():
        assert callable(value) == callable(stand_ins[field])
        assert isinstance(value, tuple) == isinstance(stand_ins[field], tuple)
        assert value != ()
    assert [path.stem for path in given.files_of(method)] == list(of_task)


def test_a_file_is_there_only_if_a_method_wants_it():
    found = {path.stem for path in Path(given.__file__).parent.glob("[!_]*.py")}
    assert found == set().union(*WANTED.values())


def test_texts_that_stand_in_are_as_many_and_as_long_as_the_batchs():
    task = TASKS["first-clause"]
    batch = next(task.batches(batch_size=7))
    texts = given.stand_ins(METHODS["pet"], task.model(), batch)["unlabeled"]
    assert len(texts) == rows(batch) == 7
    assert {len(text) for text in texts} == {batch["input_ids"].shape[1]}
