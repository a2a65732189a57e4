"""CSV holds the text of labels and all digits of numbers, and the same rows give the same bytes."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_revdist.sequences._text_tables import open_rows
from sklearn_revdist.tables._files import writing

# What text tables may hold; carriage returns too, but Python's own reader joins them to newlines.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(texts=st.lists(TEXTS, min_size=1), header=TEXTS.filter(str.strip))
def test_text_comes_back_exactly(tmp_path, texts, header):
    rows = np.ones((len(texts), 1))
    with writing(tmp_path / "x.csv", ["n"]) as write:
        write({header: np.array(texts, dtype=object)}, rows)
    with open_rows(tmp_path / "x.csv", {}) as table:
        assert [row for _, row in table.cells(table.columns)] == [[text, "1.0"] for text in texts]
        assert table.columns == [header.strip(), "n"]


@pytest.mark.usefixtures("three_rows_per_batch")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("file", ["x.csv", "x.csv.gz"])
def test_numbers_come_back_exactly(tmp_path, rng, write, dtype, file):
    rows = (10 ** rng.uniform(-4, 4, size=(23, 5))).astype(dtype)
    labels = {
        "gapped": np.array(["a", None, "c"] * 7 + ["d", "e"], dtype=object),
        "half": np.append(np.arange(22) / 2, np.nan),
        "count": np.arange(23, dtype=np.int8),
        "list": np.array([*[[1, 2]] * 22, None], dtype=object),
    }
    frame = pd.read_csv(write(tmp_path / file, rows, labels), dtype=str, keep_default_na=False)
    assert [*frame] == [*labels, *(f"model_{j}" for j in range(5))]
    np.testing.assert_array_equal(frame.iloc[:, 4:].astype(float).astype(dtype), rows)
    assert frame["half"].tolist() == [*(str(i / 2) for i in range(22)), ""]
    assert frame["count"].tolist() == [str(i) for i in range(23)]
    assert frame["gapped"].tolist() == ["a", "", "c"] * 7 + ["d", "e"]
    assert frame["list"].tolist() == ["[1, 2]"] * 22 + [""]


def test_compressed_bytes_depend_on_the_rows_alone(tmp_path, rng, write):
    rows = rng.normal(size=(9, 5))
    plain = write(tmp_path / "x.csv", rows, {}, sizes=())
    first = write(tmp_path / "x.csv.gz", rows, {}, sizes=())
    again = write(tmp_path / "other.CSV.GZ", rows, {}, sizes=(4,))
    assert first.read_bytes() == again.read_bytes()
    assert gzip.decompress(first.read_bytes()) == plain.read_bytes()
