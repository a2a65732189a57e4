"""Reliability: the probability that a transferred label is right, from the neighbours' distances.

A label is more often right if its nearest neighbour is near, if the nearest neighbour of another
label is much farther away, and if neighbours agree. A logistic regression on these three, fitted to
training rows whose own group was left out of the search, turns them into a probability.
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

# Distances below this share of the usual one count as this share.
_LEAST = 1e-3


class Reliability(NamedTuple):
    """A fitted calibration.

    Attributes
    ----------
    share : float
        Share of right labels, with one right and one wrong row added.
    model : Pipeline or None
        None if all labels of the fit were right, or all wrong.
    """

    share: float
    model: Pipeline | None

    @classmethod
    def of(cls, evidence: NDArray[np.float64], is_right: NDArray[np.bool_]) -> Self:
        """Fit to rows whose labels are known.

        Parameters
        ----------
        evidence : ndarray of shape (n_rows, 3), float64
            As :func:`evidence_of` returns it.
        is_right : ndarray of shape (n_rows,), bool
            Whether the transferred label was right.

        Returns
        -------
        reliability : Reliability
        """
        share = float((is_right.sum() + 1) / (len(is_right) + 2))
        model = None
        if 0 < is_right.sum() < len(is_right):
            model = make_pipeline(StandardScaler(), LogisticRegression()).fit(evidence, is_right)
        return cls(share, model)

    def probability(self, evidence: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability that each label is right."""
        if self.model is None or len(evidence) == 0:
            return np.full(len(evidence), self.share)
        return self.model.predict_proba(evidence)[:, 1]


def evidence_of(
    distances: NDArray[np.float64], agrees: NDArray[np.bool_], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Collect what speaks for a label.

    Parameters
    ----------
    distances : ndarray of shape (n_queries, n_neighbors), float64
        Ascending, in units of the distance that is usual between nearest neighbours; infinite where
        there is none.
    agrees : ndarray of shape (n_queries, n_neighbors), bool
        Whether the neighbour has the label.
    share : ndarray of shape (n_queries,), float64
        Share of the votes that the label has.

    Returns
    -------
    evidence : ndarray of shape (n_queries, 3), float64
        Logarithm of the distance to the nearest neighbour with the label, the same less that of the
        nearest one with another label (or of the farthest neighbour, if all agree), and `share`.
    """
    found = np.isfinite(distances)
    farthest = np.max(distances, axis=1, where=found, initial=0)
    logs = []
    for which in (agrees, ~agrees):
        nearest = np.min(distances, axis=1, where=found & which, initial=np.inf)
        logs.append(np.log(np.maximum(np.minimum(nearest, farthest), _LEAST)))
    return np.column_stack([logs[0], logs[0] - logs[1], share])
