"""One board: all that has a score on the same model and data by the same metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

from markupsafe import Markup

from ...atlas import Atlas
from ...data.real import Group
from ...data.scores import Kind, Score, Suite
from ...data.tasks import MODELS, REAL, lab_tasks
from ...text.markup import listed
from ...text.slugs import slugs
from ...text.words import count
from .figures import amount
from .method_words import title
from .scatter_chart import Axis, Number, Point, scatter

APART = 20.0  # points: seeds further apart than this are one method in words only


def _big(number: float) -> str:
    """'3.2k', '1M', '500'."""
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= unit:
            return f"{number / unit:.3g}{name}"
    return f"{number:.3g}"


def _time(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 600 else f"{seconds:.3g} s"


def _share(percent: float) -> str:
    return f"{percent:.0f}%"


def _bytes(number: float) -> str:
    return amount(round(number))


# By the field of a score, in the order of the switch.
AXES = {
    "trained": Axis("trained parameters", lambda n: f"{n:,.0f} trained", _big),
    "step": Axis(
        "time of a step (full fine-tuning: 100%)", "{:.0f}% of a full step".format, _share
    ),
    "seconds": Axis("seconds of training", lambda n: f"{_time(n)} of training", _time),
    "peak": Axis("bytes at the peak of a step", lambda n: f"{_bytes(n)} at the peak", _bytes),
    "stored": Axis("bytes stored for the task", lambda n: f"{_bytes(n)} stored", _bytes),
}


@dataclass(frozen=True)
class Board:
    """`texts`: how many the test has. Of what was measured here, `groups`, and methods' titles."""

    slug: str
    kind: Kind
    scores: list[Score]
    about: str
    percent: bool
    texts: int | None = None
    groups: list[Group] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    suite: Suite | None = None

    @property
    def model(self) -> str:
        return self.scores[0].model

    @property
    def data(self) -> str:
        return self.scores[0].data

    @property
    def metric(self) -> str:
        return self.scores[0].metric

    @cached_property
    def ranked(self) -> list[Score]:
        return sorted(self.scores, key=lambda score: (-score.value, score.label))

    @cached_property
    def best(self) -> dict[str, Score]:
        """Of each method of ours that is here, its best score."""
        return {score.method: score for score in reversed(self.ranked) if score.method}

    @cached_property
    def level(self) -> set[str]:
        """The labels of those that this test does not tell from the best one."""
        best = self.ranked[0]
        return {s.label for s in self.scores if s == best or _level(best, s)}

    @property
    def collapsed(self) -> list[Score]:
        """Those whose seeds are far apart, the farthest first."""
        found = [s for s in self.scores if s.low is not None and s.high - s.low >= APART]
        return sorted(found, key=lambda s: s.low - s.high)

    @property
    def collapsed_said(self) -> str:
        """'Prefix tuning (24 to 84) and BitFit (20 to 80)'."""
        return listed(f"{s.label} ({s.low:.0f} to {s.high:.0f})" for s in self.collapsed)

    def label(self, group: Group) -> str:
        return label_of(self.titles[group.method], group)

    def height(self, score: Score) -> float:
        """Where a score is between the lowest and the highest, 0 to 1."""
        low, high = self.ranked[-1].value, self.ranked[0].value
        return (score.value - low) / (high - low) if high > low else 1.0

    @property
    def refused(self) -> list[Group]:
        return [group for group in self.groups if group.refused]

    @property
    def run(self) -> list[Group]:
        """What was measured, best first."""
        found = [group for group in self.groups if group.tests]
        return sorted(found, key=lambda group: -group.score)

    @property
    def processors(self) -> str:
        """'x86_64, AMD EPYC; 3 trainings: processor not kept'."""
        tests = [row.processor for group in self.groups for row in group.tests]
        found = sorted(set(tests) - {""})
        if unknown := tests.count(""):
            found.append(f"{count(unknown, 'training')}: processor not kept")
        return "; ".join(found)

    @property
    def rates(self) -> list[float]:
        """All that were tried for any method."""
        return sorted({rate for group in self.run for rate in group.tried})

    def charts(self) -> list[tuple[str, str, Markup]]:
        """By each cost that the scores have: its field, its name, the chart."""
        drawn = (
            (name, axis.title, self.chart(name))
            for name, axis in AXES.items()
            if name != "seconds" or self.kind == "suite"  # ours are those of whatever was at hand
        )
        return [(name, axis, chart) for name, axis, chart in drawn if chart]

    def chart(self, cost: str) -> Markup | None:
        """Scores against a cost, by its field; None where fewer than two have it."""
        scale, axis = 100 if self.percent else 1, AXES[cost]
        shown: Number = "{:.1%}".format if self.percent else "{:.3f}".format
        points = [
            Point(score.label, getattr(score, cost), score.value / scale, score.method)
            for score in self.scores
            if getattr(score, cost) is not None
        ]
        if len(points) < 2:
            return None
        said = f"{self.model}, {self.data}: {self.metric} against {axis.title}"
        return scatter(said, points, axis, shown, line=True)


