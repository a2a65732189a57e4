"""One-hot encoding: what each column is, what is unseen, and equality with scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_revdist import KmerComposition, SequenceOneHotEncoder, load_if1_ecoli

VARIANTS = ["MKTA", "MKTG", "MRTA", "MRTC"]


def test_a_column_is_one_where_its_residue_is_at_its_position():
    encoder = SequenceOneHotEncoder().fit(VARIANTS)
    names = ["site2_K", "site2_R", "site4_A", "site4_C", "site4_G"]
    assert encoder.get_feature_names_out().tolist() == names
    assert encoder.positions_.tolist() == [2, 4]
    expected = [[f"site2_{s[1]}" == n or f"site4_{s[3]}" == n for n in names] for s in VARIANTS]
    assert np.array_equal(encoder.transform(VARIANTS), np.array(expected, dtype=float))


def test_equals_the_encoder_of_scikit_learn_without_columns_that_do_not_vary():
    X = load_if1_ecoli().data[::7]
    letters = np.array([list(sequence) for sequence in X])
    plain = OneHotEncoder(sparse_output=False).fit_transform(letters)
    encoder = SequenceOneHotEncoder()
    assert np.array_equal(encoder.fit_transform(X), plain[:, plain.std(axis=0) > 0])
    sparse = clone(encoder).set_params(sparse_output=True).fit_transform(X)
    assert np.array_equal(sparse.toarray(), encoder.transform(X))


def test_residues_that_were_not_seen_have_no_column():
    encoder = SequenceOneHotEncoder(unknown="mask").fit(VARIANTS)
    rows = encoder.transform(["WWWW", "MK<mask>A", "mkta", "MKTX"])
    assert rows.sum(axis=1).tolist() == [0, 2, 2, 1]
    masked = SequenceOneHotEncoder().fit(["MK", "M<mask>"])
    assert masked.get_feature_names_out().tolist() == ["site2_<", "site2_K"]


def test_it_is_a_step_of_pipelines_and_unions():
    X, y = load_if1_ecoli(return_X_y=True)
    union = FeatureUnion([("one_hot", SequenceOneHotEncoder()), ("kmers", KmerComposition())])
    scores = cross_val_score(make_pipeline(union, Ridge()), X[::3], y[::3], error_score="raise")
    assert np.isfinite(scores).all()
    table = (
        SequenceOneHotEncoder()
        .set_output(transform="pandas")
        .fit_transform(pd.Series(VARIANTS, index=list("abcd")))
    )
    assert table.columns[0] == "site2_K"


def test_what_cannot_be_encoded_is_said():
    with pytest.raises(ValueError, match=r"^All 2 sequences are equal, so there is nothing to enc"):
        SequenceOneHotEncoder().fit(["MK", "MK"])
    with pytest.raises(NotFittedError):
        SequenceOneHotEncoder().transform(["MK"])
    with pytest.raises(ValueError, match=r"^Record 0 .* has 2 residues, but those of the fit "):
        SequenceOneHotEncoder().fit(VARIANTS).transform(["MK"])
