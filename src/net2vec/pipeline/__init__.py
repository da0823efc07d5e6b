"""From settings to a finished run: the one place where the parts meet."""

from net2vec.pipeline.demo import Suggestion, demo_questions, run_demo
from net2vec.pipeline.dissecting import count_detectors, detectors, dissect
from net2vec.pipeline.given import analyze
from net2vec.pipeline.inputs import default_workers
from net2vec.pipeline.many import Outcome, name_runs, probe_many, read_runs
from net2vec.pipeline.progress import Progress, SilentProgress
from net2vec.pipeline.reporting import write_report
from net2vec.pipeline.runner import probe

__all__ = [
    "Outcome",
    "Progress",
    "SilentProgress",
    "Suggestion",
    "analyze",
    "count_detectors",
    "default_workers",
    "demo_questions",
    "detectors",
    "dissect",
    "name_runs",
    "probe",
    "probe_many",
    "read_runs",
    "run_demo",
    "write_report",
]
