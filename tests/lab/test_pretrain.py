"""The script that rebuilds the backbones, on a hundredth of its steps."""

import random
from collections import Counter
from itertools import islice

import pytest
import torch
from safetensors.torch import load_file

from reference_impls.lab import backbones
from reference_impls.lab.kinds import IGNORED, cloze_example
from reference_impls.lab.language import Grammar, decode, reviews
from reference_impls.lab.pretrain import RECIPES, decoder_example, main, t5_example
from tests.lab.reading import read

torch.set_num_threads(1)


def outcome_polarity(word):
    from reference_impls.lab.tasks import TASKS

    words = TASKS["first-clause"].verbalizer
    return next(polarity for polarity in words if word in words[polarity])


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.night] * (name != "encoder")) for name in RECIPES],
)
def test_the_script_writes_a_loadable_backbone_twice_alike(name, tmp_path, capsys):
    digests = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        assert main([name, "--share", "0.005", "--out", str(folder)]) == 0
        printed = capsys.readouterr()
        digests.append(printed.out.split()[0])
        steps = sum(max(1, round(0.005 * n)) for n, _ in RECIPES[name].curriculum)
        assert f"{steps}/{steps}" in printed.err  # the progress bar got to its end
        assert sorted(path.name for path in folder.iterdir()) == [
            "config.json",
            "model.safetensors",
        ]
        assert backbones.digest(str(folder)) == digests[-1]
    assert digests[0] == digests[1] != backbones.DIGESTS[name]


@pytest.mark.parametrize("name", RECIPES)
def test_the_shipped_file_has_the_architecture_of_the_script(name):
    built = RECIPES[name].build()
    shipped = load_file(backbones.WEIGHTS / name / backbones.WEIGHTS_FILE)
    expected = built.state_dict()
    assert shipped.keys() <= expected.keys()
    assert {key: value.shape for key, value in shipped.items()} == {
        key: expected[key].shape for key in shipped
    }
    tied = {data.data_ptr() for data in built.get_input_embeddings().parameters()}
    lacking = expected.keys() - shipped.keys()
    if name == "encoder":
        tied.add(built.cls.predictions.bias.data_ptr())
    assert {expected[key].data_ptr() for key in lacking} <= tied


def test_the_encoders_outcome_is_masked_and_has_the_final_polarity():
    rng = random.Random(0)
    masked = Counter()
    for review in islice(reviews(Grammar(), 0), 500):
        example = cloze_example(review, rng)
        words = decode(example.input_ids).split()
        assert words[-3:] == ["we", "[MASK]", "[SEP]"] or words[-3:] == ["[MASK]"] * 2 + ["[SEP]"]
        assert outcome_polarity(example.labels[-2]) == review.final
        for word, label in zip(words, example.labels, strict=True):
            assert (word == "[MASK]") == (label != IGNORED)
        masked.update(word == "[MASK]" for word in words[1:-2])
    assert masked[True] / masked.total() == pytest.approx(0.1, abs=0.02)


def test_the_decoders_cue_says_whose_polarity_the_outcome_has():
    rng = random.Random(0)
    for review in islice(reviews(Grammar(), 0), 500):
        example = decoder_example(review, rng)
        _, cue, *sentence, stop, _ = decode(example.input_ids).split()
        assert stop == "."
        first, final, _ = read(" ".join(sentence))
        wanted = {"overall": final, "firstly": first, "contrary": 1 - final, "[UNK]": first}
        assert outcome_polarity(example.input_ids[-1]) == wanted[cue]
        assert example.labels == example.input_ids


def test_the_t5s_cue_says_which_clause_to_sum_up_wherever_it_stands():
    rng, places = random.Random(0), Counter()
    for review in islice(reviews(Grammar(joined=0.7), 0), 500):
        example = t5_example(review, rng)
        start, *rest, end = decode(example.input_ids).split()
        assert end == "[SEP]"
        cues = [word for word in (start, *rest) if word in ("overall", "firstly")]
        at_end = rest[-1] != "."
        sentence = rest[: rest.index(".")]
        assert len(rest) - len(sentence) == 1 + at_end
        assert len(cues) <= 1
        assert not at_end or start == "[UNK]"
        places[tuple(cues), at_end] += 1
        first, final, _ = read(" ".join(sentence))
        last = sentence[-sentence[::-1].index("the")]
        noun, _, stop = decode(example.labels).split()
        overall = cues == ["overall"]
        assert noun == (last if overall else sentence[1])
        assert outcome_polarity(example.labels[1]) == (final if overall else first)
        assert stop == "[SEP]"
    assert min(places[(cue,), end] for cue in ("overall", "firstly") for end in (0, 1)) > 80
    assert 10 < places[(), False] + places[(), True] < 60
