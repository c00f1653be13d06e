"""The kinds of models that a program for one's own model is written for, each with a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """How a program reads a checkpoint and makes batches for it.

    name: what a card calls the kind.
    architecture: the table of the checkpoint's architecture among those that methods are tried on;
        empty where what a method declares says whether it is for this kind.
    auto, reader: transformers' classes of the model and of what prepares its input, `read`.
    head: whether the model gets a head for two classes, which is trained and kept with the method.
    data: lines that make the data; what `fields` names are arguments of `batches`, whose loop has
        the lines of `batch`.
    """

    name: str
    title: str
    model: str
    auto: str
    fields: tuple[str, ...]
    data: tuple[str, ...]
    batch: tuple[str, ...]
    architecture: str = ""
    reader: str = "AutoTokenizer"
    read: str = "tokenizer"
    head: bool = True
    imports: tuple[str, ...] = ()


TEXTS = 'texts = ["The film was bad.", "The film was good."]  # your data'
CLASSES = "labels = [0, 1]"
LABELED = "yield dict(batch, labels=torch.tensor(labels, device=model.device))"

LANGUAGE_MODEL = Kind(
    name="language-model",
    title="A language model",
    model="openai-community/gpt2",
    auto="AutoModelForCausalLM",
    head=False,
    fields=("texts",),
    data=("tokenizer.pad_token = tokenizer.eos_token", TEXTS),
    batch=(
        'batch = tokenizer(texts, padding=True, return_tensors="pt").to(model.device)',
        'labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)',
        "yield dict(batch, labels=labels)",
    ),
)
CLASSIFIER = Kind(
    name="classifier",
    title="A classifier of text",
    model="google-bert/bert-base-uncased",
    auto="AutoModelForSequenceClassification",
    imports=("torch",),
    fields=("texts", "labels"),
    data=(TEXTS, CLASSES),
    batch=(
        'batch = tokenizer(texts, padding=True, return_tensors="pt").to(model.device)',
        LABELED,
    ),
)
OTHERS = (
    Kind(
        name="encoder-decoder",
        title="An encoder-decoder",
        model="google-t5/t5-small",
        architecture="t5",
        auto="AutoModelForSeq2SeqLM",
        head=False,
        fields=("texts", "targets"),
        data=(TEXTS, 'targets = ["bad", "good"]  # what it shall write'),
        batch=(
            'batch = tokenizer(texts, text_target=targets, padding=True, return_tensors="pt")',
            'padding = batch["labels"] == tokenizer.pad_token_id',
            'batch["labels"] = batch["labels"].masked_fill(padding, -100)',
            "yield dict(batch.to(model.device))",
        ),
    ),
    Kind(
        name="vision",
        title="A classifier of images",
        model="google/vit-base-patch16-224-in21k",
        architecture="vit",
        auto="AutoModelForImageClassification",
        reader="AutoImageProcessor",
        read="processor",
        imports=("numpy", "torch"),
        fields=("images", "labels"),
        data=(
            "# your data: height, width, color; transformers reads it with pillow",
            'images = [numpy.full((224, 224, 3), shade, "uint8") for shade in (60, 200)]',
            CLASSES,
        ),
        batch=('batch = processor(images, return_tensors="pt").to(model.device)', LABELED),
    ),
    Kind(
        name="audio",
        title="A classifier of sound",
        model="facebook/wav2vec2-base",
        architecture="wav2vec2",
        auto="AutoModelForAudioClassification",
        reader="AutoFeatureExtractor",
        read="processor",
        imports=("numpy", "torch"),
        fields=("sounds", "labels"),
        data=(
            "rate = processor.sampling_rate  # your data: samples, a second of each sound",
            "sounds = [numpy.sin(numpy.arange(rate) / step) for step in (9, 3)]",
            CLASSES,
        ),
        batch=(
            'batch = processor(sounds, sampling_rate=rate, padding=True, return_tensors="pt")',
            "batch = batch.to(model.device)",
            LABELED,
        ),
    ),
)
KINDS = (LANGUAGE_MODEL, CLASSIFIER, *OTHERS)
