"""Requests that are answered and refused: tokens, hosts, headers, paths, uploads."""

import io
import re
from importlib.resources import files
from pathlib import Path

import pytest
from PIL import Image

from net2vec.explorer import pictures

TOKEN = "a-token"


def test_nothing_is_served_without_the_token(served):
    for path in ("/", "/api/runs", "/wrong/api/runs", "/a-toke/api/runs", "/static/app.js"):
        answer = served.get(path)
        assert answer.status_code == 404
        assert answer.text == "not found\n"
    assert served.get(f"/{TOKEN}/api/runs").status_code == 200


def test_another_host_is_not_answered(client, built):
    served = client([built], hosts=("127.0.0.1", "localhost"))
    for host, expected in (("127.0.0.1:8000", 200), ("localhost:1", 200), ("evil.example:80", 404)):
        answer = served.get(f"/{TOKEN}/api/runs", headers={"Host": host})
        assert answer.status_code == expected


def test_pages_may_load_nothing_from_elsewhere(served):
    for page in ("", "concepts", "concept?name=dog", "filters", "filter?index=1", "space", "try"):
        answer = served.get(f"/{TOKEN}/{page}")
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_notebook_may_frame_it(client, built):
    framed = client([built], framed=True)
    policy = framed.get(f"/{TOKEN}/").headers["Content-Security-Policy"]
    assert "frame-ancestors http://localhost:*" in policy


@pytest.mark.parametrize(
    "path",
    [
        "static/../application.py",
        "static/%2e%2e/application.py",
        "..%2f..%2fetc/passwd",
        "static//etc/passwd",
        "static/%2Fetc%2Fpasswd",
        "run.toml",
        "results.zarr/.zmetadata",
    ],
)
def test_no_other_file_is_served(served, path):
    assert served.get(f"/{TOKEN}/{path}").status_code == 404


def test_images_are_those_of_the_dataset_alone(looking):
    for name in ("/etc/passwd", "../secret.png", "image:../secret.png", "image:/etc/passwd"):
        assert "error" in looking.ask("picture", 400, name=name)
    first = looking.ask("dataset-images")["image"][0]
    answer = looking.get(f"/{TOKEN}/api/picture", params={"name": f"image:{first}", "side": 10**9})
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert "immutable" in answer.headers["Cache-Control"]
    assert max(Image.open(io.BytesIO(answer.content)).size) <= max(pictures.SIDES)


def _upload(served, content):
    return served.post(f"/{TOKEN}/api/upload", content=content)


def test_uploads_are_images_of_the_formats_that_are_read(served):
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
    for content in (postscript, b"", b"<svg onload='x()'/>", b"\x89PNG\r\n\x1a\n broken"):
        answer = _upload(served, content)
        assert answer.status_code == 400
        assert "the picture" in answer.json()["error"]
        assert "/tmp" not in answer.json()["error"]


def test_uploads_are_bounded(served, monkeypatch):
    buffer = io.BytesIO()
    Image.new("RGB", (60, 50)).save(buffer, format="PNG")
    assert _upload(served, buffer.getvalue()).json() | {"picture": ""} == {
        "picture": "", "width": 60, "height": 50,
    }  # fmt: skip
    monkeypatch.setattr(pictures, "MAX_UPLOAD_PIXELS", 2999)
    assert "60 x 50 pixels" in _upload(served, buffer.getvalue()).json()["error"]
    monkeypatch.setattr("net2vec.explorer.application.MAX_UPLOAD_BYTES", 1 << 20)
    assert _upload(served, bytes((1 << 20) + 1)).status_code == 413


def test_uploads_give_way_and_are_removed(tmp_path):
    uploads = pictures.Uploads()
    names = []
    for shade in range(pictures._KEPT_UPLOADS + 1):
        buffer = io.BytesIO()
        Image.new("L", (4, 4), shade).save(buffer, format="PNG")
        names.append(uploads.add(buffer.getvalue())[0])
    folder = uploads.path(names[-1]).parent
    assert len(list(folder.iterdir())) == pictures._KEPT_UPLOADS
    with pytest.raises(Exception, match="not kept any more"):
        uploads.path(names[0])
    uploads.close()
    assert not folder.exists()


def test_scripts_make_no_markup_and_ask_nobody_else():
    static = Path(str(files("net2vec.explorer") / "static"))
    scripts = sorted(static.rglob("*.js"))
    assert len(scripts) > 10
    for path in [*scripts, static / "index.html", static / "explorer.css"]:
        text = path.read_text("utf-8")
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text
        )
        assert found == [], path
        addresses = set(re.findall(r"https?://[^\"'\s]+", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path
        # Every module that is imported is there.
        for name in re.findall(r"from \"(\.[^\"]+)\"", text):
            assert (path.parent / name).is_file(), (path, name)
