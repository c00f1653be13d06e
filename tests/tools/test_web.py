"""The fetcher: nothing private is ever connected to, and no answer costs more than its limits."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.tools.services import answer, fetcher, here_or_public, serve
from tools.records import web
from tools.records.connections import FetchError, is_public
from tools.records.web import Answer, Fetcher, Limits, Politeness


def refused(url: str, fetching: Fetcher | None = None) -> FetchError:
    with pytest.raises(FetchError) as caught:
        (fetching or fetcher()).fetch(url)
    return caught.value


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
        *("192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192"),
        *("168.63.129.16", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"),
        *("255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "2001:db8::1"),
        *("2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
        *("2001:0:7f00:1::", "::127.0.0.1", "fec0::1", "100::1"),
    ],
)
def test_addresses_that_are_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "140.82.112.3", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_addresses_that_are_public(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.2/", "forbidden"),
        ("http://[::1]/", "forbidden"),
        ("http://[::ffff:127.0.0.2]/", "forbidden"),
        ("http://2130706434/", "forbidden"),  # 127.0.0.2 as one number
        ("http://0x7f000002/", "forbidden"),
        ("http://0177.0.0.2/", "forbidden"),
        ("http://127.2/", "forbidden"),
        ("http://169.254.169.254/latest/meta-data/", "forbidden"),
        ("http://168.63.129.16/", "forbidden"),
        ("http://user:secret@example.com/", "forbidden"),
        ("http://example.com@127.0.0.2/", "forbidden"),
        ("ftp://example.com/", "invalid"),
        ("file:///etc/passwd", "invalid"),
        ("gopher://127.0.0.2/", "invalid"),
        ("javascript:alert(1)", "invalid"),
        ("//example.com/", "invalid"),
        ("http:///path", "invalid"),
        ("http://example.com:99999/", "invalid"),
        ("http://example.com:http/", "invalid"),
        ("http://exa mple.com/", "invalid"),
        ("http://example.com/\r\nX: 1", "invalid"),
        ("http://example.com\\@127.0.0.2/", "invalid"),
        ("http://[::1", "invalid"),
        ("http://no-such-host.invalid/", "unresolved"),
    ],
)
def test_what_is_not_fetched(url, reason):
    assert refused(url).reason == reason


def test_by_default_the_local_machine_is_out_of_reach():
    with serve({"/": answer("secret")}) as service:
        assert refused(service.url, Fetcher()).reason == "forbidden"
        assert service.asked == []


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2/",
        "http://[::1]/",
        "http://169.254.169.254/",
        "//10.0.0.1/",
        "http://u:p@127.0.0.1/",
        "file:///etc/passwd",
    ],
)
def test_every_hop_is_checked_again(target):
    with serve({"/": answer(status=302, Location=target)}) as service:
        assert refused(service.url).reason in ("forbidden", "invalid")


def test_a_name_that_is_private_the_second_time_gains_nothing(monkeypatch):
    """DNS rebinding: the name resolves to the allowed address once, then to a private one."""
    with serve({"/": answer("fine")}) as service:
        answers = iter(["127.0.0.1", "127.0.0.2", "127.0.0.2"])
        asked = []

        def resolve(host, port, *_, **__):
            asked.append(host)
            place = (next(answers), port)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place)]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        url = f"http://rebinding.example:{service.port}/"
        assert fetcher().fetch(url).body == b"fine"
        assert asked == ["rebinding.example"]  # what was checked is what was connected to
        assert refused(url).reason == "forbidden"


def test_one_private_address_among_several_spoils_the_name(monkeypatch):
    places = [("93.184.215.14", 80), ("10.0.0.1", 80)]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert refused("http://mixed.example/").reason == "forbidden"


def test_redirects_are_followed_and_remembered():
    paths = {
        "/a": answer(status=301, Location="/b"),
        "/b": answer(status=302, Location="c?x=1"),
        "/c": answer("end"),
    }
    with serve(paths) as service:
        got = fetcher().fetch(f"{service.url}/a")
    assert (got.status, got.body, got.url) == (200, b"end", f"{service.url}/c?x=1")
    assert got.hops == ((301, f"{service.url}/b"), (302, f"{service.url}/c?x=1"))


def test_redirects_end():
    with serve({"/": answer(status=302, Location="/")}) as service:
        assert refused(service.url).reason == "too large"
        assert len(service.asked) == 6


def test_bytes_end():
    with serve({"/": answer(b"x" * 200_000)}) as service:
        assert refused(service.url).reason == "too large"


def test_a_bomb_is_not_unpacked():
    import gzip

    bomb = gzip.compress(b"0" * 50_000_000)
    with serve({"/": answer(bomb, Content_Encoding="gzip")}) as service:
        assert refused(service.url).reason == "too large"


@pytest.mark.parametrize("part", ["header", "body"])
def test_seconds_end_even_for_a_server_that_sends_a_byte_now_and_then(part):
    cut_off = threading.Event()

    def trickle(request):
        if part == "body":
            request.send_response(200)
            request.end_headers()
        for _ in range(1200):  # a minute: far more than anyone waits
            try:
                request.wfile.write(b"H")
                request.wfile.flush()
            except OSError:
                cut_off.set()
                return
            time.sleep(0.05)

    with serve({"/": trickle}) as service:
        assert refused(service.url, fetcher(0.6)).reason == "timeout"
        assert cut_off.wait(60)


@pytest.mark.parametrize("garbage", [b"", b"\x00\xff not http\r\n\r\n", b"HTTP/1.1 xx\r\n\r\n"])
def test_what_is_no_http_is_an_error_of_ours(garbage):
    server = socket.create_server(("127.0.0.1", 0))

    def once():
        connection, _ = server.accept()
        connection.recv(1000)
        connection.sendall(garbage)
        connection.close()

    threading.Thread(target=once, daemon=True).start()
    assert refused(f"http://127.0.0.1:{server.getsockname()[1]}/").reason == "unreachable"
    server.close()


def test_a_body_that_ends_early_is_an_error():
    with serve({"/": answer(b"short", Content_Length="100")}) as service:
        assert refused(service.url, fetcher(1.0)).reason in ("unreachable", "timeout")


def test_nothing_of_the_environment_is_used(monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    with serve({"/": answer("fine", Set_Cookie="a=b")}) as service:
        fetching = fetcher()
        fetching.fetch(service.url)
        fetching.fetch(service.url)
        for _, _, headers in service.asked:
            assert headers["User-Agent"] == web.AGENT
            assert not {"Authorization", "Cookie"} & headers.keys()


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("", None), ("soon", None), ("-1", None)]
)
def test_retry_after(value, seconds):
    assert Answer("", 429, {"Retry-After": value}, b"").retry_after == seconds


def test_retry_after_may_be_a_date():
    soon = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 0 < Answer("", 503, {"Retry-After": soon}, b"").retry_after <= 3600
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=30), usegmt=True)
    assert Answer("", 503, {"Retry-After": past}, b"").retry_after == 0


def test_patience_waits_as_asked_and_no_longer(monkeypatch):
    slept = []
    monkeypatch.setattr(web.time, "sleep", slept.append)
    busy = answer("later", 429, Retry_After="3")
    broken = answer("oops", 503)
    with serve({"/": [busy, broken, answer("now")]}) as service:
        assert fetcher().patiently(service.url).body == b"now"
    assert slept == [3.0, 2.0]
    with serve({"/": answer("later", 429, Retry_After="3600")}) as service:
        assert fetcher().patiently(service.url).status == 429
        assert len(service.asked) == 1
    with serve({"/": answer("oops", 500)}) as service:
        assert fetcher().patiently(service.url, tries=3).status == 500
        assert len(service.asked) == 3


def test_a_host_is_asked_once_at_a_time_and_others_meanwhile():
    running, most = [], []

    def slow(request):
        running.append(1)
        most.append(len(running))
        time.sleep(0.1)
        running.pop()
        answer("x")(request)

    with serve({"/": slow}) as service:
        polite = Fetcher(
            allowed=here_or_public,
            limits=Limits(seconds=60.0),
            politeness=Politeness(0.05, {"pausing": 1.0}),
        )
        started = time.monotonic()
        threads = [threading.Thread(target=polite.fetch, args=(service.url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert max(most) == 1
        assert time.monotonic() - started > 4 * 0.1 + 3 * 0.05
