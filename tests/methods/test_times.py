"""The benchmark of times: its arithmetic, what it leaves of a method, and that it resumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks import paired, times
from benchmarks.paired import ratio, timed
from benchmarks.sizes import Size, batch_of
from benchmarks.times import keep, measured, missing
from reference_impls.measure import files

TINY = Size(
    "Tiny",
    LlamaForCausalLM,
    LlamaConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=24,
    ),
    step=(2, 8),
    one=(1, 8),
    many=(3, 8),
    generates=True,
)


class Clock:
    """A clock that goes on by what is done: each work takes its seconds."""

    def __init__(self) -> None:
        self.now, self.done = 0.0, ""

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, *seconds: float) -> Callable[[], None]:
        """What takes these seconds, and the last of them from then on."""
        left = list(seconds)

        def run() -> None:
            self.done += name
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


def test_what_counts_is_the_ratio_within_a_round() -> None:
    found = ratio([1.0, 20.0, 3.0, 8.0, 5.0], [1.0, 10.0, 1.0, 2.0, 1.0])
    assert found == {"median": 3.0, "low": 2.0, "high": 4.0, "rounds": 5}
    assert ratio([1.0, 2.0], [3.0, 3.0])["low"] == 0.4167


def test_all_take_turns_and_each_begins_in_its_turn() -> None:
    clock = Clock()
    found = timed({"a": clock.work("a", 9.0, 1.0), "b": clock.work("b", 9.0, 2.0)}, clock)
    assert clock.done == "ab" + "abba" * 2 + "ab"  # the first of each is not kept
    assert found == {"a": 5 * [1.0], "b": 5 * [2.0]}


def test_what_is_short_is_done_often() -> None:
    clock = Clock()
    found = timed({"a": clock.work("a", 0.02), "b": clock.work("b", 0.03)}, clock)
    assert clock.done.startswith("ab" + "aabb" + "bbaa")
    assert len(found["a"]) == paired.MOST
    assert found["a"] == pytest.approx(paired.MOST * [0.02])


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> LlamaForCausalLM:
    monkeypatch.setattr(paired, "MOST", 2)
    monkeypatch.setattr(paired, "LEAST", 2)
    monkeypatch.setattr(paired, "SHORT", 0)
    monkeypatch.setattr(times, "TWINS", {"full_fine_tuning": times.TWINS["full_fine_tuning"]})
    torch.manual_seed(0)
    return TINY.model(TINY.config)


def test_a_method_is_timed_on_copies(base: LlamaForCausalLM) -> None:
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    found = measured("lora", TINY, base)
    passes = {"step", "forward-1", "forward-32", "generation"}
    assert found["times"].keys() == {*passes, "merged-1", "merged-32"}
    assert all(set(row) == {"base"} for row in found["times"].values())
    assert found["batches"]["generation"] == TINY.one
    assert "twin" not in found
    assert all(torch.equal(before[name], value) for name, value in base.state_dict().items())
    assert not hasattr(base, "adapted_by")
    assert measured("houlsby", TINY, base)["times"].keys() == passes  # it cannot be merged


def test_the_control_is_beside_itself(base: LlamaForCausalLM) -> None:
    found = measured("full_fine_tuning", TINY, base)
    assert (found["twin"], found["kept"]) == ("itself", 1.0)
    assert found["trained"][0] == found["trained"][1]
    assert set(found["times"]["step"]) == set(found["times"]["generation"]) == {"base", "twin"}
    assert set(found["times"]["merged-1"]) == {"base"}


def test_a_refusal_is_kept_and_phases_are_counted(base: LlamaForCausalLM) -> None:
    assert list(measured("pet", TINY, base)) == ["refused"]
    assert measured("lt_sft", TINY, base)["phases"] == 2


def test_some_of_several_rows_is_padding() -> None:
    several, one = batch_of(TINY, 3, 8), batch_of(TINY, 1, 8)
    assert several["attention_mask"].sum(1).tolist() == [7, 8, 8]
    assert one["attention_mask"].all()
    assert torch.equal(several["labels"], several["input_ids"])


def test_what_is_there_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(times, "path_of", lambda name: tmp_path / f"{name}.json")
    monkeypatch.setattr(times, "versions", dict)
    both = [("minilm", "lora"), ("minilm", "ia3")]
    assert missing(["lora", "ia3"], ["minilm"], again=False) == both
    keep("lora", "minilm", {"refused": "no"})
    assert missing(["lora", "ia3"], ["minilm"], again=False) == both[1:]
    assert missing(["lora"], ["minilm", "smollm2"], again=False) == [("smollm2", "lora")]
    assert missing(["lora", "ia3"], ["minilm"], again=True) == both
    keep("lora", "smollm2", {"refused": "nor here"})
    kept = files.read(tmp_path / "lora.json")
    assert [kept[size]["refused"] for size in ("minilm", "smollm2")] == ["no", "nor here"]
    monkeypatch.setattr(times, "sources_of", lambda name: {"other": "code"})
    assert missing(["lora", "ia3"], ["minilm"], again=False) == both


def test_times_are_of_the_method_and_of_the_baseline() -> None:
    found = times.sources_of("lora")
    assert "reparameterized/lora/lora.py" in found
    assert "full_fine_tuning/full_fine_tuning/full_fine_tuning.py" in found
    assert "measure/ledger.py" in found
