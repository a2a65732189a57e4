"""Layer scores are those of each layer alone, on the same folds, from one pass."""

import numpy as np
import pytest
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import ContiguousKFold, ESMEmbedder, layer_scores, load_if1_ecoli
from sklearn_revdist.embedding import _esm2, _inference
from sklearn_revdist.embedding._entries import ESM2Entry
from sklearn_revdist.evaluation._layer_scores import LAYER_SCORED

ASSAY = load_if1_ecoli()
X, Y = ASSAY.data[::11], ASSAY.target[::11]
POSITIONS = np.array([int(mutant[1:-1]) for mutant in ASSAY.mutant[::11]])
MODELS = {"esm2_t3_100K_demo": 3, "esm2_t4_500K_demo": 4, "esm2_t6_2M_demo": 6}


def test_a_row_is_the_score_of_that_layer_alone():
    scores = layer_scores(ESMEmbedder("demo"), X, Y)
    assert scores.columns.tolist() == LAYER_SCORED
    expected = [(model, i) for model, depth in MODELS.items() for i in range(depth + 1)]
    assert list(zip(scores["model"], scores["layer"], strict=True)) == expected
    assert (scores["depth"] == [layer / MODELS[model] for model, layer in expected]).all()
    folds = KFold(5, shuffle=True, random_state=0)
    probe = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 6, 17)))
    for row in scores.iloc[[0, 3, 10, 15]].itertuples():
        H = ESMEmbedder([row.model], layer=row.layer).transform(X).astype(np.float64)
        predicted = cross_val_predict(probe, H, Y, cv=folds)
        by_fold = [stats.spearmanr(Y[test], predicted[test])[0] for _, test in folds.split(X)]
        assert row.score_mean == pytest.approx(np.mean(by_fold), abs=1e-6)
        assert row.score_std == pytest.approx(np.std(by_fold), abs=1e-6)


def test_a_gain_has_the_interval_of_the_corrected_t_test():
    probe = Ridge(10.0)
    scores = layer_scores(ESMEmbedder(["demo-96"]), X, Y, layers=[0.5, -1], probe=probe, cv=4)
    (row,) = scores[scores["depth"] == 0.5].itertuples()
    folds = list(KFold(4, shuffle=True, random_state=0).split(X))

    def by_fold(layer):
        H = ESMEmbedder(["demo-96"], layer=layer).transform(X).astype(np.float64)
        predicted = [probe.fit(H[train], Y[train]).predict(H[test]) for train, test in folds]
        pairs = zip(folds, predicted, strict=True)
        return np.array([stats.spearmanr(Y[test], p)[0] for (_, test), p in pairs])

    gains = by_fold(0.5) - by_fold(-1)
    error = np.sqrt(gains.var(ddof=1) * (1 / 4 + 1 / 3))
    low, high = stats.t.interval(0.95, 3, loc=gains.mean(), scale=error)
    found = row.gain, row.gain_low, row.gain_high
    np.testing.assert_allclose(found, [gains.mean(), low, high], rtol=0, atol=2e-3)
    last = scores[scores["depth"] == 1]
    assert (last[["gain", "gain_low", "gain_high"]] == 0).all(axis=None)
    alone = layer_scores(ESMEmbedder(["demo-96"]), X, Y, layers=[2], probe=probe, cv=4)
    assert alone["gain"].isna().all()


def test_folds_may_be_given_and_a_single_one_has_no_interval():
    embedder = ESMEmbedder(["demo-48"])
    positions = layer_scores(embedder, X, Y, cv=ContiguousKFold(3), groups=POSITIONS)
    folds = list(ContiguousKFold(3).split(X, groups=POSITIONS))
    assert positions.equals(layer_scores(embedder, X, Y, cv=iter(folds)))
    assert (positions["n_folds"] == 3).all()
    single = layer_scores(embedder, X, Y, cv=folds[:1])
    assert single["gain"].notna().all()
    assert single[["gain_low", "gain_high"]].isna().all(axis=None)


