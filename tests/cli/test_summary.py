"""The printed summary: what is fitted on the same data is together, and so are the wins."""

import pandas as pd

from sklearn_revdist import mean_scores, win_rates
from sklearn_revdist.cli._summary import print_summary

MODELS = ["esm2_t6_8M_UR50D", "esm2_t12_35M_UR50D"]
SCORES = {
    (0, "plain", ""): 0.2,
    (0, "distilled", "natural"): 0.2,
    (1, "plain", ""): 0.4,
    (1, "concat", ""): 0.5,
    (1, "distilled", "natural"): 0.45,
    (1, "concat_pca", "natural"): 0.40,
    (1, "distilled", "fold"): 0.3,
    (1, "concat_pca", "fold"): 0.44,
    (None, "one_hot", "fold"): 0.6,
}


def scores(n_tasks):
    rows = [
        (str(task), "" if size is None else MODELS[size], *what, 9, score)
        for task in range(n_tasks)
        for (size, *what), score in SCORES.items()
    ]
    columns = ["task", "model", "representation", "fitted_on", "n_columns", "score"]
    kind = {"rows": "proteins", "metric": "spearman", "split": "random", "subset": "all"}
    return pd.DataFrame(rows, columns=columns).assign(**kind)


def summary(capsys, n_tasks):
    table = scores(n_tasks)
    print_summary(mean_scores(table), win_rates(table))
    return capsys.readouterr().out


MEANS = """
Mean spearman of {} (proteins, random split):
                                 8M    35M
not fitted
  plain                       0.200  0.400
  concat                             0.500
fitted on natural data
  distilled                   0.200  0.450
  concat_pca                         0.400
fitted on each training fold
  distilled                   0.200  0.300
  concat_pca                         0.440
without a model: one_hot 0.600
"""
WINS = """
Tasks won (from six on their share, and its 95 % interval) over what is fitted on the
same data or not at all, and over what needs no model:
                                                  35M
plain, over
  the next smaller one                         2 of 2
distilled, fitted on natural data, over
  plain                                        2 of 2
  concat_pca                                   2 of 2
  concat                                       0 of 2
  one_hot                                      0 of 2
  the next smaller one                         2 of 2
distilled, fitted on each training fold, over
  plain                                        0 of 2
  concat_pca                                   0 of 2
  concat                                       0 of 2
  one_hot                                      0 of 2
  the next smaller one                         2 of 2
"""


def test_a_summary_reads_as_expected(capsys):
    assert summary(capsys, 1) == MEANS.format("1 task")
    assert summary(capsys, 2) == MEANS.format("2 tasks") + WINS


def test_six_tasks_have_shares_with_intervals(capsys):
    lines = summary(capsys, 6).splitlines()
    at = lines.index("distilled, fitted on natural data, over")
    assert lines[at + 1].split(maxsplit=1) == ["plain", "1.000 [1.000, 1.000]"]
    assert lines[at + 4].split(maxsplit=1) == ["one_hot", "0.000 [0.000, 0.000]"]