def _level(best: Score, other: Score) -> bool:
    """Whether the difference is within what tests of this size have by chance."""
    if best.margin is None or other.margin is None:
        return False
    return best.value - other.value <= (best.margin**2 + other.margin**2) ** 0.5


def measured(atlas: Atlas) -> list[Board]:
    """A board for each model and task of the runs on real weights, the fullest first."""
    return sorted(_measured(atlas), key=lambda board: -len(board.best))


def _measured(atlas: Atlas) -> Iterator[Board]:

    def place(group: Group) -> tuple[str, str]:
        return group.model, group.task

    for (model, task), found in groupby(sorted(atlas.real, key=place), place):
        groups = list(found)
        scores = [of_group(atlas, group) for group in groups if group.tests]
        if scores:
            about = lab_tasks(REAL)[task].description.removesuffix(".")
            texts = groups[0].texts
            titles = {group.method: title(atlas, group.method) for group in groups}
            name = board_of(model, task)
            yield Board(name, "measured", scores, about, True, texts, groups, titles)


def label_of(name: str, group: Group) -> str:
    """'Linear probe (pooling mean)'."""
    return f"{name} ({group.said})" if group.said else name


def of_group(atlas: Atlas, group: Group) -> Score:
    low, high = group.spread
    return Score(
        kind="measured",
        method=group.method,
        label=label_of(title(atlas, group.method), group),
        model=lab_tasks(MODELS)[group.model].short,
        data=lab_tasks(REAL)[group.task].short,
        metric=group.metric,
        value=100 * group.score,
        shown=f"{100 * group.score:.1f}",
        low=100 * low,
        high=100 * high,
        margin=100 * group.margin,
        seeds=len(group.tests),
        rate=group.rate,
        step=step(atlas, group),
        **group.cost,
    )


def step(atlas: Atlas, group: Group) -> float | None:
    """Its time as a percentage of full fine-tuning's; it is measured with the defaults alone."""
    timed = None if group.settings else atlas.times.get(group.method, {}).get(group.model)
    if not timed or "step" not in timed.times:
        return None
    return 100.0 if timed.twin == "itself" else 100 * timed.times["step"].base.median


def published(atlas: Atlas) -> Iterator[Board]:
    """A board for each of the suites' boards."""
    claimed = {run: name for name, card in atlas.cards.items() for run in card.suite}
    for suite in atlas.suites:
        scores = list(suite.scores(claimed))
        for key, board in suite.boards.items():
            own = [score for score in scores if score.source.where == key]
            name = board_of(suite.title.partition(",")[0], key)
            about, texts = board.protocol, board.texts
            yield Board(name, "suite", own, about, board.percent, texts, suite=suite)


def board_of(*parts: str) -> str:
    """The name of a board's page."""
    return slugs([" ".join(parts)], "board")[0]


def printed(atlas: Atlas) -> list[Score]:
    """What papers print, by data, then by model and value."""
    found = [s for name, tables in atlas.printed.items() for t in tables for s in t.rows(name)]
    return sorted(found, key=lambda s: (s.data, s.metric, s.model, -s.value, s.label))


SHOWN: dict[str, Callable[[float], str]] = {
    "trained": "{:,}".format,
    "step": _share,
    "seconds": _time,
    "peak": _bytes,
    "stored": _bytes,
}
