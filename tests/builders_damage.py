"""Ways in which a folder in Broden's layout gets damaged, each with what must be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

Hurt = Callable[[Path], object]

IMAGE = "images/0002.png"
MASK = "images/0000.png_object_1.png"
"""Of `builders_runs.write_small_folder`, whose images are 32x32 and masks 16x16."""


@dataclass(frozen=True)
class Damage:
    """What to do to the folder, and the regular expression that its fault matches."""

    hurt: Hurt
    reason: str


def replace(table: str, old: str, new: str) -> Hurt:
    def hurt(folder: Path) -> None:
        text = (folder / table).read_text()
        assert old in text
        (folder / table).write_text(text.replace(old, new, 1))

    return hurt


def rewrite_line(path: Path, line: int, rewrite: Callable[[str], str]) -> None:
    lines = path.read_text().splitlines()
    lines[line - 1] = rewrite(lines[line - 1])
    path.write_text("\n".join([*lines, ""]))


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def remove(name: str) -> Hurt:
    return lambda folder: (folder / name).unlink()


def halve(name: str) -> Hurt:
    def hurt(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return hurt


def overwrite(name: str, content: bytes) -> Hurt:
    return lambda folder: (folder / name).write_bytes(content)


def paint(name: str, mode: str, size: tuple[int, int], color: object) -> Hurt:
    return lambda folder: Image.new(mode, size, color).save(folder / name)


DAMAGES = {
    "missing image": Damage(remove(IMAGE), r"0002\.png: the file is missing"),
    "truncated image": Damage(halve(IMAGE), r"0002\.png: cannot be decoded"),
    "text for an image": Damage(overwrite(IMAGE, b"404 Not Found"), r"0002\.png: not an image"),
    "image of another size": Damage(
        paint(IMAGE, "RGB", (30, 32), 0), r"0002\.png: the image is 30x32, index\.csv says 32x32"
    ),
    "image of floats": Damage(
        lambda folder: Image.new("F", (32, 32)).save(folder / IMAGE, "TIFF"),
        r"0002\.png: pixels of kind F",
    ),
    "missing mask": Damage(remove(MASK), r"0000\.png_object_1\.png: the file is missing"),
    "truncated mask": Damage(halve(MASK), r"0000\.png_object_1\.png: cannot be decoded"),
    "mask of another size": Damage(
        paint(MASK, "RGB", (9, 16), (1, 0, 0)),
        r"object_1\.png: the mask is 9x16, index\.csv says 16x16",
    ),
    "greyscale mask": Damage(paint(MASK, "L", (16, 16), 1), r"object_1\.png: pixels of kind L"),
    "unknown label in a mask": Damage(
        paint(MASK, "RGB", (16, 16), (7, 0, 0)),
        r"object_1\.png: the label number 7 is not in label\.csv",
    ),
    "unknown label of an image": Damage(
        replace("index.csv", ",5\n", ",77\n"),
        r"index\.csv: the label number 77 of \d{4}\.png is not in label\.csv",
    ),
    "unknown split": Damage(
        replace("index.csv", "0002.png,val", "0002.png,validate"),
        r"index\.csv, line 4: 0002\.png has the unknown split 'validate'",
    ),
    "duplicate row": Damage(
        replace("index.csv", "0002.png,val", "0001.png,val"),
        r"index\.csv, line 4: duplicate row of 0001\.png",
    ),
    "size that is none": Damage(
        replace("index.csv", "0002.png,val,32", "0002.png,val,huge"),
        r"index\.csv, line 4: 0002\.png has no size in pixels as ih",
    ),
    "name of two labels": Damage(
        replace("label.csv", "2,blue-c", "2,red-c"),
        r"label\.csv, line 3: the name 'red-c' stands twice",
    ),
    "missing table": Damage(remove("category.csv"), r"category\.csv: the file is missing"),
    "empty table": Damage(overwrite("label.csv", b""), r"label\.csv: not a table"),
    "table in another encoding": Damage(
        overwrite("label.csv", "number,name\n1,Stra\xdfe\n".encode("latin-1")),
        r"label\.csv: not a table",
    ),
    "fields without a column": Damage(
        replace("index.csv", ",scene\n", "\n"),
        r"index\.csv: its rows have more fields than its first line names",
    ),
    "row that ends early": Damage(
        lambda folder: rewrite_line(folder / "index.csv", 4, lambda row: row.rsplit(",", 2)[0]),
        r"index\.csv, line 4: 7 fields; the first line names 9",
    ),
    "row with a field too many": Damage(
        lambda folder: rewrite_line(folder / "index.csv", 4, lambda row: f"{row},"),
        r"index\.csv, line 4: 10 fields; the first line names 9",
    ),
    "label that ends early": Damage(
        lambda folder: rewrite_line(folder / "label.csv", 3, lambda row: row.rsplit(",", 4)[0]),
        r"label\.csv, line 3: 2 fields; the first line names 6",
    ),
    "category without a column": Damage(
        lambda folder: append(folder / "category.csv", "texture,0,0,0,0\n"),
        r"index\.csv: no column for the category 'texture' of category\.csv",
    ),
    "category without a name": Damage(
        lambda folder: append(folder / "category.csv", ",0,0,0,0\n"),
        r"category\.csv, line 5: a category without a name",
    ),
    "size beyond all numbers": Damage(
        replace("index.csv", "0002.png,val,32", "0002.png,val,9223372036854775808"),
        r"index\.csv, line 4: 0002\.png has no size in pixels as ih",
    ),
    "label number of 5000 digits": Damage(
        replace("index.csv", ",5\n", f",{5000 * '9'}\n"),
        r"index\.csv: the label number 9{9}\.\.\. of \d{4}\.png is not in label\.csv",
    ),
    "column of no category": Damage(
        replace("category.csv", "object", "objet"),
        r"index\.csv: the column 'object' is no category",
    ),
    "path out of the folder": Damage(
        replace("index.csv", "0002.png,val", "../0002.png,val"),
        r"'\.\./0002\.png' does not name a file inside this folder",
    ),
    "null in a path": Damage(
        replace("index.csv", "0002.png,val", "0002\0.png,val"),
        r"'0002\\x00\.png' does not name a file inside this folder",
    ),
}
