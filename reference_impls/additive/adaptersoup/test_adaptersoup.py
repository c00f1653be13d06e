"""AdapterSoup: the adapter, the choice of domains, the average, and what each phase trains."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from transformers import GPT2Config

from reference_impls import architectures
from reference_impls.additive.adaptersoup.adaptersoup import (
    AdapterSoup,
    Bottleneck,
    nearest_clusters,
)
from reference_impls.anatomy import anatomy, model_on_meta
from reference_impls.core.method import METHODS, trainable
from reference_impls.core.training import Loop, train
from reference_impls.measure.runs import prepare
from tests.methods import models
from tests.methods.settings import adapt, batches

UNLABELED = ((1, 10, 11, 12, 2), (1, 13, 14, 2), (1, 15, 16, 17, 18, 2))


def by_hand(adapter: nn.Module, h: torch.Tensor) -> torch.Tensor:
    centered = h - h.mean(-1, keepdim=True)
    variance = centered.square().mean(-1, keepdim=True)
    norm = adapter.norm
    x = centered / (variance + norm.eps).sqrt() * norm.weight + norm.bias
    hidden = (x @ adapter.down.weight.T + adapter.down.bias).clamp(min=0)
    return h + hidden @ adapter.up.weight.T + adapter.up.bias


@torch.no_grad()
def test_an_adapter_computes_the_equation():
    torch.manual_seed(0)
    adapter = models.shake(Bottleneck(32, 5)).double()
    h = 3 + torch.randn(50, 32).double()
    torch.testing.assert_close(adapter(h), by_hand(adapter, h), atol=1e-12, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", list(models.CLASSIFIERS))
def test_it_sits_after_the_feed_forward_block_inside_the_residual_connection(name):
    inputs = models.batch(name)
    _, model = adapt("adaptersoup", name)
    model.eval()
    layers = anatomy(model).layers
    assert sum(isinstance(m, Bottleneck) for m in model.modules()) == len(layers)
    for layer in layers:
        end, seen = layer.feed_forward_end, []
        end.register_forward_hook(lambda m, args, out, seen=seen: seen.append(out))
        model(**inputs)
        del end._forward_hooks[next(iter(end._forward_hooks))]  # the adapter's
        model(**inputs)
        adapted, h = seen
        torch.testing.assert_close(adapted, by_hand(end.adapter, h), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_start():
    torch.manual_seed(0)
    adapter = Bottleneck(256, 64)
    for linear in (adapter.down, adapter.up):
        assert linear.weight.std() == pytest.approx(0.02, rel=0.03)
        assert not linear.bias.any()
    assert torch.equal(adapter.norm.weight, torch.ones(256))


def blobs(*means: float, rows: int = 60) -> list[torch.Tensor]:
    """One cloud of points around each mean, of different widths along the axes."""
    generator = torch.Generator().manual_seed(0)
    widths = torch.tensor([1.0, 0.2, 3.0])
    return [m + widths * torch.randn(rows, 3, generator=generator) for m in means]


def test_each_point_goes_to_the_cluster_of_its_domain():
    domains = blobs(0.0, 5.0, -4.0)
    new = blobs(5.0, 5.0, -4.0, 0.0, rows=10)
    hit = nearest_clusters(domains, torch.cat(new)).view(4, 10)
    assert [row.unique().tolist() for row in hit] == [[1], [1], [2], [0]]


def test_one_step_of_the_mixture_by_hand():
    """Means, variances and shares of the domains decide: not the distance to the mean alone."""
    a, b = torch.tensor([[-1.0], [1.0]] * 5), 6 + 4 * torch.tensor([[-1.0], [1.0]])
    x = torch.arange(-10.0, 12.0, 0.25)[:, None]
    weight, variance = torch.tensor([10.0, 2.0]), torch.tensor([1.0, 16.0])
    log = weight.log() - variance.log() / 2
    log = log - (x - torch.tensor([0.0, 6.0])).square() / (2 * variance)
    hit = nearest_clusters([a, b], x, rounds=1)
    assert torch.equal(hit, log.argmax(1))
    assert hit[x[:, 0] < -5].all()  # far out the wide cluster is the likelier one
    assert not hit[(x[:, 0] - 2).abs() < 0.1].any()


def test_the_mixture_is_fitted_and_does_not_stay_with_the_domains():
    cloud = torch.linspace(-2, 2, 60)[:, None]
    # a quarter of the first domain looks like the second, which makes its own Gaussian wide
    domains = [torch.cat([cloud, cloud[::3] + 8]), cloud + 10]
    x = torch.tensor([[0.0], [6.5], [10.0]])
    assert nearest_clusters(domains, x, rounds=1).tolist() == [0, 0, 1]
    assert nearest_clusters(domains, x).tolist() == [0, 1, 1]


def soup_of(counts: list[int], **arguments) -> list[int]:
    """What is chosen when so many new sequences go to each domain's cluster."""
    total = sum(counts)
    method = AdapterSoup(
        domains=(batches,) * len(counts), unlabeled=UNLABELED, samples=total, **arguments
    )
    embedded = [torch.full((8, 1), 10.0 * i) + torch.rand(8, 1) for i in range(len(counts))]
    embedded.append(torch.cat([torch.full((c, 1), 10.0 * i + 0.5) for i, c in enumerate(counts)]))
    method._embed = lambda model, batches: embedded.pop(0)
    return method.choose(None, 0)


