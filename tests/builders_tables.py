"""Small tables of images in Parquet files, and a server in the place of the Hugging Face hub."""

from __future__ import annotations

import json
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAMES = {"0": "unlabeled", "1": "leaf", "2": "stem"}
ROWS, COLUMNS = 6, 8


def encoded(picture: np.ndarray, kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.fromarray(picture).save(file, kind)
    return file.getvalue()


def photograph(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (ROWS, COLUMNS, 3), np.uint8)


def mask(number: int) -> np.ndarray:
    """Class numbers 0, 1 and 2 in bands that move with the number."""
    return ((np.arange(ROWS * COLUMNS) + 8 * number) % 48 // 16).astype(np.uint8).reshape(ROWS, -1)


def images(pictures: Sequence[np.ndarray | bytes | None], paths: Sequence[str | None] = ()) -> list:
    """Values of a column of images; a picture of None is a row without one."""
    files = paths or [None] * len(pictures)
    return [
        None
        if one is None
        else {"bytes": one if isinstance(one, bytes) else encoded(one), "path": path}
        for one, path in zip(pictures, files, strict=True)
    ]


def write_table(
    path: Path, columns: Mapping[str, list], features: Mapping[str, object] | None = None, rows=4
) -> None:
    """Write a Parquet file as `datasets` does, with row groups of some rows.

    `features` are those of the columns that are no images, such as a ClassLabel's.
    """
    encoded_type = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    is_image = {name: any(isinstance(v, dict) for v in column) for name, column in columns.items()}
    arrays = {
        name: pa.array(column, encoded_type) if is_image[name] else pa.array(column)
        for name, column in columns.items()
    }
    told = {name: {"_type": "Image"} for name, image in is_image.items() if image}
    plain = {"_type": "Value", "dtype": "int64"}
    told |= {name: plain for name, image in is_image.items() if not image}
    told = {name: (features or {}).get(name, feature) for name, feature in told.items()}
    schema = {"huggingface": json.dumps({"info": {"features": told}})}
    table = pa.table(arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(schema), path, row_group_size=rows)


def write_masks(folder: Path, **counts: int) -> Path:
    """A dataset of images and masks: `train=10, validation=5` gives so many rows of each split."""
    number = 0
    for split, count in counts.items():
        numbers = range(number, number + count)
        number += count
        columns = {
            "image": images([photograph(n) for n in numbers]),
            "mask": images([mask(n) for n in numbers]),
        }
        write_table(folder / "data" / f"{split}-00000-of-00001.parquet", columns)
    (folder / "id2label.json").write_text(json.dumps(NAMES))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Plants\n")
    return folder


def write_shard(
    path: Path, files: Mapping[str, bytes], links: Sequence[tuple[str, str]] = ()
) -> None:
    """Write a tar file of named contents, and of links."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)


def write_dataset_cache(cache: Path, folder: Path, name: str) -> Path:
    """Put a folder into a cache of the hub, as a download of a dataset would: links to blobs."""
    repository = cache / f"datasets--{name.replace('/', '--')}"
    for part in ("refs", "blobs"):
        (repository / part).mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        blob = repository / "blobs" / sha256(path.read_bytes()).hexdigest()
        blob.write_bytes(path.read_bytes())
        link = snapshot / path.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return snapshot


@dataclass
class Hub:
    """What a server of datasets holds, and what it was asked for.

    `folders` by ORG/NAME; `gated` and `converted` are names of those that are gated, or that have a
    branch of Parquet files.
    """

    folders: dict[str, Path] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    converted: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    commit: str = COMMIT


@contextmanager
def serving_hub(hub: Hub) -> Iterator[str]:
    """Serve datasets as the hub does; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_args):
            pass

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            path = self.path.partition("?")[0].strip("/")
            hub.asked.append(f"{self.command} {path}")
            parts = path.removeprefix("api/").split("/")
            name = "/".join(parts[1:3])
            if name not in hub.folders:
                return self.answer(401, error="RepoNotFound")
            if path.startswith("api/"):
                return self.tell(name, parts[3:])
            if name in hub.gated:
                return self.answer(403, error="GatedRepo")
            file = hub.folders[name] / "/".join(parts[5:])
            if not file.is_file():
                return self.answer(404, error="EntryNotFound")
            return self.answer(200, file.read_bytes())

        def tell(self, name, rest):
            if rest[:1] == ["refs"]:
                ref = {"name": "parquet", "ref": "refs/convert/parquet", "targetCommit": COMMIT}
                found = [ref] if name in hub.converted else []
                return self.json({"branches": [], "tags": [], "converts": found})
            files = sorted(p for p in hub.folders[name].rglob("*") if p.is_file())
            names = [str(p.relative_to(hub.folders[name])) for p in files]
            if rest[:1] == ["tree"]:
                sizes = [p.stat().st_size for p in files]
                rows = [
                    {"type": "file", "path": n, "size": size, "oid": "0" * 40}
                    for n, size in zip(names, sizes, strict=True)
                ]
                return self.json(rows)
            if rest[:1] == ["revision"] and rest[1] not in ("main", hub.commit):
                return self.answer(404, error="RevisionNotFound")
            rows = [{"rfilename": n} for n in names]
            return self.json({"id": name, "sha": hub.commit, "siblings": rows})

        def json(self, value):
            self.answer(200, json.dumps(value).encode())

        def answer(self, status, content=b"", error=None):
            self.send_response(status)
            if error:
                self.send_header("X-Error-Code", error)
                self.send_header("X-Error-Message", error)
            self.send_header("X-Repo-Commit", hub.commit)
            self.send_header("ETag", f'"{sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
