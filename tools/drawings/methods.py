"""Where every method acts: the one table that the drawings are made from.

A test sets each method up on a small BERT and compares what it finds there with this table.
"""

from __future__ import annotations

from .vocabulary import BASE, MAPS, NORMS, Aside, Drawing, Piece, State, every

_ALL_TRAINED = every(State.TRAINED, *BASE)
_ALL_ENTRIES = every(State.ENTRIES, *BASE)
_BETWEEN_NORMS = Piece("adapter", "between_norms")
_PREFIX_HELPER = Piece("prefix", "attention", helper=True)

DRAWINGS: dict[str, Drawing] = {
    "adapterdrop": Drawing(
        "AdapterDrop",
        added=(_BETWEEN_NORMS,),
        aside=Aside(
            "layers", ("the lowest n layers", "run without;", "n is new in each", "training step")
        ),
    ),
    "adapterfusion": Drawing(
        "AdapterFusion",
        added=(
            Piece("adapter", "between_norms", State.EARLIER),
            Piece("fusion", "between_norms"),
        ),
        notes={
            "after_feed_forward": (
                "1 an adapter for",
                "each task, alone",
                "2 attention to all",
                "of them (Q, K, V)",
            )
        },
    ),
    "adaptersoup": Drawing(
        "AdapterSoup",
        added=(Piece("adapter", "after_feed_forward", residual=True, norm=True),),
        aside=Aside(
            "average", ("the mean of the", "adapters of the", "nearest domains,", "norms included")
        ),
    ),
    "bitfit": Drawing(
        "BitFit",
        states=every(State.BIASES, *NORMS, *MAPS, "pooler"),
        notes={
            "projections": ("b of every map …",),
            "norm": ("… and every norm",),
            "head": ("the pooler's, too",),
        },
    ),
    "child_tuning_d": Drawing(
        "Child-Tuning-D",
        states=_ALL_ENTRIES,
        aside=Aside(
            "entries",
            (
                "one fixed mask for",
                "the whole model:",
                "the share p with",
                "the most Fisher",
                "information",
            ),
        ),
    ),
    "child_tuning_f": Drawing(
        "Child-Tuning-F",
        states=every(State.SAMPLED, *BASE, "head"),
        aside=Aside(
            "sampled",
            (
                "each entry passes",
                "with probability p",
                "and is divided by p;",
                "the mask is new in",
                "each step",
            ),
        ),
    ),
    "compacter": Drawing(
        "Compacter",
        states=every(State.TRAINED, *NORMS),
        added=(
            Piece("adapter", "after_attention", residual=True),
            Piece("adapter", "after_feed_forward", residual=True),
        ),
        aside=Aside(
            "shared",
            (
                "one set of small",
                "matrices in the",
                "adapters of all",
                "layers; vectors and",
                "biases are each",
                "adapter's own",
            ),
        ),
    ),
    "diff_pruning": Drawing(
        "Diff pruning",
        states=_ALL_ENTRIES,
        aside=Aside(
            "entries",
            (
                "1 a difference and",
                "its gates, for all",
                "entries",
                "2 the k largest",
                "differences alone",
            ),
        ),
    ),
    "fish_mask": Drawing(
        "FISH mask",
        states=_ALL_ENTRIES,
        aside=Aside(
            "entries",
            (
                "one fixed mask for",
                "the whole model:",
                "the k entries with",
                "the most Fisher",
                "information",
            ),
        ),
    ),
    "full_fine_tuning": Drawing(
        "Full fine-tuning",
        states=_ALL_TRAINED,
        aside=Aside("backward", ("gradients of all", "weights, then a", "step of Adam")),
    ),
    "galore": Drawing(
        "GaLore",
        states=_ALL_TRAINED | every(State.PROJECTED, *MAPS),
        aside=Aside(
            "projected",
            (
                "a matrix's gradient,",
                "projected to rank r",
                "for Adam; the",
                "projection is made",
                "anew every T steps",
            ),
        ),
    ),
    "houlsby": Drawing(
        "Houlsby adapters",
        states=every(State.TRAINED, *NORMS),
        added=(
            Piece("adapter", "after_attention", residual=True),
            Piece("adapter", "after_feed_forward", residual=True),
        ),
        notes={
            "embeddings": ("this norm, too",),
            "norm": ("norms are trained",),
            "after_attention": ("an adapter with a", "residual connection", "of its own"),
            "after_feed_forward": ("a second one",),
        },
    ),
    "ia3": Drawing(
        "(IA)³",
        added=(
            Piece("scale", "key"),
            Piece("scale", "value"),
            Piece("scale", "feed_forward_down"),
        ),
        notes={
            "prefix": ("vectors rescale", "keys and values …"),
            "feed_forward": ("… and what the", "second map reads"),
        },
    ),
    "ladder_side_tuning": Drawing(
        "Ladder side-tuning",
        added=(Piece("side", "layer_outputs"),),
        aside=Aside("side", ("no gradient", "flows back", "into the model")),
    ),
    "linear_probe": Drawing(
        "Linear probe",
        states=every(State.UNUSED, "pooler", "head"),
        added=(Piece("probe", "last_states"),),
        notes={"head": ("one linear map on", "the last states")},
    ),
    "lomo": Drawing(
        "LOMO",
        states=_ALL_TRAINED,
        aside=Aside(
            "fused",
            (
                "each gradient",
                "updates its",
                "tensor at once",
                "and is dropped;",
                "no optimizer",
                "states",
            ),
        ),
    ),
    "lora": Drawing(
        "LoRA",
        added=(Piece("low_rank", "query"), Piece("low_rank", "value")),
        notes={"projections": ("two thin matrices", "A and B beside", "query and value")},
    ),
    "lt_sft": Drawing(
        "LT-SFT",
        states={part: State.ENTRIES for part in BASE if part not in NORMS},
        aside=Aside(
            "entries",
            ("1 all but norms", "2 rewound, only", "the K entries that", "had changed most"),
        ),
    ),
    "mam": Drawing(
        "MAM adapter",
        added=(_PREFIX_HELPER, Piece("adapter", "beside_feed_forward")),
        notes={
            "prefix": ("a short prefix …",),
            "feed_forward": ("… and an adapter", "beside the block,", "its output times s"),
        },
    ),
    "mezo": Drawing(
        "MeZO",
        states=_ALL_TRAINED,
        aside=Aside(
            "forward",
            (
                "all weights move",
                "along one random",
                "direction z, as far",
                "as the two losses",
                "tell; no backward",
                "pass",
            ),
        ),
    ),
    "mixout": Drawing(
        "Mixout",
        states=_ALL_TRAINED | every(State.MIXED, *MAPS, "pooler"),
        aside=Aside(
            "mixed",
            (
                "in each step some",
                "columns are as",
                "pretrained, and the",
                "change of the rest",
                "is divided by 1 − p",
            ),
        ),
    ),
    "p_tuning": Drawing(
        "P-tuning",
        added=(Piece("prompt", "input", helper=True),),
        tokens=("e", "h", "h", "e", "e", "h", "h", "e"),
        notes={"input": ("pseudo-tokens h", "in a template with", "the embeddings e")},
    ),
    "p_tuning_v2": Drawing(
        "P-tuning v2",
        added=(Piece("prefix", "attention"),),
        notes={
            "prefix": ("keys and values of", "their own in every", "layer, trained", "directly")
        },
    ),
    "parallel_adapter": Drawing(
        "Scaled parallel adapter",
        added=(Piece("adapter", "beside_feed_forward"),),
        notes={"feed_forward": ("an adapter beside", "the block, its", "output times s")},
    ),
    "pasta": Drawing(
        "PASTA",
        added=(Piece("vectors", "entrance"),),
        notes={"entrance": ("vectors, added to", "special tokens only:", "[CLS], [SEP]")},
    ),
    "pet": Drawing(
        "PET",
        states=_ALL_TRAINED,
        tokens=("x", "It", "was", "[MASK]"),
        aside=Aside(
            "phases",
            (
                "1 for each pattern",
                "a masked language",
                "model learns to fill",
                "the mask",
                "2 they label more",
                "texts together",
                "3 this classifier",
                "learns those labels",
            ),
        ),
        notes={"input": ("the cloze of 1",)},
    ),
    "pfeiffer": Drawing(
        "Pfeiffer adapters",
        added=(_BETWEEN_NORMS,),
        notes={"after_feed_forward": ("one adapter,", "between two uses", "of the same norm")},
    ),
    "prefix_tuning": Drawing(
        "Prefix tuning",
        added=(_PREFIX_HELPER,),
        notes={
            "prefix": (
                "keys and values in",
                "every layer; what",
                "computes them is",
                "dropped in the end",
            )
        },
    ),
    "prompt_tuning": Drawing(
        "Prompt tuning",
        added=(Piece("prompt", "input"),),
        tokens=("p", "p", "p", "e", "e", "e", "e"),
        notes={"input": ("k trained rows p in", "front of the text's", "embeddings e")},
    ),
    "qlora": Drawing(
        "QLoRA",
        states=every(State.QUANTIZED, *MAPS),
        added=tuple(Piece("low_rank", part) for part in MAPS),
        notes={
            "projections": ("A and B beside", "every linear map of", "the layer"),
            "feed_forward": ("maps in four bits;", "the rest is not", "quantized"),
        },
    ),
    "unipelt": Drawing(
        "UniPELT",
        added=(
            Piece("low_rank", "query", gated=True),
            Piece("low_rank", "value", gated=True),
            Piece("prefix", "attention", gated=True, helper=True),
            Piece("adapter", "between_norms", gated=True),
        ),
        notes={
            "prefix": ("one gate G for the", "prefix, one for", "both updates …"),
            "after_feed_forward": ("… and one for the", "adapter"),
        },
    ),
}
