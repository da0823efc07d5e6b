"""Errors of the Hugging Face hub, each as one line for the user."""

from __future__ import annotations

HUB = "huggingface.co/"
"""Where repositories are; those of datasets lie in `datasets/`."""


def refusal(
    label: str, name: str, error: Exception, kind: str = "model", lacking: str = "a file"
) -> str:
    """The reason why a repository cannot be downloaded, and what to do.

    Args:
        label: how the user names it.
        name: ORG/NAME.
        error: what `huggingface_hub` raised.
        kind: "model" or "dataset".
        lacking: what a repository without a file that was asked for lacks.
    """
    from huggingface_hub import errors

    of_kind = "" if kind == "model" else f" --repo-type {kind}"
    address = f"https://{HUB}{'' if kind == 'model' else f'{kind}s/'}{name}"
    otherwise = (
        f"download it by other means (hf download {name}{of_kind} --local-dir FOLDER) and name the "
        f"folder"
    )
    if isinstance(error, errors.GatedRepoError):
        return (
            f"{label} is gated: accept its terms at {address} and log in (hf auth login), or "
            f"{otherwise}"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        what = "repository" if kind == "model" else kind
        return f"{label}: the hub has no {what} {name}, or it is private and needs hf auth login"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{label}: {address} has no such revision; a branch, tag or commit is wanted"
    if isinstance(error, (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled)):
        return f"{label} is not in this machine's cache, and the hub cannot be reached: {otherwise}"
    if isinstance(error, errors.EntryNotFoundError):
        return f"{label}: {address} has no {lacking}"
    line = str(error).strip().partition("\n")[0] or type(error).__name__
    return f"cannot download {label}: {line}; {otherwise}"
