"""Functions of the `net2vec data` commands: survey, check, describe, convert, fetch."""

from net2vec.data.tools.broden_writer import write_broden
from net2vec.data.tools.checking import Checked, check_dataset, find_faults
from net2vec.data.tools.conversion import Converted, convert_dataset
from net2vec.data.tools.describing import describe_folder, write_description
from net2vec.data.tools.fetching import PUBLICATIONS, Fetched, Publication, fetch_dataset
from net2vec.data.tools.survey import Survey, survey_dataset

__all__ = [
    "PUBLICATIONS",
    "Checked",
    "Converted",
    "Fetched",
    "Publication",
    "Survey",
    "check_dataset",
    "convert_dataset",
    "describe_folder",
    "fetch_dataset",
    "find_faults",
    "survey_dataset",
    "write_broden",
    "write_description",
]
