"""The choice among prefixes and penalties, by scores alone."""

import numpy as np

from sklearn_revdist.probes._base import choose


def test_of_equal_scores_the_shortest_prefix_and_the_largest_penalty_win():
    alphas = np.array([1.0, 100.0, 10.0])
    scores = np.array([[0.1, 0.2, 0.1], [0.3, 0.3, 0.3], [0.3, 0.3, 0.3]])
    assert choose(scores, alphas) == (1, 1)
    scores[1] = 0.0
    assert choose(scores, alphas) == (2, 1)
    scores[2, 1] -= 1e-9
    assert choose(scores, alphas) == (2, 2)


def test_rounding_breaks_no_tie():
    scores = np.array([[0.5 - 1e-16, 0.5], [0.5, 0.5 + 1e-15]])
    assert choose(scores, np.array([2.0, 1.0])) == (0, 0)


def test_the_least_score_asked_for_is_met_by_the_shortest_prefix_that_has_it():
    scores = np.array([[0.1, 0.2], [0.6, 0.5], [0.7, 0.8]])
    assert choose(scores, np.array([1.0, 10.0]), least=0.55) == (1, 0)
