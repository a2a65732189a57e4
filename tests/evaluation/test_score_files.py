"""Files of scores: what is read is what was written."""

import numpy as np
import pandas as pd

from sklearn_revdist.evaluation._score_files import read_scores, write_scores


def test_a_table_comes_back_as_it_was_written(tmp_path):
    table = pd.DataFrame(
        {
            "task": ["NA", "b"],
            "subset": ["1", "all"],
            "fitted_on": ["", "fold"],
            "n_columns": [4, 8],
            "score": [0.123456, np.nan],
            "score_std": [0.5, 0.25],
            "penalty": [np.nan, 1e-2],
        }
    )
    write_scores(table, tmp_path / "t.csv")
    pd.testing.assert_frame_equal(read_scores(tmp_path / "t.csv"), table)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
