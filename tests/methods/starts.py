"""From what a trained tensor is drawn at the start: laws in words, and samples held to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SIGMAS = 5
CUT = 0.8796257  # the standard deviation of a standard normal cut off at two
BOUNDS = {
    "1/sqrt(d_in)": lambda d_in, d_out: 1 / math.sqrt(d_in),
    "1/sqrt(d_out/4)": lambda d_in, d_out: 1 / math.sqrt(d_out / 4),  # an LSTM: four gates
    "sqrt(12/(1+d_in))": lambda d_in, d_out: math.sqrt(12 / (1 + d_in)),  # Glorot, gain sqrt(2)
}


@dataclass(frozen=True)
class Law:
    """Mean, standard deviation, kurtosis and range of what is drawn; constants have no spread."""

    mean: float
    std: float
    kurtosis: float = 3.0
    low: float = -math.inf
    high: float = math.inf

    def misfit(self, mean: float, std: float, largest: float, numbers: int) -> str:
        """What about a sample cannot come from this law; empty if nothing."""
        error = SIGMAS / math.sqrt(numbers)
        spread = error * math.sqrt(max(self.kurtosis - 1, 0)) / 2
        rounding = 1e-5 + 1e-3 * abs(self.mean)
        if abs(mean - self.mean) > error * self.std + rounding:
            return f"the mean is {mean:.4g}, not {self.mean:.4g}"
        if abs(std - self.std) > (spread + 1e-3) * self.std:
            return f"the standard deviation is {std:.4g}, not {self.std:.4g}"
        bound = max(abs(self.low), abs(self.high))
        if largest > bound * 1.001:
            return f"the largest magnitude is {largest:.4g}, above {bound:.4g}"
        # of a thousand numbers some come near a bound; where there is none, beyond two deviations
        near = 2 * self.std if math.isinf(bound) else 0.93 * bound
        if numbers >= 1000 and self.std and largest < near:
            return f"the largest magnitude is {largest:.4g}, below {near:.4g}"
        return ""


def parse(text: str, d_in: int, d_out: int, embeddings: tuple[float, float] = (0.0, 1.0)) -> Law:
    """The law that these words name, for a tensor with so many inputs and outputs.

    embeddings: mean and standard deviation of the model's, which some prompts are copied from.

    Raises:
        ValueError: they name none.
    """
    match text.split():
        case ["constant", value]:
            return Law(float(value), 0.0, 1.0, float(value), float(value))
        case ["normal", std]:
            return Law(0.0, float(std))
        case ["truncated", "normal", std]:  # at two standard deviations
            return Law(0.0, CUT * float(std), 2.37, -2 * float(std), 2 * float(std))
        case ["uniform", low, "to", high]:
            low, high = float(low), float(high)
            return Law((low + high) / 2, (high - low) / math.sqrt(12), 1.8, low, high)
        case ["uniform", bound] if bound in BOUNDS:
            edge = BOUNDS[bound](d_in, d_out)
            return Law(0.0, edge / math.sqrt(3), 1.8, -edge, edge)
        case ["identity"]:
            return Law(1 / d_in, math.sqrt(1 / d_in - 1 / d_in**2), 1.0, 0.0, 1.0)
        case ["embeddings"]:
            return Law(*embeddings)
    raise ValueError(f"'{text}' is no law")


def misfit(text: str, tensors: list[tuple[Tensor, int]], embeddings: tuple[float, float]) -> str:
    """What about tensors, each with its d_in, does not fit the law; each is scaled by its own."""
    laws = [parse(text, d_in, len(t) if t.ndim else 1, embeddings) for t, d_in in tensors]
    if len({(law.mean, law.std) for law in laws}) == 1:
        law, values = laws[0], torch.cat([t.flatten() for t, _ in tensors])
    else:
        first = laws[0]
        law = Law(0.0, 1.0, first.kurtosis, first.low / first.std, first.high / first.std)
        scaled = [(t - law.mean).flatten() / law.std for (t, _), law in zip(tensors, laws)]
        values = torch.cat(scaled)
    values = values.double()
    std, largest = values.std(correction=0).item(), values.abs().max().item()
    return law.misfit(values.mean().item(), std, largest, len(values))
