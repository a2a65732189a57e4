"""Sequences to a cross-validated probe: the two estimators in scikit-learn's machinery."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_revdist import ESMEmbedder, PrefixRidgeCV, ReverseDistiller, load_if1_ecoli
from sklearn_revdist.utils._models import DEMO

# Folds of a few hundred variants: what is tested is the machinery, not the score.
pytestmark = pytest.mark.filterwarnings("ignore:.*(fewer than its|beyond the numerical rank)")

WIDTHS = [model.width for model in DEMO]


@pytest.fixture
def pipeline():
    return make_pipeline(ESMEmbedder("demo"), ReverseDistiller(), Ridge())


@pytest.fixture
def assay():
    """Two hundred variants of a real protein and their fitness."""
    X, y = load_if1_ecoli(return_X_y=True)
    return X[::6][:200], y[::6][:200]


def test_cross_validation_gives_finite_scores(pipeline, assay):
    scores = cross_val_score(pipeline, *assay, cv=3)
    assert np.isfinite(scores).all()


@pytest.mark.filterwarnings("default")
def test_warnings_are_about_the_code_that_uses_the_pipeline(pipeline, assay):
    with pytest.warns(UserWarning, match="fewer than its") as caught:
        cross_val_score(pipeline, assay[0][:20], assay[1][:20], cv=2)
    assert len(caught) == 2
    assert {warning.filename for warning in caught} == {__file__}


def test_a_search_over_the_prefix_keeps_one_chain_for_each_training_set(assay, tmp_path):
    embedder = ESMEmbedder("demo", store=tmp_path / "store.sqlite")
    distiller = ReverseDistiller(memory=str(tmp_path / "cache"))
    grid = {
        "reversedistiller__n_components": [10, "demo-48", "demo-96", 128, None],
        "ridge__alpha": [0.1, 10.0],
    }
    search = GridSearchCV(make_pipeline(embedder, distiller, Ridge()), grid, cv=4).fit(*assay)
    assert len(list(tmp_path.rglob("output.pkl"))) == 4 + 1
    plain = GridSearchCV(make_pipeline(embedder, ReverseDistiller(), Ridge()), grid, cv=4)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, plain.fit(*assay).cv_results_["mean_test_score"])
    assert search.predict(assay[0]).shape == (200,)


def test_embedders_of_one_model_each_are_a_chain(assay, fair_esm):
    union = FeatureUnion([(name, ESMEmbedder([name])) for name in ("demo-48", "demo-96")])
    model = make_pipeline(union, ReverseDistiller()).set_output(transform="pandas")
    nested = model.fit_transform(assay[0])
    distiller = model[-1]
    assert distiller.dims_.tolist() == WIDTHS[:2]
    assert distiller.model_names_ == [model.name for model in DEMO[:2]]

    def distilled(H):
        return distiller.transform(pd.DataFrame(H, columns=distiller.feature_names_in_)).to_numpy()

    fair_esm.means("demo-96", assay[0][:40]).map(distilled).assert_matched(nested[:40])
    assert nested.columns[-1] == "esm2_t4_500K_demo_residual_47"


def test_encoders_of_another_kind_are_a_chain(assay):
    """Counts of residues, then of pairs of residues, hashed."""
    residues, pairs = (
        HashingVectorizer(analyzer="char", ngram_range=(k, k), n_features=width, lowercase=False)
        for k, width in ((1, 32), (2, 128))
    )
    union = FeatureUnion([("residues", residues), ("pairs", pairs)])
    to_array = FunctionTransformer(lambda counts: counts.toarray(), accept_sparse=True)
    model = make_pipeline(union, to_array, ReverseDistiller(dims=[32, 128]))
    nested = model.fit_transform(assay[0])
    assert nested.shape == (200, 128)
    np.testing.assert_array_equal(nested[:, :32], residues.transform(assay[0]).toarray())


def test_a_probe_that_chooses_among_the_chains_models(assay):
    X, y = assay
    steps = ESMEmbedder("demo"), ReverseDistiller(), PrefixRidgeCV(prefixes="models", cv=3)
    model = make_pipeline(*steps)
    model[:-1].set_output(transform="pandas")
    probe = model.fit(X, y)[-1]
    assert probe.prefixes_.tolist() == WIDTHS
    assert probe.n_prefix_ in WIDTHS
    assert np.isfinite(cross_val_score(model, X, y, cv=3)).all()


def test_the_prefix_of_the_pipeline_is_the_smaller_models_embedding(pipeline, assay):
    X, y = assay
    nested = pipeline[:-1].fit(X, y).transform(X)
    assert nested.shape == (200, WIDTHS[-1])
    small = ESMEmbedder("demo-48").transform(X)
    np.testing.assert_array_equal(nested[:, : WIDTHS[0]], small)


def test_joblib_round_trip_predicts_the_same(pipeline, assay, tmp_path):
    X, y = assay
    joblib.dump(pipeline.fit(X, y), tmp_path / "model.joblib")
    other = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(other.predict(X), pipeline.predict(X))


def test_pandas_output_names_models_all_the_way(pipeline, assay):
    X, y = assay
    pipeline.set_output(transform="pandas")
    nested = pipeline[:-1].fit(X, y).transform(X)
    assert isinstance(nested, pd.DataFrame)
    assert nested.columns[0] == f"{DEMO[0].name}_0"
    assert nested.columns[WIDTHS[0]] == f"{DEMO[1].name}_residual_0"
    assert nested.columns[-1] == f"{DEMO[2].name}_residual_{WIDTHS[2] - WIDTHS[1] - 1}"


def test_a_column_of_sequences_among_others(assay):
    X, y = assay
    frame = pd.DataFrame({"sequence": X, "temperature": np.linspace(20, 37, 200)})
    chain = make_pipeline(ESMEmbedder("demo"), ReverseDistiller(n_components="demo-96"))
    columns = make_column_transformer((chain, "sequence"), ("passthrough", ["temperature"]))
    model = make_pipeline(columns, Ridge()).fit(frame, y)
    assert model[:-1].transform(frame).shape == (200, WIDTHS[1] + 1)
    assert np.isfinite(cross_val_score(model, frame, y, cv=3)).all()


def test_embedding_in_a_column_transformer_and_distilling_after_it(assay):
    X, y = assay
    frame = pd.DataFrame({"sequence": X})
    columns = make_column_transformer((ESMEmbedder("demo"), "sequence"))
    columns.set_output(transform="pandas")
    distiller = make_pipeline(columns, ReverseDistiller()).fit(frame, y)[-1]
    assert distiller.model_names_ == [model.name for model in DEMO]


def test_clone_is_unfitted_and_fits_alike(pipeline, assay):
    X, y = assay
    predicted = pipeline.fit(X, y).predict(X)
    np.testing.assert_array_equal(clone(pipeline).fit(X, y).predict(X), predicted)


def test_a_frozen_distiller_is_fitted_on_residues_once(assay, state):
    X, y = assay
    embedder = ESMEmbedder("demo")
    distiller = ReverseDistiller().fit_residues(X[:20], embedder)
    assert distiller.moments_.weight == 20 * 72
    before = state(distiller)
    model = make_pipeline(embedder, FrozenEstimator(distiller), Ridge())
    assert np.isfinite(cross_val_score(model, X, y, cv=3)).all()
    np.testing.assert_equal(state(model.fit(X, y)[1].estimator), before)


def test_pooling_commutes_with_distilling(assay, fair_esm):
    """The mean of the distilled residues is the distilled mean of the residues."""
    X = list(assay[0][:10])
    embedder, distiller = ESMEmbedder("demo"), ReverseDistiller.from_pretrained("demo")
    pooled = distiller.transform(embedder.transform(X))
    distilled = []
    for sequence in X:
        rows = np.concatenate([block for block, _ in embedder.iter_residues([sequence])])
        distilled.append(distiller.transform(rows).mean(axis=0))
    expected = fair_esm.means("demo", X).map(distiller.transform)
    for found in (pooled, distilled):
        expected.assert_matched(found)
