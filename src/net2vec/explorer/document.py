"""The documentation of the API, made from its questions and answers.

`python -m net2vec.explorer.document > docs/explorer-api.md` writes it.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from net2vec.explorer import answers, image_answers
from net2vec.explorer.api import KINDS, QUESTIONS, Parameter, Question
from net2vec.explorer.encode import Binary

_INTRODUCTION = """\
# The API of the explorer

<!-- Made by `python -m net2vec.explorer.document > docs/explorer-api.md`; do not edit. -->

A question is a GET of `URL/api/NAME?PARAMETER=VALUE&...`, where URL is the explorer's address with
its token; the answer is a JSON object. What cannot be answered has the status 400 and an object
with the field `error`, one line. A picture is uploaded as the body of a POST to `URL/api/upload`;
the answer is [`Uploaded`](#uploaded).

The parameters `run` (its number, from 0), `layer`, `task` and `fit` choose what is meant: by
default the first run, its last layer with the task, segmentation, and the run's best fit. *Italic*
ones must be given.
"""


def document() -> str:
    """The text of `docs/explorer-api.md`."""
    parts = [_INTRODUCTION, "## Questions\n"]
    parts += [_question(question) for question in QUESTIONS.values()]
    parts.append("## Answers\n\n" + " ".join(inspect.getdoc(answers).split()) + "\n")  # type: ignore[union-attr]
    classes = [
        value
        for module in (answers, image_answers)
        for value in vars(module).values()
        if is_dataclass(value) and isinstance(value, type)
    ]
    parts += [_answer(each) for each in classes]
    return "\n".join(parts)


def _question(question: Question) -> str:
    returned = question.hints["return"]
    answer = "bytes" if returned is Binary else f"`{returned.__name__}`"
    parameters = ", ".join(map(_parameter, question.parameters())) or "no parameters"
    about = inspect.getdoc(question.answer) or ""
    return f"### {question.name}\n\n{about}\n\nParameters: {parameters}. Answer: {answer}.\n"


def _parameter(parameter: Parameter) -> str:
    kind = KINDS[parameter.kind]
    if parameter.required:
        return f"*`{parameter.name}`* ({kind})"
    if parameter.default in (None, ""):
        return f"`{parameter.name}` ({kind})"
    default = parameter.default
    shown = str(default).lower() if isinstance(default, bool) else default
    return f"`{parameter.name}` ({kind}, {shown})"


def _answer(answer: type) -> str:
    hints = get_type_hints(answer)
    rows = [f"| `{field.name}` | {_type(hints[field.name])} |" for field in fields(answer)]
    about = inspect.getdoc(answer) or ""
    return "\n".join(
        [f"### {answer.__name__}\n", about, "", "| field | type |", "| --- | --- |", *rows, ""]
    )


def _type(hint: Any) -> str:
    if get_origin(hint) in (list, dict):
        inner = get_args(hint)
        return f"{'list' if get_origin(hint) is list else 'object'} of {_type(inner[-1])}"
    if isinstance(hint, UnionType):
        return " or ".join(_type(part) for part in get_args(hint))
    names = {int: "whole number", float: "number", str: "text", bool: "boolean", type(None): "null"}
    return names.get(hint) or f"`{hint.__name__}`"


if __name__ == "__main__":
    sys.stdout.write(document())