def test_domains_are_chosen_by_how_much_new_text_is_theirs():
    torch.manual_seed(0)
    assert soup_of([20, 50, 30]) == [1, 2, 0]
    assert soup_of([9, 50, 41]) == [1, 2]
    assert soup_of([10, 50, 40]) == [1, 2, 0]
    assert soup_of([0, 100]) == [1]
    assert soup_of([12, 13, 14, 15, 16, 17, 13]) == [5, 4, 3, 2, 1]
    assert soup_of([20, 50, 30], most=1) == [1]
    assert soup_of([9, 9, 9, 9, 9, 9, 10, 9, 9, 9, 9], least=0.2) == [6]


@torch.no_grad()
@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "t5-lm"])
def test_embeddings_are_the_models_last_states_averaged_over_real_tokens(name):
    method, model = adapt("adaptersoup", name)
    inputs = models.batch(name)
    encoder = {"bert": "bert", "gpt2-lm": "transformer", "t5-lm": "encoder"}[name]
    kept = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
    states = model.get_submodule(encoder)(**kept).last_hidden_state
    rows = [s[m.bool()].mean(0) for s, m in zip(states, inputs["attention_mask"], strict=True)]
    torch.testing.assert_close(method._embed(model, iter([inputs])), torch.stack(rows))


class Watched(AdapterSoup):
    """Records, for each phase, the weights that it starts from and the batches that it sees."""

    def choose(self, model, seed):
        self.phases = []
        self.embedded = [p.detach().clone() for p in trainable(model)]
        self.chosen = self.pick or super().choose(model, seed)
        return self.chosen

    def optimizer(self, parameters):
        self.phases.append({"start": [p.detach().clone() for p in parameters], "seen": []})
        return super().optimizer(parameters)

    def loss(self, model, batch):
        self.phases[-1]["seen"].append(int(batch["input_ids"].sum()))
        return super().loss(model, batch)


def domain(offset: int):
    """Batches of its own, by seed."""

    def task(seed: int):
        i = 1000 * (offset + 10 * seed)
        while True:
            yield models.batch("bert", seed=i)
            i += 1

    return task


def soup_for(pick: list[int], offsets=(1, 2, 3)):
    """A soup of the domains `pick` (empty: of those that it chooses), and a model for it."""
    method = Watched(
        domains=tuple(map(domain, offsets)), unlabeled=UNLABELED, size=5, lr=1e-2, samples=6
    )
    method.pick = pick
    return method, models.build("bert")


def run(pick: list[int], offsets=(1, 2, 3)):
    """The same, trained."""
    method, model = soup_for(pick, offsets)
    train(method, model, Loop(domain(9), steps=3, seed=4, progress=False))
    return method, model


def test_every_domain_is_trained_on_its_own_batches_from_the_same_start():
    method, _ = run([0, 1, 2])
    fresh = models.build("bert")
    torch.manual_seed(4)
    AdapterSoup(domains=(batches,), unlabeled=UNLABELED, size=5).setup(fresh)
    start = trainable(fresh)
    assert len(method.phases) == 3
    for offset, phase in zip((1, 2, 3), method.phases, strict=True):
        for ours, expected in zip(phase["start"], start, strict=True):
            assert torch.equal(ours, expected)
        source = domain(offset)(4)
        assert phase["seen"] == [int(next(source)["input_ids"].sum()) for _ in range(3)]


