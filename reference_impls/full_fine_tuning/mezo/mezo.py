r"""MeZO: every weight is trained by forward passes alone, with no more memory than inference takes.

$$ s = \frac{L(\theta + \epsilon z) - L(\theta - \epsilon z)}{2 \epsilon},
\qquad \theta \leftarrow \theta - \eta \, s \, z, \qquad z \sim \mathcal{N}(0, I) $$

The number $s$ estimates $z^\top \nabla L$, the slope along one random direction $z$ through all
weights, so that $s z$ is the gradient on average (SPSA). $z$ is as large as the model and is never
stored: it is drawn again from its seed, tensor by tensor, each time that it is needed.

**Trained:** every parameter of the pretrained model, and the task head.

**Frozen:** nothing.

**Stored:** a whole model for each task; or, for whoever has the model it started from, one seed and
one number a direction (`moves`), from which `replay` makes the same model but for rounding.

**Merge:** nothing to merge, and no way back: the pretrained values are overwritten.

**Count:** all $|\theta|$ parameters of the model without its head. No gradients, no optimizer
states and no activations are kept.

Details that matter
-------------------
1. Both passes must see the same $z$, the same batch and the same network: dropout is off. [Alg. 1;
   `trainer.py`, `zo_forward`]
2. The weights are moved in place, by $+\epsilon z$, $-2 \epsilon z$ and $+\epsilon z$. [Alg. 1;
   `zo_step`]
3. In floating point this does not quite bring $\theta$ back: about half of the entries are off by
   a unit in the last place. That is nothing in float32, but of weights of size 0.02 it is up to 2 %
   in bfloat16, and an update below half that unit is lost. The official scripts run in float16
   nevertheless, which is refused here, as for all methods. [`mezo.sh`, `--load_float16`]
4. The rate is constant and tiny, 1e-6, because $s z$ is about $\sqrt{|\theta|}$ times as long as
   the gradient; steps are many, 100,000. For OPT the script's default is 1e-5 over 20,000.
   [Appendix D; `medium_models/mezo.sh`, `large_models/mezo.sh`]
5. It needs a task that the model nearly does already, asked for by a prompt: few directions matter
   then. The runs below are therefore of `cue`, which asks by words; `first-clause` has a new head.
   [§4; `medium_models/README.md`, "No prompt"]

Paper, official code, libraries
-------------------------------
- The paper defines the average over $n$ directions a step too, and takes $n = 1$. That is the
  default (`samples`) here. [Def. 1; `--zero_order_sample`]
- The official code seeds PyTorch's global generator again and again; here $z$ comes from a
  generator of its own, so that nothing else that is random repeats itself.
- The official code can decay weights, in `large_models` all but biases and norms, by name; its
  scripts set the decay to zero. This file has none: a replay needs no more than the moves.
- MeZO for LoRA and prefixes, objectives without a gradient, and the variants with momentum or
  Adam in the paper's appendix are not here.

Source: Malladi et al. 2023, arXiv:2305.17333, §2.1. Official code:
https://github.com/princeton-nlp/MeZO
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy, numel
from ...core.method import Method, register, trainable
from ...core.options import Count, NotNegative, Positive

Move = tuple[int, float]  # a direction's seed, and how far to go


@torch.no_grad()
def shift(parameters: list[nn.Parameter], move: Move) -> None:
    """Move the parameters in place along the direction z that belongs to a seed."""
    seed, distance = move
    generator = torch.Generator(parameters[0].device).manual_seed(seed)
    for p in parameters:
        z = torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device)
        p.add_(z, alpha=distance)


class ZerothOrderSGD(torch.optim.Optimizer):
    """SGD on slopes along random directions; what it did is appended to `moves`."""

    def __init__(self, parameters, moves: list[Move], lr: float, eps: float, samples: int) -> None:
        super().__init__(parameters, {"lr": lr})
        self.moves, self.eps, self.samples = moves, eps, samples

    def add_param_group(self, param_group: dict) -> None:
        """Take the parameters; one step along one direction moves them all.

        Raises:
            ValueError: there are some already.
        """
        if self.param_groups:
            raise ValueError("MeZO moves all parameters at one rate: it takes one group of them")
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> float:
        """Update by the losses that `closure` returns, and return their mean."""
        (group,) = self.param_groups
        parameters, moves, losses = group["params"], [], []
        for _ in range(self.samples):
            seed = int(torch.randint(2**31, ()))
            for distance in (self.eps, -2 * self.eps):
                shift(parameters, (seed, distance))
                losses.append(closure().item())
            shift(parameters, (seed, self.eps))
            slope = (losses[-2] - losses[-1]) / (2 * self.eps)
            moves.append((seed, -group["lr"] * slope / self.samples))
        for move in moves:
            shift(parameters, move)
        self.moves += moves
        return sum(losses) / len(losses)


@register
class MeZO(Method):
    """Train everything without backpropagation, `samples` directions a step."""

    name = "mezo"
    title = "MeZO"
    paper = "malladi2023mezo"
    leaf = "memory"
    init_noop = True
    mergeable = True
    frozen_base = False
    detachable = False
    float32_copies = False
    tasks = ("cue",)
    lab = {"lr": 1e-4}

    eps: Positive = 1e-3
    samples: Count = 1
    lr: NotNegative = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        self.moves: list[Move] = []

    def setup(self, model, batches=None) -> None:
        self.freeze(model)
        model.requires_grad_(True)

    def trained(self, parts: Anatomy) -> int:
        return numel(parts.base_parameters())

    def optimizer(self, parameters) -> torch.optim.Optimizer:
        return ZerothOrderSGD(parameters, self.moves, self.lr, self.eps, self.samples)

    def schedule(self, progress: float) -> float:
        """The rate is constant."""
        return 1.0

    def step(self, model, batch, optimizer, step: int) -> float:
        was_training = model.training
        model.eval()
        loss = optimizer.step(lambda: self.loss(model, batch))
        model.train(was_training)
        return loss

    def replay(self, model, moves: Iterable[Move]) -> None:
        """Repeat what a training did, on an adapted model with the values it started from."""
        for move in moves:
            shift(trainable(model), move)
