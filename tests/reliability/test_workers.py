"""Workers of a cluster that die change nothing of a result.

The number of workers killed in each way is that of the environment variable REVDIST_N_KILLED, 2
where it is not set.
"""

import os
import sys

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_revdist import ESMEmbedder, ReverseDistiller, embed_to_parquet

pytestmark = pytest.mark.slow  # processes are started
N_KILLED = int(os.environ.get("REVDIST_N_KILLED", "2"))
N_WORKERS, N_SHARDS, N_ROWS, DIMS = 4, 200, 500, (16, 24, 32)
WAYS = ["exit", "SIGKILL", "out of memory"]


@pytest.fixture(scope="module")
def client():
    """Four processes, which are started again when they die."""
    from distributed import Client, LocalCluster
    from distributed.utils import get_mp_context

    settings = {
        "distributed.deploy.lost-worker-timeout": "1 hour",  # they come back, if late
        "distributed.worker.multiprocessing-method": "forkserver",
    }
    workers = {"n_workers": N_WORKERS, "threads_per_worker": 1, "memory_limit": "1GiB"}
    with dask.config.set(settings):
        # What a process needs when it starts again is imported once.
        get_mp_context().set_forkserver_preload(["distributed", "torch", "sklearn_revdist"])
        with LocalCluster(**workers, dashboard_address=":0") as cluster, Client(cluster) as client:
            yield client


@pytest.fixture
def dies_once(tmp_path):
    """Function that ends the first process that calls it, in a way."""
    told = str(tmp_path / "died")

    def die(way):  # what it needs is inside, as workers know nothing of this module
        import os
        import signal
        import time

        import numpy as np

        try:
            os.close(os.open(told, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        if way == "exit":
            os._exit(1)
        if way == "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        held = []
        while True:  # until the memory limit, where the nanny steps in
            held.append(np.ones(2**21))
            time.sleep(0.01)

    die.happened = lambda: os.path.exists(told) and (os.remove(told) or True)
    return die


def shards(die=None, way=None):
    """Rows that every block makes for itself, on whatever worker it is."""

    def shard(block_info=None):
        number = block_info[None]["chunk-location"][0]
        if die is not None and number == N_SHARDS // 2:
            die(way)
        mix = np.random.default_rng(N_SHARDS).normal(size=(32, sum(DIMS)))
        rng = np.random.default_rng(number)
        latent = rng.normal(size=(N_ROWS, 32)) / np.sqrt(1 + np.arange(32))
        return latent @ mix + 0.1 * rng.normal(size=(N_ROWS, sum(DIMS))) + 10

    chunks = ((N_ROWS,) * N_SHARDS, (sum(DIMS),))
    return da.map_blocks(shard, chunks=chunks, dtype=np.float64, meta=np.empty((0, 0)))


@pytest.fixture(scope="module")
def fitted(client):
    """A fit on the cluster that nothing happened to."""
    return ReverseDistiller(DIMS).fit(shards())


def test_fit_on_processes_is_that_of_one_machine(client, fitted):
    with dask.config.set(scheduler="synchronous"):
        X = shards().compute()
    expected = ReverseDistiller(DIMS).fit(X)
    np.testing.assert_allclose(fitted.components_, expected.components_, rtol=0, atol=1e-10)
    nested = fitted.transform(shards()[:N_ROWS]).compute()
    np.testing.assert_allclose(nested, expected.transform(X[:N_ROWS]), rtol=0, atol=1e-10)


@pytest.mark.parametrize("way", WAYS)
def test_fit_is_the_same_bit_for_bit_when_workers_die(way, client, fitted, dies_once):
    for _ in range(N_KILLED):
        client.wait_for_workers(N_WORKERS)
        distiller = ReverseDistiller(DIMS).fit(shards(dies_once, way))
        assert dies_once.happened()
        np.testing.assert_array_equal(distiller.moments_.mean, fitted.moments_.mean)
        np.testing.assert_array_equal(distiller.moments_.scatter, fitted.moments_.scatter)
        np.testing.assert_array_equal(distiller.components_, fitted.components_)


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(0)
    acids = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    return ["".join(rng.choice(acids, length)) for length in rng.integers(5, 40, size=200)]


@pytest.fixture(scope="module")
def expected(sequences, fair_esm):
    return fair_esm.means("demo", sequences)


def read(folder):
    """The embeddings, and whose they are."""
    frame = pd.read_parquet(folder / "embeddings")
    return frame.drop(columns=["row", "name"]), frame[["row", "name"]]


def test_embedding_on_processes_is_that_of_one(client, sequences, expected, tmp_path):
    embed_to_parquet(ESMEmbedder("demo"), sequences, tmp_path, client=client, tokens_per_part=200)
    rows, labels = read(tmp_path)
    expected.assert_matched(rows)
    assert labels["row"].tolist() == [*range(200)]
    loaded = client.run(
        lambda: len(sys.modules["sklearn_revdist.embedding._inference"]._models._models)
    )
    assert list(loaded.values()) == [3] * N_WORKERS  # all of them worked, and loaded each once


@pytest.mark.parametrize("way", WAYS)
def test_embedding_is_the_same_when_workers_die(
    way, client, sequences, expected, dies_once, tmp_path
):
    class Fatal(ESMEmbedder):
        def transform(self, X):
            if sequences[100] in X:
                dies_once(way)
            return super().transform(X)

    for number in range(N_KILLED):
        client.wait_for_workers(N_WORKERS)
        folder = tmp_path / str(number)
        embed_to_parquet(Fatal("demo"), sequences, folder, client=client, tokens_per_part=200)
        assert dies_once.happened()
        rows, labels = read(folder)
        expected.assert_matched(rows)
        assert labels["row"].tolist() == [*range(200)]


def test_a_part_that_kills_every_worker_is_told(client, sequences, tmp_path):
    class Fatal(ESMEmbedder):
        def transform(self, X):
            if sequences[3] in X:
                os._exit(1)
            return super().transform(X)

    with pytest.raises(
        RuntimeError, match="Several workers died while they embedded the sequences 0 to"
    ):
        embed_to_parquet(Fatal("demo"), sequences, tmp_path, client=client, tokens_per_part=200)
    client.wait_for_workers(N_WORKERS)
    embed_to_parquet(ESMEmbedder("demo"), sequences, tmp_path, client=client, tokens_per_part=200)
    assert len(read(tmp_path)[0]) == 200


def test_an_error_on_a_worker_changes_nothing(client, fitted):
    bad = shards()
    bad = da.where(bad == bad[1234, 5], np.nan, bad)
    moments = fitted.moments_
    with pytest.raises(ValueError, match=r"X has NaN in row 1234, column 5 \("):
        fitted.partial_fit(bad)
    assert fitted.moments_ is moments


def test_grid_search_on_the_cluster(client, rng):
    X = rng.normal(size=(120, 9))
    y = X[:, 0] + X[:, 5] + 0.1 * rng.normal(size=120)
    search = GridSearchCV(
        make_pipeline(ReverseDistiller([3, 6]), Ridge()),
        {"reversedistiller__n_components": [3, 4, 6]},
        cv=3,
    )
    expected = search.fit(X, y).cv_results_["mean_test_score"]
    with parallel_config(backend="dask"):
        found = search.set_params(n_jobs=-1).fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(found, expected)
