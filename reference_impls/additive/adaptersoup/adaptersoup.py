r"""AdapterSoup: for a new domain, the average of the adapters of the domains nearest to it.

$$ \theta = \frac{1}{l} \sum_{i \in S} \theta_i, \qquad
A(h) = h + W_{up}\, \text{ReLU}(W_{down}\, \text{LN}_A(h) + b_{down}) + b_{up} $$

where $\theta_i$ are the parameters of an adapter $A$ trained on domain $i$ alone, $h$ is what the
feed-forward block is about to add to the residual stream, $\text{LN}_A$ a layer norm of the
adapter's own, and $S$ the $l$ domains chosen for the new one from a few of its sentences, without
labels.

Three phases: one adapter is trained on each of the $k$ domains, all from the same initial weights;
the domains of $S$ are chosen; their adapters are averaged. Nothing is trained on the new domain.

**Trained:** in each phase one adapter a layer: its layer norm and both maps with their biases.

**Frozen:** everything the model came with.

**Stored:** the average, which is as large as one adapter and costs as much to run; to serve further
domains, all $k$ must be kept.

**Merge:** none: the activation between the two maps cannot be folded into a weight.

**Count:** $L (2 m d + 3 d + m)$.

Details that matter
-------------------
1. All adapters start from the same random weights. Averages of adapters with different starts did
   poorly: hidden units have no order, so those of two starts do not belong together. [appendix A.1]
2. Choice by clustering: 100 sequences of each training domain are embedded by the language model
   itself, and a mixture of as many Gaussians as there are domains is fitted to them. Then 100
   sequences of the new domain go to the nearest cluster each. [§2.3]
3. Up to 5 domains enter the soup, in the order of the sequences that their cluster gets; each needs
   at least 10 % of them. [§2.3] Should none get that many, this file takes the first.
4. All weights are averaged, with equal weight: not the outputs. For a nonlinear adapter that is
   not the same. [§2.1, eq. (1)]
5. The adapter sits after the feed-forward block of each layer, inside the residual connection, and
   has 64 hidden units. [§3; `modeling_gpt2.py`, `README.md`]

Paper, official code, libraries
-------------------------------
- Code: none was found for this paper. File names here are those of the code for the first author's
  earlier work on domain adapters, which has the same adapter and clusters domains in the same way.
- Embedding: the last hidden states, averaged over the real tokens, as in that code.
  [`run_clm_clusters.py`]
- Gaussians: that code reduces embeddings to 100 principal components [`README.md`], draws the
  clusters' starts by k-means, gives them full covariances, and names each after the domain with the
  majority in it. Here the mixture has diagonal covariances and EM starts from the domains
  themselves, so that cluster $i$ is that of domain $i$.
- The paper also chooses by the cosine similarity of sentence embeddings, for which it needs a
  second model, and does slightly worse (perplexity 23.4, clusters 23.1, all domains 24.3).
- Initial weights: Gaussian with standard deviation 0.02, biases zero, as GPT-2 draws its own.
- Learning rate: 1e-3 in that code's example, 1e-4 here. [`README.md`]
- Task: the paper trains language models. With a classifier its head is trained with each adapter,
  from the same start too, and averaged like it.
- adapters averages with `average_adapter`, but has no choice of domains.

Source: Chronopoulou et al. 2023, arXiv:2302.07027, §2.1 and §2.3. Official code (of the earlier
work): https://github.com/alexandra-chron/hierarchical-domain-adaptation
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy, anatomy
from ...core.method import Batch, Method, from_task, register, trainable
from ...core.options import Count, NotNegative, Part
from ...core.training import History, Loop
from ...shared.outputs import on_states


class Bottleneck(nn.Module):
    """h (…, d) -> h + up(ReLU(down(LN(h))))."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)
        for linear in (self.down, self.up):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.up(self.down(self.norm(h.to(self.up.weight.dtype))).relu()).to(h.dtype)


@on_states
def adapt(module: nn.Module, args, kwargs, output: Tensor) -> Tensor:
    """Forward hook where the feed-forward block ends."""
    return module.get_submodule("adapter")(output)


