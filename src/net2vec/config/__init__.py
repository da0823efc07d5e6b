"""The settings of a run: complete, checked, and the same in a file as on the command line.

Every setting is declared once, as a field of a dataclass: those of a task in `task_settings`, all
others in `settings`. The options of `net2vec run`, the checks and `docs/settings.md` are made from
these declarations. Where the paper states a value, it is the default. Every fit is made by default.
"""

from net2vec.config.comparing import differences, may_follow
from net2vec.config.settings import Settings
from net2vec.config.task_settings import (
    FITTING,
    GROUPS,
    MACHINE,
    ClassifySettings,
    SegmentSettings,
)

__all__ = [
    "FITTING",
    "GROUPS",
    "MACHINE",
    "ClassifySettings",
    "SegmentSettings",
    "Settings",
    "differences",
    "may_follow",
]
