"""`python -m tools preview`: on this machine only, and it follows what is edited."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import mkdocs.livereload
import pytest

from tools.commands import preview
from tools.data.files import ROOT


class Server:
    """In place of MkDocs' server: it is stopped at once."""

    made: Server | None = None

    def __init__(self, builder: Callable, host: str, port: int, root: str, **_: object) -> None:
        self.builder, self.host, self.port, self.root = builder, host, port, root
        self.watched: list[str] = []
        self.stopped = False
        Server.made = self

    def watch(self, path: str) -> None:
        self.watched.append(path)

    def serve(self) -> None:
        raise KeyboardInterrupt

    def shutdown(self) -> None:
        self.stopped = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(mkdocs.livereload, "LiveReloadServer", Server)
    monkeypatch.setattr(preview, "build", lambda: 1)  # pages that cannot be made leave the old ones
    parser = argparse.ArgumentParser()
    preview.arguments(parser)
    assert preview.main(parser.parse_args(["--port", "8123"])) == 0
    return Server.made


def test_no_other_machine_sees_the_site(server: Server) -> None:
    assert (server.host, server.port) == ("127.0.0.1", 8123)
    assert server.stopped


def test_what_is_edited_is_watched_and_what_is_built_is_not(server: Server) -> None:
    assert server.watched == [str(ROOT / path) for path in preview.WATCHED]
    assert all((ROOT / path).exists() for path in preview.WATCHED)
    assert str(ROOT / "docs") not in server.watched


def test_the_commands_say_that_it_is_local(capsys: pytest.CaptureFixture, server: Server) -> None:
    del server
    assert capsys.readouterr().out.startswith("The site is at http://127.0.0.1:8123/ and follows")
