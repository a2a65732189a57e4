"""A relative store of an estimator that was saved: the same file, or a word on which it is now."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_revdist import ESMEmbedder, ESMScorer

SEQUENCES = ["MKTAY", "GSHML"]
MAKERS = pytest.mark.parametrize(
    "make",
    [
        lambda store: ESMEmbedder("demo-48", store=store),
        lambda store: ESMScorer("demo-48", reference="MKTAY", store=store),
    ],
)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Two folders; the working directory is the first, and goes to the second when called."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return lambda: monkeypatch.chdir(tmp_path / "there")


@MAKERS
def test_a_relative_store_in_another_folder_is_said_once(make, elsewhere, tmp_path):
    embedder = make("store.sqlite")
    expected = embedder.transform(SEQUENCES)
    saved = pickle.dumps(embedder)
    assert embedder.store == pickle.loads(saved).store == "store.sqlite"
    elsewhere()
    loaded = pickle.loads(pickle.dumps(pickle.loads(saved)))  # once more before it is used
    with pytest.warns(UserWarning, match="is relative and meant") as caught:
        found = loaded.transform(SEQUENCES)
    here, there = (str(tmp_path / name / "store.sqlite") for name in ("here", "there"))
    assert f"meant {here!r} where this" in str(caught[0].message)
    assert f"here it is {there!r}, a new file" in str(caught[0].message)
    np.testing.assert_array_equal(found, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded.transform(SEQUENCES)
        pickle.loads(saved).transform(SEQUENCES)  # there is a store now


@MAKERS
@pytest.mark.parametrize("absolute", [False, True])
def test_the_same_file_is_used_in_silence(make, absolute, elsewhere, tmp_path):
    path = tmp_path / "here" / "store.sqlite"
    embedder = make(path if absolute else "store.sqlite")
    saved = pickle.dumps(embedder)
    if absolute:
        elsewhere()
    pickle.loads(saved).transform(SEQUENCES)
    clone(pickle.loads(saved)).transform(SEQUENCES)
    assert path.exists()
    assert not (tmp_path / "there" / "store.sqlite").exists()


def test_no_store_needs_no_word(elsewhere):
    saved = pickle.dumps(ESMEmbedder("demo-48"))
    elsewhere()
    assert vars(pickle.loads(saved)) == vars(ESMEmbedder("demo-48"))


@pytest.mark.parametrize(
    "embed",
    [
        lambda embedder: embedder.transform(["MKTAYW*"]),
        lambda embedder: embedder.fit_transform(["MKTAYW*"]),
        lambda embedder: embedder.set_output(transform="pandas").transform(["MKTAYW*"]),
        lambda embedder: embedder.transform_layers(["MKTAYW*"]),
        lambda embedder: list(embedder.iter_residues(["MKTAYW*"])),
        lambda embedder: make_pipeline(embedder).fit_transform(["MKTAYW*"]),
    ],
)
def test_warnings_are_about_the_code_that_calls(embed, elsewhere):
    saved = pickle.dumps(
        ESMEmbedder("demo-48", max_length=5, long="truncate", store="store.sqlite")
    )
    elsewhere()
    with pytest.warns(UserWarning, match="end in|exceed|is relative") as caught:
        embed(pickle.loads(saved))
    messages = ("end in '*'", "exceed max_length=5", "is relative and meant")
    of_each = [
        [warning.filename for warning in caught if message in str(warning.message)]
        for message in messages
    ]
    # residues are not kept
    assert of_each[:2] == [[__file__], [__file__]]
    assert of_each[2] in ([__file__], [])


def test_a_warning_of_the_scorer_is_about_the_code_that_calls_it(elsewhere):
    saved = pickle.dumps(ESMScorer("demo-48", reference="MKTAY", store="store.sqlite"))
    elsewhere()
    with pytest.warns(UserWarning, match="end in|is relative") as caught:
        pickle.loads(saved).transform(["MKTAW*"])
    assert [warning.filename for warning in caught] == [__file__, __file__]
