"""Tables of text with embeddings: columns by their names, the others as they are written."""

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist.sequences import _text_embeddings
from sklearn_revdist.sequences._text_embeddings import holds_embeddings, open_text_embeddings
from sklearn_revdist.tables._columns import Choice

NAMES = [f"mine_{j}" for j in range(20)]


def choose(columns):
    return Choice(NAMES, NAMES)


@pytest.fixture
def frame(rng):
    frame = pd.DataFrame(rng.normal(size=(11, 20)), columns=NAMES).round(9).sort_index(axis=1)
    return frame.assign(rep_1="0.50", name=[f"{i:03}" for i in range(11)])


@pytest.mark.parametrize("file", ["x.csv", "x.csv.gz", "x.tsv", "x.xlsx"])
def test_rows_are_read_in_batches_and_labels_keep_their_text(tmp_path, monkeypatch, frame, file):
    monkeypatch.setattr(_text_embeddings, "_CELLS", 3 * 22)
    path, name = tmp_path / file, "tsv" if file.endswith("tsv") else "csv"
    if file == "x.xlsx":
        frame.to_excel(path, index=False)
    else:
        frame.to_csv(path, index=False, sep="\t" if name == "tsv" else ",")
    table = open_text_embeddings(path, name, choose)
    assert (table.n_rows, table.n_columns, table.columns) == (11, 20, NAMES)
    for _ in range(2):  # from the beginning each time
        batches = list(table.batches())
        assert [len(batch.rows) for batch in batches] == [3, 3, 3, 2]
        np.testing.assert_array_equal(np.vstack([b.rows for b in batches]), frame[NAMES])
        for label in ("name", "rep_1"):
            found = np.concatenate([batch.labels[label] for batch in batches])
            assert found.tolist() == frame[label].tolist()


@pytest.mark.parametrize("cell", ["", "n.d.", "1,5"])
def test_a_cell_that_is_no_number_is_named(tmp_path, frame, cell):
    frame = frame.astype(object)
    frame.loc[4, "mine_7"] = cell
    frame.to_csv(tmp_path / "x.csv", index=False)
    message = rf"x\.csv', line 6, has '{cell}' in column 'mine_7', which is not a number; embed"
    with pytest.raises(ValueError, match=message):
        list(open_text_embeddings(tmp_path / "x.csv", "csv", choose).batches())


@pytest.mark.parametrize(
    ("columns", "models", "holds"),
    [
        (["sequence", "rep_1", "rep_2"], [], False),
        (["rep_1", "rep_2", "rep_3"], [], False),
        (["name", "fitness"], [], False),
        ([*NAMES, "name"], [], True),
        ([*NAMES, "sequence"], [], False),
        ([*NAMES, "sequence"], ["mine"], True),
        (["sequence", "8M_0", "8M_1"], [], True),
        (["sequence", *(f"esm2_t6_8M_UR50D_layer3_max_{j}" for j in range(9))], [], True),
    ],
)
def test_what_holds_embeddings_is_told_by_the_header(tmp_path, columns, models, holds):
    (tmp_path / "x.csv").write_text(",".join(columns) + "\n")
    assert holds_embeddings(tmp_path / "x.csv", "csv", "sequence", models) is holds
