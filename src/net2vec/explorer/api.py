"""The API: questions by name, their parameters read from the functions that answer them.

A parameter of type `Selection` stands for four: `at` for `run`, `layer`, `task` and `fit`, and
`beside` for the same with `beside_` before each.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, get_type_hints

from net2vec.errors import DataError
from net2vec.explorer import concepts, filters, geometry, masks, overview, trying
from net2vec.explorer.state import Explorer, Selection

KINDS: Mapping[Any, str] = {
    int: "whole number",
    str: "text",
    bool: "true or false",
    str | None: "text",
}
"""Kinds of parameters, as messages and the documentation call them."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a question in a URL; its `default` is empty if it must be given."""

    name: str
    kind: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty

    def read(self, query: Mapping[str, str]) -> Any:
        """The value of the parameter in a query.

        Raises:
            DataError: if it is missing, or of another kind.
        """
        text = query.get(self.name)
        if text is None:
            if self.required:
                raise DataError(f"{self.name} is missing; wanted {KINDS[self.kind]}")
            return self.default
        if self.kind is int:
            try:
                return int(text)
            except ValueError:
                raise DataError(f"{self.name} must be a whole number, got {text!r}") from None
        if self.kind is bool:
            if text not in ("true", "false"):
                raise DataError(f"{self.name} must be true or false, got {text!r}")
            return text == "true"
        return text


@dataclass(frozen=True)
class Question:
    """A question of the API.

    Attributes:
        name: its path below `api/`.
        answer: the function that answers it, given the explorer and the parameters.
    """

    name: str
    answer: Callable[..., Any]

    @cached_property
    def hints(self) -> dict[str, Any]:
        """The types of its parameters, and under `return` of its answer."""
        return get_type_hints(self.answer)

    @cached_property
    def _given(self) -> list[inspect.Parameter]:
        return list(inspect.signature(self.answer).parameters.values())[1:]

    def parameters(self) -> Iterator[Parameter]:
        """The parameters of the question as a URL has them."""
        for parameter in self._given:
            kind = self.hints[parameter.name]
            if kind is Selection:
                yield from _selection_parameters(parameter.name)
            else:
                yield Parameter(parameter.name, kind, parameter.default)

    def ask(self, explorer: Explorer, query: Mapping[str, str]) -> Any:
        """The answer to a query.

        Raises:
            Net2VecError: if a parameter is wrong, or what is asked for is not there.
        """
        values: dict[str, Any] = {}
        for parameter in self._given:
            kind = self.hints[parameter.name]
            if kind is Selection:
                parts = _selection_parameters(parameter.name)
                values[parameter.name] = Selection(*(part.read(query) for part in parts))
            else:
                values[parameter.name] = Parameter(parameter.name, kind, parameter.default).read(
                    query
                )
        return self.answer(explorer, **values)


def _selection_parameters(name: str) -> list[Parameter]:
    prefix = "" if name == "at" else f"{name}_"
    hints = get_type_hints(Selection)
    return [
        Parameter(f"{prefix}{field.name}", hints[field.name], field.default)
        for field in fields(Selection)
    ]


_ANSWERS: Mapping[str, Callable[..., Any]] = {
    "runs": overview.runs,
    "categories": concepts.categories,
    "subsets": concepts.subsets,
    "concepts": concepts.concepts,
    "concept": concepts.concept,
    "neighbours": concepts.neighbours,
    "images": concepts.images,
    "masks": masks.masks,
    "confusion": masks.confusion,
    "matrix-index": filters.matrix_index,
    "matrix": filters.matrix,
    "filter": filters.filter_detail,
    "filter-masks": masks.filter_masks,
    "activation": masks.activation,
    "space": geometry.space,
    "solve": geometry.solve,
    "pair": geometry.pair,
    "moved": geometry.moved,
    "status": masks.status,
    "dataset-images": trying.dataset_images,
    "picture": trying.picture,
    "found": trying.found,
    "found-map": trying.found_map,
}

QUESTIONS: Mapping[str, Question] = {
    name: Question(name, answer) for name, answer in _ANSWERS.items()
}
"""All questions by name. A picture is uploaded by a POST to `upload`, which answers `Uploaded`."""
