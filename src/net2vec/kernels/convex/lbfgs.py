"""A quasi-Newton method for smooth, strictly convex functions: many problems side by side.

Limited-memory BFGS in scaled variables. Every round computes the gradients of all problems once. A
problem accepts its step unless the slope along it has risen too much, and else shortens it by the
secant rule: for convex functions slopes are enough, no function value is computed. The result of a
problem depends on its own gradients alone, to the last bit if the number of problems stays the same
and the number of variables is a multiple of 16.

Source: Byrd, Nocedal and Schnabel, Representations of quasi-Newton matrices (1994), theorem 2.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.core.devices import policy_of

_MEMORY = 12
# Slots are used in multiples of four: small matrices of other sizes are not all aligned alike, and
# the last bits of a problem would depend on its index among the others.
_SLOT_MULTIPLE = 4
# A step is accepted unless the slope at its end is above this share of the slope at its beginning.
_MAX_OVERSHOOT = 0.5
_LOADING = Lock()
_LOADED: set[torch.device] = set()


@dataclass(frozen=True)
class Minimum:
    """The last points of the problems.

    Attributes:
        x: the points.
        converged: whether each met its condition.
        rounds: how often the gradient of each was computed.
    """

    x: Float[Tensor, "problem variable"]
    converged: Bool[Tensor, "problem"]
    rounds: Int[Tensor, "problem"]


def minimize(
    gradient: Callable[[Float[Tensor, "problem variable"]], Float[Tensor, "problem variable"]],
    start: Float[Tensor, "problem variable"],
    scale: Float[Tensor, "problem variable"],
    is_done: Callable[[Tensor, Tensor], Bool[Tensor, "problem"]],
    *,
    max_rounds: int = 200,
) -> Minimum:
    """Minimise convex functions.

    Args:
        gradient: of every problem at its point.
        start: the first points.
        scale: typical lengths of the variables, such as 1 / sqrt(curvature); 0 for fixed ones.
        is_done: from points and gradients, whether each problem is solved.
        max_rounds: rounds after which a problem is given up.
    """
    _load_solver(start.device)
    x, slope = start.clone(), gradient(start)
    done = is_done(x, slope)
    rounds = torch.ones(len(x), dtype=torch.int64, device=x.device)
    history = _History(x)
    step = history.direction(slope * scale)
    length = _first_length(step)
    for _ in range(max_rounds - 1):
        if bool(done.all()):
            break
        move = torch.where(done, 0.0, length)[:, None] * step
        tried = x + move * scale
        found = gradient(tried)
        rounds += ~done
        before = (slope * scale * step).sum(1)
        after = (found * scale * step).sum(1)
        taken = ~done & (after <= -_MAX_OVERSHOOT * before)
        history.add(taken, move, (found - slope) * scale)
        x = torch.where(taken[:, None], tried, x)
        slope = torch.where(taken[:, None], found, slope)
        # The secant's root lies between the ends where the slope has changed its sign.
        shorter = length * (before / (before - after)).clamp(0.05, 0.8)
        fresh = history.direction(slope * scale)
        step = torch.where(taken[:, None], fresh, step)
        length = torch.where(taken, torch.ones_like(length), torch.where(done, length, shorter))
        done = done | (taken & is_done(x, slope))
    return Minimum(x, done, rounds)


def _load_solver(device: torch.device) -> None:
    """Load the library of a GPU, which must not happen in several threads at once."""
    with _LOADING:
        if policy_of(device).is_gpu and device not in _LOADED:
            torch.linalg.solve_triangular(*torch.eye(1, device=device).expand(2, 1, 1), upper=True)
            _LOADED.add(device)


def _first_length(step: Float[Tensor, "problem variable"]) -> Float[Tensor, "problem"]:
    """Length of the first step, along the gradient; scaled variables are of the order of 1."""
    length: Tensor = 1 / step.norm(dim=1).clamp(min=1.0)
    return length


class _History:
    """The last steps of every problem and the changes of its gradient, in a ring of slots.

    The approximate inverse is applied in its compact form: one product of the history with two
    vectors, one back, and between them matrices as small as the memory. A slot of zeros has no
    effect, and unused slots are skipped.
    """

    def __init__(self, x: Float[Tensor, "problem variable"]) -> None:
        problems, variables = x.shape
        self.pair = x.new_zeros(problems, _MEMORY, 2, variables)  # step and change
        self.cross = x.new_zeros(problems, _MEMORY, _MEMORY)  # steps times changes
        self.square = x.new_zeros(problems, _MEMORY, _MEMORY)  # changes times changes
        self.size = x.new_ones(problems)
        self.count = 0

    def add(
        self,
        is_taken: Bool[Tensor, "problem"],
        step: Float[Tensor, "problem variable"],
        change: Float[Tensor, "problem variable"],
    ) -> None:
        """Remember the steps that were taken."""
        product, square = (step * change).sum(1), (change * change).sum(1)
        numbers = torch.finfo(step.dtype)
        # Rounding may hide the curvature of a tiny step; such a step is not remembered.
        least = numbers.eps**0.75 * step.norm(dim=1) * square.sqrt()
        is_taken = is_taken & (product > least)
        slot = self.count % _MEMORY
        self.pair[:, slot, 0] = torch.where(is_taken[:, None], step, 0.0)
        self.pair[:, slot, 1] = torch.where(is_taken[:, None], change, 0.0)
        self.size = torch.where(is_taken, product / square.clamp(min=numbers.tiny), self.size)
        self.count += 1

    def direction(
        self, slope: Float[Tensor, "problem variable"]
    ) -> Float[Tensor, "problem variable"]:
        """Minus the approximate inverse of the curvature, times the gradient."""
        if self.count == 0:
            return -slope
        newest, used = (
            (self.count - 1) % _MEMORY,
            min(-(-self.count // _SLOT_MULTIPLE) * _SLOT_MULTIPLE, _MEMORY),
        )
        pair = self.pair[:, :used].flatten(1, 2)
        vectors = torch.stack([self.pair[:, newest, 1], slope], 2)
        products = torch.bmm(pair, vectors).view(-1, used, 2, 2)
        self.cross[:, :used, newest] = products[:, :, 0, 0]
        self.square[:, :used, newest] = self.square[:, newest, :used] = products[:, :, 1, 0]
        cross, square = self.cross[:, :used, :used], self.square[:, :used, :used]
        # From the oldest to the newest, which is their order until the ring is full.
        oldest = self.count % _MEMORY if self.count > _MEMORY else 0
        if oldest:
            cross, square = (part.roll((-oldest, -oldest), (1, 2)) for part in (cross, square))
            products = products.roll(-oldest, 1)
        along, across = products[:, :, 0, 1:], products[:, :, 1, 1:]
        own, size = cross.diagonal(dim1=1, dim2=2), self.size[:, None, None]
        # A 1 on the diagonal of an empty slot decouples it from the others.
        upper = cross.triu() + torch.diag_embed((own == 0).to(own.dtype))
        inner = torch.linalg.solve_triangular(upper, along, upper=True)
        middle = own[:, :, None] * inner + size * (square @ inner - across)
        outer = torch.linalg.solve_triangular(upper.mT, middle, upper=False)
        back = torch.cat([outer, -size * inner], 2).roll(oldest, 1)
        turned = torch.bmm(back.flatten(1)[:, None], pair)[:, 0]
        return -(self.size[:, None] * slope + turned)
