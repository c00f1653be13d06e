"""The pages about the project itself: what it is, rules, commands, how to contribute."""

from __future__ import annotations

from collections.abc import Iterator

from .... import rules
from ....data.project import read_project
from ....export.own_citation import own_bibtex, own_text
from ....text import markup
from ...shared.site import Site


def pages(site: Site) -> Iterator[tuple[str, str]]:
    yield about(site)
    yield checks(site)
    text = markup.from_repository(site.contributing)
    yield site.render("contributing.md.j2", "contributing.md", text=text)
    yield site.render("commands.md.j2", "commands.md", commands=site.manual)


def about(site: Site) -> tuple[str, str]:
    project = read_project()
    return site.render(
        "about.md.j2",
        "about.md",
        project=project,
        text=own_text(project),
        bibtex=own_bibtex(project),
        python=project.python.removeprefix(">="),
    )


def checks(site: Site) -> tuple[str, str]:
    every = rules.load().values()
    families = [
        (name, [rule for rule in every if int(rule.code[1]) == digit])
        for digit, name in enumerate(rules.FAMILIES.values())
    ]
    return site.render("rules.md.j2", "rules.md", families=families)
