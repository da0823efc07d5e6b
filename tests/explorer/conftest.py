import pytest

pytest.importorskip("starlette")

from starlette.testclient import TestClient

from net2vec.explorer.application import application
from net2vec.explorer.state import Explorer
from net2vec.runs import open_run

from builders import build_run
from builders_apply import probe_small
from builders_runs import small_dataset

TOKEN = "a-token"
HOST = "http://127.0.0.1:8000"


@pytest.fixture(scope="session")
def client():
    """Gives a function that serves runs to a client without a network; it asks by name."""
    opened = []

    def serve(runs, data=None, **options):
        opened.append(Explorer(runs, data))
        client = TestClient(application(opened[-1], TOKEN, **options), base_url=HOST)

        def ask(question, expected=200, /, **parameters):
            answer = client.get(f"/{TOKEN}/api/{question}", params=parameters)
            assert answer.status_code == expected, answer.text
            return answer.json()

        client.ask = ask
        return client

    yield serve
    for explorer in opened:
        explorer.close()


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A run of random numbers with every kind of array; its dataset and network are nowhere."""
    return open_run(
        build_run(tmp_path_factory.mktemp("built") / "run", fits=("paper", "lda"), nulls=80)
    )


@pytest.fixture(scope="session")
def served(client, built):
    return client([built])


@pytest.fixture(scope="session")
def probed(tmp_path_factory):
    """A run of a network and a dataset that are there."""
    return probe_small(tmp_path_factory.mktemp("probed") / "run")


@pytest.fixture(scope="session")
def looking(client, probed):
    return client([probed], small_dataset())
