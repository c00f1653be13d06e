"""The unsaturated task sees bugs that a solved one hides.

A task that every method solves does not see what a bug costs: LoRA at a tenth of its scale and
Houlsby adapters without their residual connection still tell first clauses apart. `facts` is
solved by neither method, and there every planted bug scores below every intact run. After 300
steps, seeds 0 to 2:

    LoRA                         0.772  0.823  0.798
      half of its ranks dead     0.671  0.723  0.648
      scale alpha / r^2          0.444  0.561  0.483
    Houlsby adapters             0.716  0.676  0.747
      no residual connection     0.641  0.395  0.542
      weights 100 times larger   0.307  0.332  0.371

The tests repeat seed 2, and ask each run to be on the right side of the middle between intact and
nearest bug.
"""

import pytest
import torch
from torch import nn

from reference_impls.additive.houlsby.houlsby import Bottleneck, Houlsby
from reference_impls.measure import runs
from reference_impls.reparameterized.lora.lora import LoRA
from reference_impls.shared.low_rank import LowRank

torch.set_num_threads(1)


class IntactLoRA(LoRA):
    tasks = ("facts",)


class DeadRanks(IntactLoRA):
    """Rows of A and columns of B that are both zero have no gradient: they stay zero."""

    def setup(self, model, batches=None):
        super().setup(model, batches)
        for update in modules(model, LowRank):
            nn.init.zeros_(update.a[self.r // 2 :])


class DividedTwice(IntactLoRA):
    def setup(self, model, batches=None):
        super().setup(model, batches)
        for update in modules(model, LowRank):
            update.scale /= self.r


class IntactHoulsby(Houlsby):
    tasks = ("facts",)


class NoResidual(IntactHoulsby):
    def setup(self, model, batches=None):
        super().setup(model, batches)
        for adapter in modules(model, Bottleneck):
            adapter.register_forward_hook(lambda _, args, output: output - args[0])


class LargeWeights(IntactHoulsby):
    def setup(self, model, batches=None):
        super().setup(model, batches)
        for adapter in modules(model, Bottleneck):
            for linear in (adapter.down, adapter.up):
                linear.weight.data.mul_(100)


def modules(model, kind):
    return [module for module in model.modules() if isinstance(module, kind)]


def score(method):
    return runs.one(method, "facts", seed=2, every=runs.STEPS, progress=False)["score"]


def at_night(*arguments):
    return pytest.param(*arguments, marks=pytest.mark.night)


@pytest.mark.parametrize(("method", "bar"), [(IntactLoRA, 0.72), at_night(IntactHoulsby, 0.64)])
def test_the_intact_method_is_above_the_bar(method, bar):
    assert bar < score(method) < 0.95


@pytest.mark.parametrize(
    ("method", "bar"),
    [
        (DeadRanks, 0.72),  # the nearest to its bar
        at_night(DividedTwice, 0.72),
        at_night(NoResidual, 0.64),
        at_night(LargeWeights, 0.64),
    ],
)
def test_a_planted_bug_is_below_it(method, bar):
    assert score(method) < bar
