"""Batches for tiny models: text, images, sound, or a text with an image before it."""

from __future__ import annotations

import dataclasses

import torch
from transformers import PreTrainedConfig

IGNORED = -100  # the label that transformers' losses leave out
ORDINARY = range(4, 32)  # tokens that mean nothing special
LACKING = 3  # tokens that row 0 has fewer than the others
SAMPLES = 1200  # of sound in a row
FRAMES = 24  # of a spectrogram in a row

Batch = dict[str, torch.Tensor]


@dataclasses.dataclass
class Draw:
    """Random inputs for one configuration; `length` counts tokens of text."""

    config: PreTrainedConfig
    rows: int
    length: int
    generator: torch.Generator

    def batch(self, kind: str, form: str | None, tokens: int) -> Batch:
        """Keyword arguments for a model of a kind whose images or sound enter in a form."""
        media = INPUTS[form](self) if form else {}
        if kind in ("vision", "audio") and not self.config.is_encoder_decoder:
            return {**media, "labels": self.classes()}
        text = self.text()
        if kind == "encoder":
            return {**text, "labels": self.classes()}
        if kind == "encoder-decoder":
            return {**text, "labels": targets(self.text())}
        if kind == "audio":
            return {**media, "labels": targets(text)}
        return {**media, **text, "labels": targets(text)}

    def text(self) -> Batch:
        """Token ids and their mask, [rows, length]."""
        shape = (self.rows, self.length)
        ids = torch.randint(ORDINARY.start, ORDINARY.stop, shape, generator=self.generator)
        mask = torch.ones_like(ids)
        mask[0, self.length - LACKING :] = 0
        ids[mask == 0] = self.config.get_text_config().pad_token_id or 0
        return {"input_ids": ids, "attention_mask": mask}

    def classes(self) -> torch.Tensor:
        return torch.randint(self.config.num_labels, (self.rows,), generator=self.generator)

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(self.rows, *shape, generator=self.generator)

    def image(self) -> Batch:
        side = self.config.image_size
        side = side if isinstance(side, int) else side[0]
        return {"pixel_values": self.normal(self.config.num_channels, side, side)}

    def waves(self) -> Batch:
        return {"input_values": self.normal(SAMPLES)}

    def spectrogram(self) -> Batch:
        return {"input_values": self.normal(self.config.max_length, self.config.num_mel_bins)}

    def mels(self) -> Batch:
        frames = 2 * self.config.max_source_positions  # halved by the second convolution
        return {"input_features": self.normal(self.config.num_mel_bins, frames)}

    def features(self) -> Batch:
        names = ("feature_projection_input_dim", "input_feat_per_channel")
        width = next(getattr(self.config, name) for name in names if hasattr(self.config, name))
        return {"input_features": self.normal(FRAMES, width)}


INPUTS = {
    "image": Draw.image,
    "waves": Draw.waves,
    "spectrogram": Draw.spectrogram,
    "mels": Draw.mels,
    "features": Draw.features,
}


def targets(text: Batch) -> torch.Tensor:
    """The tokens of a text as labels, [rows, length]: padding is left out of the loss."""
    return text["input_ids"].masked_fill(text["attention_mask"] == 0, IGNORED)