def nearest_clusters(domains: Sequence[Tensor], x: Tensor, rounds: int = 50) -> Tensor:
    """The cluster (rows,) of each row of x (rows, d), one cluster for each of `domains` (rows, d).

    A mixture of Gaussians with diagonal covariances, fitted by EM from the domains as they are.
    """
    points = torch.cat(list(domains)).double()
    shares = torch.block_diag(*(torch.ones(len(d), 1) for d in domains)).to(points)
    for _ in range(rounds):
        weight = shares.sum(0).clamp(min=1e-9)
        mean = shares.T @ points / weight[:, None]
        variance = shares.T @ points**2 / weight[:, None] - mean**2 + 1e-6
        clusters = torch.distributions.Normal(mean, variance.sqrt())
        shares = (clusters.log_prob(points[:, None]).sum(-1) + weight.log()).softmax(-1)
    return (clusters.log_prob(x.double()[:, None]).sum(-1) + weight.log()).argmax(-1)


@register
class AdapterSoup(Method):
    """The average of the adapters, of `size` hidden units, of up to `most` of the `domains`.

    least: the share of the new domain's sequences that a domain's cluster must get.
    samples: how many sequences of each domain are looked at.
    domains: one function a training domain, from a seed to endless batches.
    unlabeled: token ids of sequences of the new domain.

    Raises:
        ValueError: `domains` or `unlabeled` is missing; later: a soup is to be trained on.
    """

    name = "adaptersoup"
    title = "AdapterSoup"
    paper = "chronopoulou2023adaptersoup"
    leaf = "composition"
    init_noop = False
    mergeable = False
    frozen_base = True
    tasks = ("new-topic",)
    lab = {"lr": 1e-2, "size": 16}

    domains: tuple[Callable[[int], Iterator[Batch]], ...] = from_task()
    unlabeled: Sequence[tuple[int, ...]] = from_task()
    size: Count = 64
    most: Count = 5
    least: Part = 0.1
    samples: Count = 100
    lr: NotNegative = 1e-4

    def setup(self, model, batches=None) -> None:
        """Attach the adapter that each domain's starts from; the soup takes its place in `fit`."""
        missing = [name for name in ("domains", "unlabeled") if not getattr(self, name)]
        if missing:
            raise ValueError(f"AdapterSoup needs from its task: {', '.join(missing)}")
        parts = self.freeze(model)
        for layer in parts.layers:
            self.attach(layer.feed_forward_end, "adapter", Bottleneck(parts.hidden_size, self.size))
            self.hook(layer.feed_forward_end, adapt)

    def fit(self, model, loop: Loop) -> None:
        """All three phases; `loop.steps` steps on each domain. Only the soup is measured."""
        if self.begun:
            raise ValueError("this soup is made already, and a soup is not trained on")
        before = loop.evaluate and loop.evaluate(model)
        parameters = trainable(model)
        start = [p.detach().clone() for p in parameters]
        _fill(parameters, [torch.zeros_like(p) for p in parameters])  # the model without adapters
        chosen = self.choose(model, loop.seed)
        experts = []
        for domain in self.domains:
            _fill(parameters, start)
            replace(loop, batches=domain, evaluate=None, history=History()).run(self, model)
            experts.append([p.detach().clone() for p in parameters])
        soup = zip(*(experts[i] for i in chosen), strict=True)
        _fill(parameters, [torch.stack(values).mean(0) for values in soup])
        if loop.evaluate:
            loop.history.curve = [(0, before), (loop.steps, loop.evaluate(model))]

    def choose(self, model, seed: int) -> list[int]:
        """The domains for the soup, nearest first: those whose clusters the new sequences hit."""
        sources = [self._embed(model, domain(seed)) for domain in self.domains]
        new = (
            {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids)).long()}
            for ids in self.unlabeled
        )
        hit = nearest_clusters(sources, self._embed(model, new))
        counts = hit.bincount(minlength=len(sources))
        order = counts.argsort(descending=True, stable=True)[: self.most].tolist()
        return [i for i in order if counts[i] >= self.least * len(hit)] or order[:1]

    @torch.no_grad()
    def _embed(self, model, batches: Iterator[Batch]) -> Tensor:
        """(samples, d): the first sequences' last hidden states, averaged over real tokens."""
        model.eval()
        rows: list[Tensor] = []
        for batch in batches:
            ids, mask = (batch[key].to(model.device) for key in ("input_ids", "attention_mask"))
            encoder = anatomy(model).stacks[0].module
            states = encoder(ids, attention_mask=mask).last_hidden_state.float()
            rows += ((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)).unbind()
            if len(rows) >= self.samples:
                break
        return torch.stack(rows[: self.samples]).cpu()

    def trained(self, parts: Anatomy) -> int:
        width = parts.hidden_size
        return len(parts.layers) * (2 * self.size * width + 3 * width + self.size)


@torch.no_grad()
def _fill(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
