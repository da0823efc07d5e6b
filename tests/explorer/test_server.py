"""Serving for real: on this machine, until it is stopped."""

import socket
import urllib.error
import urllib.request

import pytest

from net2vec.cli import app
from net2vec.errors import ConfigError, ResultsError
from net2vec.explorer import Explorer, start
from net2vec.explorer.cache import LimitedCache


def test_a_run_shows_itself_in_a_notebook(built):
    serving = built.explore()
    try:
        assert serving.url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{serving.url}api/runs") as answer:
            assert b'"planted"' in answer.read()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(serving.url.rsplit("/", 2)[0] + "/api/runs")
        assert f'src="{serving.url}"' in serving._repr_html_()
    finally:
        serving.stop()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{serving.url}api/runs", timeout=5)


def test_tokens_differ(built):
    first, second = start([built]), start([built])
    first.stop()
    second.stop()
    assert first.url.split("/")[3] != second.url.split("/")[3]
    assert len(first.url.split("/")[3]) >= 20


def test_a_port_in_use_is_one_line(built):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="name another --port"):
            start([built], port=taken.getsockname()[1])


def test_a_run_named_twice_is_refused(built):
    with pytest.raises(ResultsError, match="named twice"):
        Explorer([built, built])


def test_no_run_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        app.main(["explore", str(tmp_path / "nothing"), "--no-browser"])
    assert ended.value.code == 2
    assert "is not a finished run" in capsys.readouterr().err


def test_values_are_made_once_and_the_oldest_give_way():
    cache, made = LimitedCache(10), []

    def get(key, size=4):
        return cache.get(key, lambda: made.append(key) or key, lambda _: size)

    assert [get("a"), get("b"), get("a"), get("c"), get("a"), get("b")] == list("abacab")
    assert made == ["a", "b", "c", "b"]  # b was used longest ago when c came
    get("large", 11)
    get("large", 11)
    assert made.count("large") == 2
