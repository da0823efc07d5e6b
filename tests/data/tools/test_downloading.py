from __future__ import annotations

import random

import pytest

from net2vec.data.tools.downloading import DownloadError, ResumingDownloader

BODY = random.Random(0).randbytes(3_000_000)


@pytest.fixture
def fetch(server, tmp_path):
    server.files["/data.zip"] = BODY
    server.etags["/data.zip"] = '"first"'

    def download(**options):
        out = tmp_path / "pooch-temporary"
        downloader = ResumingDownloader("data.zip", pause=0.0, **options)
        downloader(f"{server.url}/data.zip", str(out), None)
        return out.read_bytes()

    return download


@pytest.fixture
def part(fetch, server, tmp_path):
    """The part of a download that broke off after 1,000,000 bytes."""
    server.cuts = [1_000_000] + [0] * 4
    with pytest.raises(DownloadError, match="the connection broke after 1000000 of 3000000 bytes"):
        fetch()
    assert left_behind(tmp_path) == [".part", ".state"]
    server.requests.clear()
    (part,) = tmp_path.glob(".data.zip.*.part")
    return part


def left_behind(tmp_path):
    return sorted(path.suffix for path in tmp_path.iterdir() if path.name.startswith(".data.zip"))


def test_a_whole_file_leaves_nothing_else(fetch, server, tmp_path):
    seen = []
    assert fetch(progress=lambda done, total: seen.append((done, total))) == BODY
    assert server.requests == [("/data.zip", None)]
    assert seen[-1] == (len(BODY), len(BODY))
    assert left_behind(tmp_path) == []


def test_a_broken_connection_goes_on_where_it_was(fetch, server):
    server.cuts = [1_000_000, 500_000]
    assert fetch() == BODY
    assert server.requests == [
        ("/data.zip", None),
        ("/data.zip", "bytes=1000000-"),
        ("/data.zip", "bytes=1500000-"),
    ]


def test_another_process_goes_on_where_the_first_was(part, fetch, server):
    assert fetch() == BODY
    assert server.requests == [("/data.zip", "bytes=1000000-")]


@pytest.mark.parametrize("content", [BODY, BODY + b"more"], ids=["complete", "too long"])
def test_a_complete_part_is_used_and_a_longer_one_is_thrown_away(part, fetch, content):
    part.write_bytes(content)
    assert fetch() == BODY


def test_a_file_that_has_changed_begins_again(part, fetch, server):
    server.files["/data.zip"] = BODY[::-1]
    server.etags["/data.zip"] = '"second"'
    assert fetch() == BODY[::-1]


def test_without_a_validator_the_length_decides(fetch, server):
    server.etags.clear()
    server.cuts = [1_000_000]
    assert fetch() == BODY
    server.cuts = [1_000_000] + [0] * 4
    with pytest.raises(DownloadError):
        fetch()
    server.files["/data.zip"] = BODY[::-1] + b"longer"
    assert fetch() == BODY[::-1] + b"longer"


def test_attempts_are_counted_only_without_progress(fetch, server):
    server.cuts = [200_000] * 12
    assert fetch(attempts=2) == BODY
    assert len(server.requests) == 13


def test_a_server_without_ranges_sends_all_again(fetch, server):
    server.ranges = False
    server.cuts = [1_000_000]
    assert fetch() == BODY
    assert len(server.requests) == 2


def test_a_busy_server_is_asked_again_a_refusing_one_is_not(fetch, server):
    server.answers["/data.zip"] = [503, 429]
    assert fetch() == BODY
    server.requests.clear()
    server.answers["/data.zip"] = [403]
    with pytest.raises(DownloadError, match="answered 403 Forbidden"):
        fetch()
    assert len(server.requests) == 1
    server.answers["/data.zip"] = [500] * 4
    with pytest.raises(DownloadError, match="answered 500"):
        fetch()


def test_nothing_listens(tmp_path):
    downloader = ResumingDownloader("data.zip", pause=0.0, attempts=2)
    with pytest.raises(DownloadError, match="refused"):
        downloader("http://127.0.0.1:9/data.zip", str(tmp_path / "out"), None)


def test_other_addresses_are_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    with pytest.raises(DownloadError, match="not an HTTP address"):
        ResumingDownloader("data.zip")(secret.as_uri(), str(tmp_path / "out"), None)
