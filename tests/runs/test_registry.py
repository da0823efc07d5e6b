"""Declarations of tables, and the loading of libraries that no question about results needs."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

from net2vec import analysis, spaces
from net2vec.results import TableInput
from net2vec.runs import FIT_TABLES, TABLES, RunTable


@pytest.mark.parametrize("table", [*TABLES.values(), *FIT_TABLES.values()], ids=lambda t: t.name)
def test_keys_and_values_are_columns(table):
    assert {*table.keys, *table.values} <= set(table.columns)
    assert len(set(table.columns)) == len(table.columns)
    assert isinstance(table.made_of, TableInput) or table.made_of in TABLES.values()


def test_every_declared_table_is_listed_under_a_name_of_its_own():
    declared = {
        id(value)
        for package in (analysis, spaces)
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
        for value in vars(importlib.import_module(found.name)).values()
        if isinstance(value, RunTable)
    }
    listed = {**TABLES, **FIT_TABLES}
    assert {id(table) for table in listed.values()} == declared
    assert len(listed) == len(TABLES) + len(FIT_TABLES)


def test_questions_load_no_library_that_they_do_not_need(shared_run):
    questions = ("run.scores", "run.space().nearest('dog')", "run.filter(0)")
    code = (
        # xarray loads Dask, and Dask loads SciPy, wherever it is installed.
        "import sys; sys.modules['dask'] = None\n"
        f"import net2vec; run = net2vec.open_run({str(shared_run().path)!r})\n"
        f"{'; '.join(questions)}\n"
        "print(sorted({'torch', 'scipy', 'sklearn', 'matplotlib', 'PIL'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
