"""How the tasks of the lab are described to readers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """How a task of the lab is described to readers. `chance` is the score of guessing."""

    title: str
    short: str
    description: str
    chance: float = 0.5


TASKS = {
    "first-clause": Task(
        "First clause (encoder, classification)",
        "First clause",
        "Is the first clause of a synthetic review positive? The backbone was pre-trained to know "
        "how reviews end, and in 70% of the sentences that is the opposite. Training and test "
        "share no adjective.",
    ),
    "cue": Task(
        "Cue (decoder, language modeling)",
        "Cue",
        "Which outcome follows a synthetic review? The backbone, without a cue, goes by the first "
        "clause; wanted is the last one's, in 70% of the sentences the opposite. Training and "
        "test share no adjective.",
    ),
    "summary": Task(
        "Summary (encoder-decoder, generation)",
        "Summary",
        "What is the last clause about, and what follows? A T5 writes its noun and an outcome of "
        "its polarity; both must be right. The backbone, without a cue, sums up the first clause. "
        "Training and test share no adjective.",
        chance=0.0,
    ),
    "cloze": Task(
        "Cloze (encoder, masked word)",
        "Cloze",
        "Which outcome fills the mask after a synthetic review? Wanted is one of the first "
        "clause's polarity; the backbone fills in the last one's, in 70% of the sentences the "
        "opposite. Training and test share no adjective.",
    ),
    "cue-gpt2": Task(
        "Cue (GPT-2, language modeling)",
        "Cue, GPT-2",
        "As the cue task, on a decoder with learned positions and one matrix for query, key and "
        "value.",
    ),
    "new-topic": Task(
        "New topic (decoder, language modeling)",
        "New topic",
        "As the cue task, trained on reviews of restaurants, hotels and films, tested on those of "
        "gadgets, which the training data never mention.",
    ),
}


def task_of(name: str) -> Task:
    """The description of a task; one that has none is known by its name."""
    return TASKS.get(name, Task(name, name, ""))
