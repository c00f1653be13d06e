"""What a model is watched with where no batch is given."""

from __future__ import annotations

import pytest
import transformers
from transformers import AutoConfig, LlamaConfig

from reference_impls import architectures
from reference_impls.anatomy import anatomy, built, class_of, model_on_meta
from reference_impls.anatomy.inputs import inputs, token_ids


@pytest.mark.parametrize("stops", [39, [39, 38, 37], None])
def test_a_token_that_means_something_is_not_taken(stops):
    sizes = {"vocab_size": 40, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2}
    config = LlamaConfig(**sizes, eos_token_id=stops)
    ids = token_ids(config, 2, 3)
    assert ids.shape == (2, 3)
    expected = {"39": 38, "[39, 38, 37]": 36, "None": 39}[str(stops)]
    assert set(ids.flatten().tolist()) == {expected}
    assert len(anatomy(model_on_meta(config)).layers) == 2


def test_nor_is_one_that_stands_for_an_image():
    config = architectures.config("blip-2")
    assert config.image_token_index == 39
    given = inputs(architectures.build("blip-2"), 1, 4)
    assert given["input_ids"].tolist() == [[38] * 4]


def test_a_type_with_two_classes_is_made_of_a_configuration_that_names_none():
    config = AutoConfig.for_model("deit", num_hidden_layers=1, hidden_size=24)
    assert config.architectures is None
    model = built(config)
    assert type(model) is transformers.DeiTForImageClassification
    assert config.architectures is None


def test_an_encoder_of_images_with_a_decoder_of_text_has_a_class():
    config = architectures.config("vision-encoder-decoder")
    assert class_of(config) is transformers.AutoModelForImageTextToText