def test_the_choice_is_made_by_the_model_without_adapters():
    method, _ = run([])
    assert not any(p.any() for p in method.embedded)
    assert method.chosen


def test_the_soup_is_the_average_of_what_was_chosen():
    alone = [trainable(run([i])[1]) for i in range(3)]
    for pick in ([0, 2], [1, 2], [0, 1, 2]):
        for i, ours in enumerate(trainable(run(pick)[1])):
            expected = sum(alone[j][i] for j in pick) / len(pick)
            torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)
    assert not torch.equal(alone[0][0], alone[1][0])


def test_the_average_of_equal_adapters_is_the_adapter():
    _, twice = run([0, 1], offsets=(1, 1))
    _, once = run([0], offsets=(1,))
    for ours, expected in zip(trainable(twice), trainable(once), strict=True):
        assert torch.equal(ours, expected)


@torch.no_grad()
def test_adapters_of_other_starts_do_not_average():
    """With its units in another order an adapter is the same; its average with itself is not."""
    torch.manual_seed(0)
    adapter, other = (models.shake(Bottleneck(16, 7), seed=3).double() for _ in range(2))
    other.load_state_dict(adapter.state_dict())
    order, h = torch.tensor([3, 0, 6, 1, 5, 2, 4]), torch.randn(20, 16).double()
    other.down.weight.copy_(adapter.down.weight[order])
    other.down.bias.copy_(adapter.down.bias[order])
    other.up.weight.copy_(adapter.up.weight[:, order])
    torch.testing.assert_close(other(h), adapter(h), atol=1e-12, rtol=0)
    for mine, theirs in zip(adapter.parameters(), other.parameters(), strict=True):
        mine.copy_((mine + theirs) / 2)
    assert (adapter(h) - other(h)).abs().max() > 0.1


def test_only_the_soup_is_measured():
    def size_of(model) -> float:
        return anatomy(model).layers[0].feed_forward_end.adapter.up.weight.norm().item()

    _, expected = run([0])
    method, model = soup_for([0])
    loop = Loop(domain(9), steps=3, seed=4, every=1, progress=False, evaluate=size_of)
    (first, start), (last, end) = train(method, model, loop).curve
    assert (first, last) == (0, 3)
    assert end == size_of(model) == size_of(expected)
    _, fresh = soup_for([0])
    torch.manual_seed(4)
    AdapterSoup(domains=(batches,), unlabeled=UNLABELED, size=5).setup(fresh)
    assert start == size_of(fresh) != end


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ({}, "domains, unlabeled"),
        ({"domains": (batches,)}, "unlabeled"),
        ({"unlabeled": UNLABELED}, "domains"),
    ],
)
def test_what_the_task_must_give(arguments, missing):
    with pytest.raises(ValueError, match=f"its task: {missing}$"):
        AdapterSoup(**arguments).setup(models.build("bert"))


def test_count_of_the_papers_model():
    parts = anatomy(model_on_meta(GPT2Config()))
    method = AdapterSoup()
    assert (method.size, method.most, method.least, method.samples) == (64, 5, 0.1, 100)
    assert method.trained(parts) == 12 * (2 * 64 * 768 + 64 + 768 + 2 * 768)


def test_the_lab_offers_domains_that_differ_and_the_new_ones_text():
    method, _, loop = prepare(METHODS["adaptersoup"], "new-topic", progress=False)
    texts = [next(source(0))["input_ids"] for source in (*method.domains, loop.batches)]
    seen = [set(text.flatten().tolist()) for text in texts[:-1]]
    assert len(seen) > 2
    assert all(a - b for a in seen for b in seen if a is not b)
    new = {token for ids in method.unlabeled for token in ids}
    assert new - set().union(*seen, texts[-1].flatten().tolist())
    assert replace(method, most=1).domains == method.domains


def test_a_feed_forward_block_may_return_more_than_states():
    """That of GPT-OSS returns its router's scores as well."""
    model, batch = architectures.build("gpt_oss"), architectures.batch("gpt_oss")
    before = architectures.logits(model, batch)
    AdapterSoup(size=4, domains=(iter,), unlabeled=UNLABELED).setup(model)
    assert not torch.equal(architectures.logits(model, batch), before)
