"""What a drawing shows, in words: for those who cannot see it, and for the legend."""

from __future__ import annotations

from collections.abc import Iterable

from ..text.markup import listed
from .vocabulary import BASE, MAPS, MEANING, NORMS, PARTS, Drawing, Piece, State

PART_NAMES = {
    "embeddings": "the embeddings",
    "embedding_norm": "the norm of the embeddings",
    "attention_norm": "the norm behind attention",
    "feed_forward_norm": "the norm behind the feed-forward block",
    "query": "the query map",
    "key": "the key map",
    "value": "the value map",
    "attention_output": "the output map of attention",
    "feed_forward_up": "the first feed-forward map",
    "feed_forward_down": "the second feed-forward map",
    "pooler": "the pooler",
    "head": "the task head",
}
# Several parts at once, the largest first.
GROUPS = {
    "the whole pretrained model": BASE,
    "all linear maps of the layers": MAPS,
    "all norms": NORMS,
    "the query, key, value and output maps of attention": MAPS[:4],
    "both feed-forward maps": MAPS[4:],
}
KIND_NAMES = {
    "adapter": "a bottleneck adapter",
    "fusion": "attention over the adapters",
    "low_rank": "a low-rank update",
    "scale": "a rescaling vector",
    "prefix": "a prefix of keys and values",
    "prompt": "prompt vectors",
    "vectors": "vectors",
    "side": "a side network",
    "probe": "a linear probe",
}
PLACE_NAMES = {
    "input": "among the embedded text",
    "entrance": "added to the layer's input at special tokens",
    "attention": "in front of the text's",
    "after_attention": "behind attention, inside the residual connection",
    "beside_feed_forward": "beside the feed-forward block",
    "after_feed_forward": "behind the feed-forward block, inside the residual connection",
    "between_norms": "behind the feed-forward block, between two uses of its norm",
    "layer_outputs": "that reads the output of every layer",
    "last_states": "on the last hidden states",
}
SCALED = {
    "key": "on the keys",
    "value": "on the values",
    "feed_forward_down": "on the input of the second feed-forward map",
}


def described(drawing: Drawing) -> str:
    """The drawing in sentences."""
    found = ["One of L equal layers, with the input at the bottom."]
    for state in reversed(MEANING):
        parts = [part for part in PARTS if drawing.state(part) is state]
        if parts:
            found.append(f"{MEANING[state]}: {listed(grouped(parts))}.")
    if drawing.added:
        found.append(f"Added: {'; '.join(map(added, drawing.added))}.")
    notes = [*drawing.notes.values(), *([drawing.aside.words] if drawing.aside else [])]
    found += (f"{' '.join(lines)}." for lines in notes)
    return " ".join(sentence[:1].upper() + sentence[1:] for sentence in found)


def added(piece: Piece) -> str:
    """'a low-rank update beside the query map, trained'."""
    where = PLACE_NAMES.get(piece.place)
    if piece.kind == "scale":
        where = SCALED[piece.place]
    place = where or f"beside {PART_NAMES[piece.place]}"
    more = [
        *(["with a norm of its own"] if piece.norm else []),
        *(["with a residual connection of its own"] if piece.residual else []),
        *(["behind a learned gate"] if piece.gated else []),
        *(["computed in training by a helper network that is not kept"] if piece.helper else []),
    ]
    return ", ".join([f"{KIND_NAMES[piece.kind]} {place}", *more, MEANING[piece.state]])


def grouped(parts: Iterable[str]) -> list[str]:
    """The names of the parts, several at once where there is a name for them together."""
    left, names = list(parts), []
    for name, group in GROUPS.items():
        if set(group) <= set(left):
            names.append(name)
            left = [part for part in left if part not in group]
    return names + [PART_NAMES[part] for part in left]


def states(drawing: Drawing) -> list[State]:
    """All states that the drawing shows, in the order of the legend."""
    shown = {drawing.state(part) for part in PARTS} | {piece.state for piece in drawing.added}
    averaged = drawing.aside is not None and drawing.aside.picture == "average"
    if averaged or any(piece.helper for piece in drawing.added):
        shown.add(State.HELPER)
    return [state for state in MEANING if state in shown]
