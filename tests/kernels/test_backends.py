"""Both backends, on tensors of a CPU, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.kernels import backends
from net2vec.kernels.backends import cpu
from net2vec.kernels.geometry.node_grid import NodeGrid, Samples

BACKENDS = [backends._CPU, backends._CUDA]
EACH = pytest.mark.parametrize("backend", BACKENDS, ids=["cpu", "cuda"])
SEEDS, SIDES = st.integers(0, 2**32), st.integers(1, 9)


def floats(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.from_numpy(rng.normal(size=shape).astype(np.float32))


def close(found: torch.Tensor, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_devices_have_their_backend():
    for name, backend in (("cpu", backends._CPU), ("cuda", backends._CUDA)):
        assert backends.backend_of(name) is backends.backend_of(torch.device(name)) is backend
    assert backends.backend_of("cuda:1") is backends._CUDA


@EACH
@settings(deadline=None, max_examples=20)
@given(SEEDS, SIDES, st.integers(1, 40))
def test_bits(backend, seed, rows, columns):
    bits = np.random.default_rng(seed).random((rows, columns)) < 0.5
    mask = torch.from_numpy(bits)
    packed = backend.pack_bits(mask)
    assert packed.tolist() == np.packbits(bits, axis=1, bitorder="little").tolist()
    whole = backend.unpack_bits(packed)
    assert whole[:, :columns].tolist() == bits.tolist()
    assert not whole[:, columns:].any()
    assert backend.count_bits(packed).tolist() == bits.sum(1).tolist()
    assert backend.flat_nonzero(mask).tolist() == np.flatnonzero(bits).tolist()


@EACH
@settings(deadline=None, max_examples=20)
@given(SEEDS, SIDES, st.integers(1, 40))
def test_integers(backend, seed, limit, count):
    rng = np.random.default_rng(seed)
    index = rng.integers(0, limit, count)
    tensor = torch.from_numpy(index)
    assert backend.floor_divide(tensor, 3).tolist() == (index // 3).tolist()
    for largest in (limit, 2**17):
        order = backend.stable_order(tensor, largest)
        assert order.tolist() == np.argsort(index, kind="stable").tolist()
    assert backend.bincount(tensor, 12).tolist() == np.bincount(index, minlength=12).tolist()
    masks, code = rng.random((3, count)) < 0.4, rng.integers(0, limit, count)
    counts = backend.count_codes(torch.from_numpy(masks), torch.from_numpy(code), limit)
    for row, mask in zip(counts.tolist(), masks, strict=True):
        assert row == np.bincount(code[mask], minlength=limit).tolist()


@EACH
@pytest.mark.parametrize("long_row", [1, 1000])
def test_the_smallest_are_kept(backend, long_row, monkeypatch):
    monkeypatch.setattr(cpu, "_LONG_ROW", long_row)
    keys = np.random.default_rng(0).permutation(40).reshape(4, 10)
    found, rows = torch.from_numpy(keys.copy()), torch.tensor([2, 0])
    last = backend.keep_smallest(found, rows, 3, 99)
    assert last.tolist() == np.sort(keys, 1)[[2, 0], 2].tolist()
    for row in range(4):
        wanted = [*np.sort(keys[row])[:3], *[99] * 7] if row in (0, 2) else np.sort(keys[row])
        assert sorted(found[row].tolist()) == list(wanted)
        assert row in (1, 3) or (found[row, 3:] == 99).all()


@EACH
def test_a_cut_is_above_itself_nowhere(backend):
    values = torch.tensor([[0.1, -0.5], [0.3, 0.30000004]])
    assert backend.greater(values, 0.3).tolist() == [[False, False], [False, True]]


@EACH
@pytest.mark.parametrize("width", [(), (3,)])
@pytest.mark.parametrize("has_source", [True, False])
def test_indexed_sums_are_those_of_a_loop(backend, width, has_source):
    rng = np.random.default_rng(0)
    values = floats(rng, 20, *width)
    source, target = rng.integers(20, size=20), rng.integers(5, size=20)
    wanted = np.zeros((6, *width))
    for n in range(20):
        wanted[target[n]] += values[source[n] if has_source else n].numpy()
    indexed = torch.from_numpy(source) if has_source else None
    summed = backend.indexed_sum(indexed, torch.from_numpy(target), 6)
    total = torch.ones(6, *width)
    summed.add_to(total, values)
    close(total, wanted + 1)
    if not width:
        close(summed.sums(values), wanted)


@EACH
@pytest.mark.parametrize(("grid", "size"), [((3, 4), (40, 41)), ((1, 5), (9, 40))])
def test_squares_give_to_their_corners(backend, grid, size):
    squares = NodeGrid.of(grid, size)
    rng = np.random.default_rng(0)
    cells = grid[0] * grid[1]
    some = torch.from_numpy(np.flatnonzero(rng.random(squares.squares) < 0.7))
    corner = torch.cat([squares.corner[:, some], torch.full((4, 1), cells)], 1)
    given = floats(rng, *corner.shape)
    given[:, -1] = 0  # the last square is empty
    wanted = np.ones(cells + 1)
    np.add.at(wanted, corner.numpy().ravel(), given.numpy().ravel())
    total = torch.ones(cells + 1)
    backend.corner_sum(corner, cells + 1).add_to(total, given.flatten())
    close(total[:-1], wanted[:-1])

    reduce = Samples.of(squares, 0).reduce
    value = floats(rng, reduce.shape[2], reduce.shape[2], 7)
    wanted = np.einsum("in,jm,nms->ijs", reduce[0], reduce[0], value)
    close(backend.reduce_nodes(backend.corner_weights(reduce), value), wanted)


@EACH
@settings(deadline=None, max_examples=20)
@given(SEEDS, SIDES, SIDES, SIDES)
def test_sums_and_products(backend, seed, n, rows, inner):
    rng = np.random.default_rng(seed)
    left, right = floats(rng, n, rows, inner), floats(rng, inner, 5)
    close(backend.sum_first(left), left.numpy().sum(0))
    close(backend.span_first(left[0]), np.ptp(left[0].numpy(), 0))
    close(backend.times(left[0], right), left[0].numpy() @ right.numpy())
    close(backend.times_by_image(left, right).view(n, rows, 5), left.numpy() @ right.numpy())
    reduce, by_pixel = floats(rng, n, 2, rows), floats(rng, n, rows, 4)
    wanted = reduce.numpy() @ by_pixel.numpy()
    close(backend.reduce_strips(reduce, by_pixel).view(n, 2, 4), wanted)

    dense = (rng.random((n, inner)) < 0.4).astype(np.float32)
    sparse = scipy.sparse.csr_array(dense)
    vectors = floats(rng, 3, inner)
    close(backend.sparse_matrix(sparse, right).times(vectors), dense @ vectors.numpy().T)
    starts, columns = (
        torch.from_numpy(a.astype(np.int64)) for a in (sparse.indptr, sparse.indices)
    )
    close(backend.sum_rows(starts, columns, right), dense @ right.numpy())
