"""Errors of the user's input. Their message is one line: what came, what was wanted, what to do."""


class Net2VecError(Exception):
    """A fault of the input, not of the program; the command line prints it and exits with 2."""


class ConfigError(Net2VecError):
    """A setting is out of its range, or settings do not fit together."""


class DataError(Net2VecError):
    """A probe dataset, an image or an annotation cannot be read as what it claims to be."""


class NetworkError(Net2VecError):
    """A network, its weights or one of its layers cannot be had."""


class ResultsError(Net2VecError):
    """A run's folder cannot be read, or holds something else."""
