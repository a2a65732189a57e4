"""A byte changed or an end cut off: refused, noticed, or of no effect; never a wrong number."""

import hashlib
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from sklearn_revdist import EmbeddingStore, ESMEmbedder, NaiveChain, ReverseDistiller

PUBLISHED = Path(__file__).parents[1] / "published"
SEQUENCES = ["MKTAYIAKQRQ", "W", "GSHMLE<mask>K", "ACDEFGHIKLMNPQRSTVWY" * 2]
N_TRIALS = [40, pytest.param(800, marks=pytest.mark.slow)]


def damaged(content, rng):
    """The content with one other byte or, one time in four, without its end."""
    at = int(rng.integers(len(content)))
    if rng.random() < 0.25:
        return content[:at]
    other = content[at] ^ int(rng.integers(1, 256))
    return content[:at] + bytes([other]) + content[at + 1 :]


def outcomes(path, read, expected, n_trials, rng):
    """How many damaged copies of a file were refused, and how many read as if they were whole."""
    content = path.read_bytes()
    refused = right = 0
    for _ in range(n_trials):
        path.write_bytes(damaged(content, rng))
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".* embeddings in .* are damaged", RuntimeWarning)
                found = read()
        except (ValueError, OSError) as error:
            refused += str(path) in str(error)
        else:
            np.testing.assert_array_equal(found, expected, strict=True)
            right += 1
    assert refused + right == n_trials
    return refused, right


@pytest.mark.parametrize("n_trials", N_TRIALS)
def test_saved_distillers(n_trials, tmp_path, rng):
    path = tmp_path / "distiller.safetensors"
    X = rng.normal(size=(100, 18))
    ReverseDistiller([3, 6, 9], n_components=7, regressor="ols").fit(X).save_pretrained(path)

    def read():
        distiller = ReverseDistiller.from_pretrained(path)
        assert distiller.get_params() == parameters
        return np.hstack([distiller.transform(X), distiller.r2_ * np.ones((100, 1))])

    parameters = ReverseDistiller.from_pretrained(path).get_params()
    refused, _ = outcomes(path, read, read(), n_trials, rng)
    assert refused > 0.8 * n_trials  # all but the text that names the checksum


@pytest.mark.parametrize("n_trials", N_TRIALS)
def test_stores(n_trials, tmp_path, rng):
    path = tmp_path / "store.sqlite"
    embedder = ESMEmbedder("demo-48", store=path)
    expected = embedder.transform(SEQUENCES)
    assert sum(outcomes(path, lambda: embedder.transform(SEQUENCES), expected, n_trials, rng))


@pytest.mark.parametrize("n_trials", N_TRIALS)
def test_exported_stores(n_trials, tmp_path, rng):
    path = tmp_path / "store.sqlite"
    ESMEmbedder("demo-48", store=path).transform(SEQUENCES)

    def read():
        with EmbeddingStore(path) as store:
            return store.to_frame().loc[SEQUENCES].to_numpy()

    assert sum(outcomes(path, read, read(), n_trials, rng))


@pytest.mark.parametrize("n_trials", N_TRIALS)
def test_checkpoints(n_trials, tmp_path, tiny, rng):
    path = shutil.copy(tiny, tmp_path / "tiny.pt")
    embedder = ESMEmbedder([str(path)])
    expected = embedder.transform(SEQUENCES)
    refused, _ = outcomes(path, lambda: embedder.transform(SEQUENCES), expected, n_trials, rng)
    assert refused > 0.5 * n_trials


@pytest.mark.parametrize("n_trials", N_TRIALS)
def test_weights_in_the_cache_of_hugging_face(n_trials, tmp_path, hugging_face, rng):
    folder = hugging_face(tmp_path / "snapshots" / "c731")
    (tmp_path / "blobs").mkdir()
    for file in list(folder.iterdir()):
        blob = tmp_path / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        file.rename(blob)
        file.symlink_to(Path("..", "..", "blobs", blob.name))
    embedder = ESMEmbedder([str(folder)])
    expected = embedder.transform(SEQUENCES)
    read = lambda: embedder.transform(SEQUENCES)  # noqa: E731
    refused, _ = outcomes(folder / "model.safetensors", read, expected, n_trials, rng)
    assert refused == n_trials


@pytest.mark.parametrize("n_trials", N_TRIALS)
@pytest.mark.parametrize(
    ("estimator", "names"),
    [(ReverseDistiller, "rd-*-pcr-fbpca-1k.npz"), (NaiveChain, "naive-*-fbpca-1k.npz")],
)
def test_published_weights(estimator, names, n_trials, tmp_path, rng):
    for file in PUBLISHED.glob(names):
        shutil.copy(file, tmp_path)
    with np.load(PUBLISHED / "expected.npz") as file:
        X = file["X"]
    path = next(tmp_path.glob("*-8M-35M-*"))
    expected = estimator.from_pretrained(tmp_path).transform(X)
    read = lambda: estimator.from_pretrained(tmp_path).transform(X)  # noqa: E731
    refused, _ = outcomes(path, read, expected, n_trials, rng)
    assert refused > 0.5 * n_trials
