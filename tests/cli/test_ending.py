"""How a command ends from outside: signals, a full disk, and logs without a terminal."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from net2vec.cli import app, display

from builders_runs import write_network_file, write_small_folder


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("SIGTERM", "{kill}"),
        ("SIGHUP", "{kill}"),
        ("SIGINT", "{kill}"),
        ("SIGTERM", "{kill}; {kill}"),
        ("SIGTERM", "exec('{kill}')"),  # Python remembers it as Ctrl-C
        ("SIGTERM", "stop_in_a_library()"),
        ("SIGTERM", "import stopping_import"),  # which is not disturbed
    ],
)
def test_a_signal_ends_a_run_as_ctrl_c_does(tmp_path, name, call):
    write_network_file(tmp_path)
    data = write_small_folder(tmp_path / "data")
    number = getattr(signal, name)
    kill = f"os.kill(os.getpid(), {int(number)})"
    # The signal comes while the network is probed: the network itself sends it.
    (tmp_path / "stopping.py").write_text(
        "import os, torch\n"
        "def stop_in_a_library():\n"
        "    try:\n"
        f"        {kill}\n"
        "    except BaseException:\n"
        "        raise RecursionError\n"
        "class Stop(torch.nn.Conv2d):\n"
        "    def forward(self, x):\n"
        "        if len(x) > 1:\n"
        f"            {call.format(kill=kill)}\n"
        "        return super().forward(x)\n"
        "def make():\n"
        "    return torch.nn.Sequential(Stop(3, 4, 3, 2), torch.nn.ReLU())\n"
    )
    (tmp_path / "stopping_import.py").write_text(
        f"import os, time\n{kill}\ntime.sleep(0.2)\nopen('imported', 'w').close()\n"
    )
    arguments = [
        sys.executable, "-m", "net2vec", "run", "--network", f"{tmp_path / 'stopping.py'}:make",
        "--data", str(data), "--layers", "1", "--out", str(tmp_path / "run"),
    ]  # fmt: skip
    ended = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        # Under nohup the tests themselves ignore SIGHUP, which a child inherits.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    assert ended.returncode == 128 + number, ended.stderr
    assert "interrupted; the same command again" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "imported").exists() == ("import" in call)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line(monkeypatch, capsys, tmp_path, number):
    def full(*_arguments, **_named):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("net2vec.pipeline.probe", full)
    with pytest.raises(SystemExit) as ended:
        app.main(["run", "--network", "alexnet", "--data", "diorama", "--out", str(tmp_path / "x")])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert os.strerror(number) in told
    assert len(told.strip().splitlines()) == 1


def test_without_a_terminal_there_is_a_line_a_minute(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    with display.TerminalProgress() as progress:
        for name in ("one", "two"):
            advance = progress.stage(name, 100)
            for _ in range(100):
                now[0] += 1.0
                advance(1)
    assert capsys.readouterr().err.splitlines() == [
        "one: 10%, 10 s elapsed, about 90 s left",
        "one: 70%, 70 s elapsed, about 30 s left",
        "two: 30%, 30 s elapsed, about 70 s left",
        "two: 90%, 90 s elapsed, about 10 s left",
    ]