def test_each_layer_is_scored_once_from_the_input_to_the_last():
    embedder, probe = ESMEmbedder(["demo-48", "demo-96"]), Ridge(10.0)
    scores = layer_scores(embedder, X, Y, layers=[-1, 0.75, 0.5, 0], probe=probe)
    by_model = scores.groupby("model", sort=False)["layer"].agg(list)
    assert by_model.to_dict() == {"esm2_t3_100K_demo": [0, 2, 3], "esm2_t4_500K_demo": [0, 2, 3, 4]}
    every = layer_scores(embedder, X, Y, probe=probe, n_jobs=2).set_index(["model", "layer"])
    scores = scores.set_index(["model", "layer"])
    assert scores.equals(every.loc[scores.index])


def test_any_scorer_of_scikit_learn_scores():
    embedder, probe = ESMEmbedder(["demo-48"], layer=1), Ridge(10.0)
    H = embedder.transform(X).astype(np.float64)
    folds = KFold(3, shuffle=True, random_state=0)
    ask = {"layers": [1], "probe": probe, "cv": 3}
    r2 = layer_scores(embedder, X, Y, scoring="r2", **ask)["score_mean"].item()
    assert r2 == cross_val_score(probe, H, Y, cv=folds, scoring="r2").mean()
    ranks = layer_scores(embedder, X, Y, scoring="spearman", **ask)
    assert ranks.equals(layer_scores(embedder, X, Y, **ask))


def test_each_sequence_is_embedded_once_and_each_model_loaded_once(tmp_path, monkeypatch):
    embedded, loaded = [], []
    forward, load = _esm2.ESM2.forward, ESM2Entry.load

    def counted(self, sequences, layers):
        embedded.extend(sequences)
        return forward(self, sequences, layers)

    monkeypatch.setattr(_inference, "_models", _inference._Models(max_models=3))
    monkeypatch.setattr(_esm2.ESM2, "forward", counted)
    monkeypatch.setattr(
        ESM2Entry, "load", lambda entry, *how: loaded.append(entry.name) or load(entry, *how)
    )
    embedder = ESMEmbedder("demo", store=tmp_path / "store.sqlite")
    first = layer_scores(embedder, X, Y, cv=3)
    assert len(embedded) == 3 * len(X)  # by each model
    assert len(set(loaded)) == len(loaded) == 3
    again = layer_scores(embedder.set_params(layer=0.5), X, Y, layers=[0.5, -1], cv=3)
    embedder.transform(X)
    assert len(embedded) == 3 * len(X)
    pairs = ["model", "layer"]
    assert again.set_index(pairs).equals(first.set_index(pairs).loc[again.set_index(pairs).index])


def test_classes_are_scored_by_precision_and_recall():
    classes = np.where(np.median(Y) < Y, "high", "low")
    scores = layer_scores(ESMEmbedder(["demo-48"]), X, classes, layers=[0, -1])
    assert scores["score_mean"].between(0.4, 1).all()
    numbers = (np.median(Y) < Y).astype(int)
    constant = DummyClassifier()
    scores = layer_scores(ESMEmbedder(["demo-48"]), X, numbers, layers=[-1], probe=constant)
    assert scores["score_mean"].item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"y": Y[:-1]}, ValueError, "inconsistent numbers of samples"),
        ({"y": np.where(Y > 0, Y, np.nan)}, ValueError, "y has nan in row"),
        ({"layers": []}, ValueError, "layers="),
        ({"layers": [4]}, ValueError, r"layers\[0\]=4 is not a layer of esm2_t3_100K_demo"),
        ({"probe": "lasso"}, ValueError, "probe='lasso' is not known"),
        ({"probe": "logistic", "cv": 2}, ValueError, "Class .* is in test fold 0"),
        ({"cv": "5"}, ValueError, "cv"),
        ({"scoring": "accurate"}, ValueError, "scoring"),
        ({"X": "MKT"}, TypeError, "single string"),
        ({"embedder": "demo"}, TypeError, "embedder"),
    ],
)
def test_what_cannot_be_scored_is_an_error(parameters, error, message):
    given = {"embedder": ESMEmbedder(["demo-48"]), "X": X, "y": Y, **parameters}
    with pytest.raises(error, match=message):
        layer_scores(**given)
