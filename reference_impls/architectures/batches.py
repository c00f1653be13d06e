"""Batches for tiny models: text, images, sound, or a text with an image before it."""

from __future__ import annotations

import dataclasses

import torch
from transformers import PreTrainedConfig

IGNORED = -100  # the label that transformers' losses leave out
ORDINARY = range(4, 32)  # tokens that mean nothing special
SIDE = 16  # of an image, in pixels, where the configuration does not say
LACKING = 3  # tokens that row 0 has fewer than the others
SAMPLES = 1600  # of sound in a row
FRAMES = 24  # of a spectrogram in a row
PAIRS = ("pair", "packed pair")  # a text and an image that belong together: no other label
TOWERS = ("vision_config", "audio_config", "encoder")

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
        if kind == "joined":
            return self.joined(form, media, tokens)
        if kind in ("vision", "audio") and not self.config.is_encoder_decoder:
            return {**media, "labels": self.classes()}
        text = self.text()
        if kind == "encoder":
            return {**text, "labels": self.classes()}
        if kind == "encoder-decoder":
            return {**text, "labels": targets(self.text())}
        return {**(media or text), "labels": targets(text)}

    def joined(self, form: str | None, media: Batch, tokens: int) -> Batch:
        """A text behind the `tokens` placeholders of an image."""
        text = self.text()
        if form in PAIRS:
            return {**media, **text}
        labels = targets(text)
        if form == "page":
            return {**media, "labels": labels}
        if tokens:
            ids = torch.full((self.rows, tokens), self.placeholder())
            text = {
                "input_ids": torch.cat([ids, text["input_ids"]], 1),
                "attention_mask": torch.cat([torch.ones_like(ids), text["attention_mask"]], 1),
            }
            labels = torch.cat([torch.full_like(ids, IGNORED), labels], 1)
        if form == "grid":
            text["mm_token_type_ids"] = (text["input_ids"] == self.placeholder()).long()
        return {**media, **text, "labels": labels}

    def text(self) -> Batch:
        """Token ids and their mask, [rows, length]."""
        shape = (self.rows, self.length)
        ids = torch.randint(ORDINARY.start, ORDINARY.stop, shape, generator=self.generator)
        mask = torch.ones_like(ids)
        mask[0, self.length - LACKING :] = 0
        ids[mask == 0] = self.config.get_text_config().pad_token_id or 0
        return {"input_ids": ids, "attention_mask": mask}

    def classes(self) -> torch.Tensor:
        """A class for each row, [rows]."""
        return torch.randint(self.config.num_labels, (self.rows,), generator=self.generator)

    def normal(self, *shape: int) -> torch.Tensor:
        """Normal noise, [rows, *shape]."""
        return torch.randn(self.rows, *shape, generator=self.generator)

    def image(self) -> Batch:
        """One image in a row, [rows, channels, side, side]."""
        return {"pixel_values": self.normal(*self.pixels())}

    def placeholder(self) -> int:
        """The token that stands for a part of an image or of a sound."""
        ids = (getattr(self.config, name, None) for name in ("image_token_id", "audio_token_id"))
        return next(token for token in ids if token is not None)

    def tower(self) -> PreTrainedConfig:
        """The configuration of what reads images or sound: the whole one, or a part."""
        parts = (getattr(self.config, name, None) for name in TOWERS)
        return next((part for part in parts if part is not None), self.config)

    def pixels(self) -> tuple[int, int, int]:
        """The shape of an image: channels, height, width."""
        config = self.tower()
        side = getattr(config, "image_size", SIDE)
        side = side if isinstance(side, int) else side[0]
        return (getattr(config, "num_channels", 3), side, side)

    def tiles(self) -> Batch:
        """One image in a row that holds a list of images, [rows, 1, channels, side, side]."""
        return {"pixel_values": self.normal(1, *self.pixels())}

    def anyres(self) -> Batch:
        """An image and its only tile, [rows, 2, channels, side, side], with the image's size."""
        size = torch.tensor([self.pixels()[1:]] * self.rows)
        return {"pixel_values": self.normal(2, *self.pixels()), "image_sizes": size}

    def tiled(self) -> Batch:
        """An image of one tile, [rows, 1, 1, channels, side, side], and which shape it has."""
        return {
            "pixel_values": self.normal(1, 1, *self.pixels()),
            "aspect_ratio_ids": torch.ones(self.rows, 1, dtype=torch.long),
            "aspect_ratio_mask": torch.ones(self.rows, 1, 1, dtype=torch.long),
        }

    def sized(self) -> Batch:
        """One image in a row, with its size."""
        return {**self.image(), "image_sizes": torch.tensor([self.pixels()[1:]] * self.rows)}

    def packed(self) -> Batch:
        """An image as 4 x 4 patches, [rows, 16, values of a patch]."""
        return {
            "pixel_values": self.normal(16, 3 * self.tower().patch_size ** 2),
            "spatial_shapes": torch.tensor([[4, 4]] * self.rows),
            "pixel_attention_mask": torch.ones(self.rows, 16, dtype=torch.long),
        }

    def video(self) -> Batch:
        """Frames of a film, [rows, frames, channels, side, side]."""
        return {"pixel_values": self.normal(self.config.num_frames, *self.pixels())}

    def asked(self) -> Batch:
        """An image, and a question to what chooses from it."""
        question = self.text()
        return {
            **self.image(),
            "qformer_input_ids": question["input_ids"],
            "qformer_attention_mask": question["attention_mask"],
        }

    def grid(self) -> Batch:
        """An image as 4 x 4 patches, [rows, 16, values of a patch]; four become one token."""
        vision = self.tower()
        patches = self.normal(16, 3 * vision.temporal_patch_size * vision.patch_size**2)
        return {"pixel_values": patches, "image_grid_thw": torch.tensor([[1, 4, 4]] * self.rows)}

    def waves(self) -> Batch:
        """Sound, [rows, samples]."""
        return {"input_values": self.normal(SAMPLES)}

    def spectrogram(self) -> Batch:
        """A spectrogram of one length, [rows, frames, mels]."""
        return {"input_values": self.normal(self.config.max_length, self.config.num_mel_bins)}

    def mels(self) -> Batch:
        """A spectrogram as Whisper takes it, [rows, mels, frames]."""
        config = self.tower()
        frames = 2 * config.max_source_positions  # halved by the second convolution
        return {"input_features": self.normal(config.num_mel_bins, frames)}

    def masked_mels(self) -> Batch:
        """The same, with what of it is sound, [rows, frames]."""
        mels = self.mels()
        mask = torch.ones_like(mels["input_features"][:, 0], dtype=torch.long)
        return {**mels, "feature_attention_mask": mask}

    def features(self) -> Batch:
        """A spectrogram of any length, [rows, frames, mels]."""
        names = ("feature_projection_input_dim", "input_feat_per_channel")
        width = next(getattr(self.config, name) for name in names if hasattr(self.config, name))
        return {"input_features": self.normal(FRAMES, width)}


INPUTS = {
    "image": Draw.image,
    "pair": Draw.image,
    "page": Draw.image,
    "tiles": Draw.tiles,
    "tiled": Draw.tiled,
    "anyres": Draw.anyres,
    "sized": Draw.sized,
    "packed": Draw.packed,
    "packed pair": Draw.packed,
    "video": Draw.video,
    "asked": Draw.asked,
    "grid": Draw.grid,
    "waves": Draw.waves,
    "spectrogram": Draw.spectrogram,
    "mels": Draw.mels,
    "masked mels": Draw.masked_mels,
    "features": Draw.features,
}


def targets(text: Batch) -> torch.Tensor:
    """The tokens of a text as labels, [rows, length]: padding is left out of the loss."""
    return text["input_ids"].masked_fill(text["attention_mask"] == 0, IGNORED)
