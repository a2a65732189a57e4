"""Numbers that are not finite are refused by their row and their column, whoever is given them."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_revdist import (
    GroupRidgeCV,
    Moments,
    PrefixNeighbors,
    PrefixRidgeClassifierCV,
    PrefixRidgeCV,
    ReverseDistiller,
)
from sklearn_revdist.matrix._finite import check_finite

AT = (7, 3)


@pytest.fixture
def rows(rng):
    return rng.normal(size=(40, 6))


@pytest.mark.parametrize(
    ("wrong", "what"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")]
)
def test_the_first_is_named(rows, wrong, what):
    rows[AT] = rows[7, 5] = rows[30, 0] = wrong
    message = f"X has {what} in row 7, column 3 (counting from 0); drop the row, or embed it in"
    with pytest.raises(ValueError, match=re.escape(message)):
        check_finite(rows)
    with pytest.raises(ValueError, match=r"^X has \w+ in part 8, column 3 "):
        check_finite(rows, lambda row: f"part {row + 1}")


def test_numbers_whose_sum_overflows_are_finite():
    check_finite(np.full((3, 2), 1.7e308))
    check_finite(np.full((3, 2), 6e4, dtype=np.float16))
    check_finite(np.zeros((0, 4)))


CONTAINERS = {
    "array": np.asarray,
    "single precision": np.float32,
    "objects": lambda rows: rows.astype(object),
    "list": np.ndarray.tolist,
    "frame": lambda rows: pd.DataFrame(rows, columns=[*"abcdef"]),
    "frame with gaps": lambda rows: pd.DataFrame(rows, columns=[*"abcdef"]).convert_dtypes(),
    "tensor": torch.tensor,
}


@pytest.mark.parametrize("contain", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize(
    "take",
    [
        lambda X: Moments.of(X),
        lambda X: ReverseDistiller([2, 4]).fit(X),
        lambda X: ReverseDistiller([2, 4]).partial_fit(X),
        lambda X: PrefixRidgeCV().fit(X, np.arange(40.0)),
        lambda X: PrefixRidgeClassifierCV().fit(X, np.arange(40) % 2),
        lambda X: GroupRidgeCV([0, 0, 0, 1, 1, 1]).fit(X, np.arange(40.0)),
        lambda X: PrefixNeighbors().fit(X).kneighbors(),
    ],
    ids=["moments", "fit", "partial_fit", "ridge", "classifier", "groups", "neighbors"],
)
def test_all_say_where(rows, contain, take, request):
    if "moments-frame with gaps" in request.node.name:
        pytest.skip("Moments.of takes numbers of NumPy's types")
    rows[AT] = np.nan
    with pytest.raises(ValueError, match=r"X has NaN in row 7, column 3 \(counting from 0\)"):
        take(contain(rows))


@pytest.mark.parametrize(
    ("estimator", "method"),
    [
        (ReverseDistiller([2, 4]), "transform"),
        (PrefixRidgeCV(), "predict"),
        (GroupRidgeCV([0, 0, 0, 1, 1, 1]), "predict"),
    ],
)
def test_new_rows_are_checked_as_well(rows, estimator, method):
    estimator.fit(rows, np.arange(40.0))
    rows[AT] = np.inf
    with pytest.raises(ValueError, match="X has infinity in row 7, column 3"):
        getattr(estimator, method)(rows)
