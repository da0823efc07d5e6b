"""Rows of Parquet files by number, read from the files by row groups, without a copy on disk."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any

from net2vec.data.files import refuse_links_out
from net2vec.errors import DataError

CACHE_BYTES = 256 << 20
"""Size of the columns read last that are kept in memory, in bytes."""


class Shards:
    """Parquet files of one schema, one after the other. Can be pickled; safe in threads.

    A value is read with the whole row group that it is in, and the row groups read last are kept:
    walking through the rows reads everything once, a row at random costs its row group.

    Args:
        folder: the dataset's.
        files: relative to it.
        within: the folder that links must not leave.

    Raises:
        DataError: if a file is damaged, or has other columns than the first.
    """

    def __init__(self, folder: Path, files: Sequence[str], within: Path) -> None:
        self._folder, self._files, self._within = folder, tuple(files), within
        self._open: dict[int, Any] = {}
        self._start_cache()
        self._groups: list[list[int]] = []
        for number in range(len(self._files)):
            metadata = self._parquet(number).metadata
            rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
            self._groups.append(list(accumulate(rows)))
            if not self.schema.equals(self._parquet(number).schema_arrow):
                raise DataError(
                    f"{self.path(number)}: its columns are not those of {self._files[0]}; name one "
                    f"configuration of the dataset"
                )
        self.lengths = [groups[-1] if groups else 0 for groups in self._groups]
        self._ends = list(accumulate(self.lengths))

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in ("_lock", "_cache")} | {"_open": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start_cache()

    def _start_cache(self) -> None:
        self._lock = Lock()
        self._cache: OrderedDict[tuple[int, int, str], Any] = OrderedDict()

    @property
    def schema(self) -> Any:
        """The Arrow schema of the first file."""
        return self._parquet(0).schema_arrow

    def path(self, number: int) -> Path:
        """The path of a file by its number."""
        return self._folder / self._files[number]

    def locate(self, row: int) -> tuple[str, int]:
        """The file of a row, and the row's number in it."""
        number = bisect_right(self._ends, row)
        return self._files[number], row - (self._ends[number - 1] if number else 0)

    def value(self, row: int, column: str) -> Any:
        """A value; of a struct, name the field as `COLUMN.FIELD`.

        Raises:
            DataError: if the file is damaged.
        """
        number = bisect_right(self._ends, row)
        inner = row - (self._ends[number - 1] if number else 0)
        group = bisect_right(self._groups[number], inner)
        inner -= self._groups[number][group - 1] if group else 0
        with self._lock:
            key = (number, group, column)
            values = self._cache.pop(key, None)
            if values is None:
                values = self._read(number, column, group)
            self._cache[key] = values
            while len(self._cache) > 1 and self._cached_bytes() > CACHE_BYTES:
                self._cache.popitem(last=False)
        return values[inner].as_py()

    def column(self, column: str) -> list[Any]:
        """All values of a column, which should be small; not kept."""
        with self._lock:
            parts = [self._read(number, column) for number in range(len(self._files))]
        return [value for part in parts for value in part.to_pylist()]

    def nulls(self, column: str) -> list[int]:
        """Rows in which the struct around a field, named as `COLUMN.FIELD`, is null."""
        rows, start = [], 0
        for number, length in enumerate(self.lengths):
            table = self._parquet(number).read(columns=[column], use_threads=False)
            nulls = table.column(0).is_null().to_pylist()
            rows += [start + row for row, is_null in enumerate(nulls) if is_null]
            start += length
        return rows

    def largest_group(self, column: str) -> int:
        """Bytes of the largest row group of a column, as stored."""
        sizes = [0]
        for number in range(len(self._files)):
            metadata = self._parquet(number).metadata
            for group in range(metadata.num_row_groups):
                row_group = metadata.row_group(group)
                parts = [row_group.column(place) for place in range(row_group.num_columns)]
                sizes.append(
                    sum(
                        part.total_compressed_size
                        for part in parts
                        if f"{part.path_in_schema}.".startswith(f"{column}.")
                    )
                )
        return max(sizes)

    def digest(self, rows: Sequence[int]) -> str:
        """Digest of the contents of the files that some rows are in, in their order."""
        state = hashlib.sha256()
        for number in sorted({bisect_right(self._ends, row) for row in rows}):
            with self.path(number).open("rb") as file:
                state.update(hashlib.file_digest(file, "sha256").digest())
        return state.hexdigest()

    def _cached_bytes(self) -> int:
        return sum(array.nbytes for array in self._cache.values())

    def _read(self, number: int, column: str, group: int | None = None) -> Any:
        """A column of a row group, or of a whole file."""
        file = self._parquet(number)
        try:
            if group is None:
                table = file.read(columns=[column], use_threads=False)
            else:
                table = file.read_row_group(group, columns=[column], use_threads=False)
            found = table.column(0)
            if column not in table.column_names:  # a field of a struct
                found = found.combine_chunks()
                found = found.field(column.rpartition(".")[2]) if len(table) else found
        except Exception as fault:  # pyarrow has many kinds
            raise self._damaged(number, fault) from None
        return found

    def _parquet(self, number: int) -> Any:
        if number not in self._open:
            import pyarrow.parquet as pq

            refuse_links_out(self._within, self.path(number))
            try:
                self._open[number] = pq.ParquetFile(self.path(number), memory_map=True)
            except Exception as fault:  # pyarrow has many kinds
                raise self._damaged(number, fault) from None
        return self._open[number]

    def _damaged(self, number: int, fault: Exception) -> DataError:
        reason = " ".join(str(fault).split()) or type(fault).__name__
        return DataError(f"{self.path(number)}: cannot be read as Parquet ({reason})")
