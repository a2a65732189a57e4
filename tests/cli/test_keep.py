"""Columns of a table travel through embed, transform and score, and disturb none of them."""

import csv
import gzip
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from sklearn_revdist import ESMEmbedder, ReverseDistiller
from sklearn_revdist.cli._endings import INPUT
from sklearn_revdist.embedding._inference import EmbeddingRun

SEQUENCES = ["MKTAYIAKQRQISF", "GSHMLEK", "W", "GSHMLEK", "MKTAYIAKQR"]
# Text as people have it, of which other readers make numbers, gaps or dates.
TABLE = {
    "name": ["a/../b", "twice", "", "twice", "NA"],
    "sequence": SEQUENCES,
    "plate": ["007", "1e5", "NA", "", "1.50"],
    "note": ['said "x",\nthen', " padded ", "é", "=1+1", "2026-11-30"],
    "rep_0": ["0.10", "1", "2", "3", "4"],
    "rep_1": ["0.20", "1", "2", "3", "4"],
}
MODELS = ("-m", "demo-96")


def cells(path):
    """Columns of a CSV file, as Python's own reader reads them."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def numbers(frame):
    return np.array([v for k, v in frame.items() if k.startswith("esm2_")], dtype=float).T


@pytest.fixture(scope="module")
def expected():
    return ESMEmbedder("demo-96").transform(SEQUENCES)


@pytest.fixture
def _inputs(tmp_path):
    pd.DataFrame(TABLE).to_csv(tmp_path / "x.csv", index=False, quoting=csv.QUOTE_ALL)


@pytest.mark.usefixtures("_inputs")
@pytest.mark.parametrize("file", ["y.csv", "y.csv.gz"])
def test_text_in_csv_stays_as_it_is(in_process, tmp_path, expected, monkeypatch, file):
    monkeypatch.setattr("sklearn_revdist.cli._sequence_inputs._SEQUENCES", 20)
    ended = in_process("embed", "x.csv", *MODELS, "--keep", "all", "-o", file)
    assert ended.code == 0, ended.err
    found = cells(tmp_path / file)
    assert {column: found[column] for column in TABLE} == TABLE
    assert list(found)[:6] == list(TABLE)
    np.testing.assert_array_equal(numbers(found).astype(np.float32), expected)
    # in the order in which they are asked for
    in_process("embed", "x.csv", *MODELS, "--keep", "note", "--keep", "plate", "-o", file)
    assert list(cells(tmp_path / file))[:4] == ["name", "note", "plate", "esm2_t3_100K_demo_0"]


@pytest.mark.usefixtures("_inputs")
def test_parquet_has_strings_of_text_and_the_types_of_parquet(in_process, tmp_path, expected):
    ended = in_process("embed", "x.csv", *MODELS, "--keep", "all", "-o", "y.parquet")
    assert ended.code == 0, ended.err
    table = parquet.read_table(tmp_path / "y.parquet")
    assert {name: str(table.schema.field(name).type) for name in TABLE} == dict.fromkeys(
        TABLE, "string"
    )
    assert table.select([*TABLE]).to_pydict() == TABLE
    typed = {
        "day": pa.array([20000, None, 3, 4, 5], pa.date32()),
        "count": pa.array([1, 2, None, 4, 5], pa.int8()),
        "rep_0": pa.array([0.5, 1, 2, 3, None], pa.float32()),
    }
    parquet.write_table(pa.table({"sequence": SEQUENCES, **typed}), tmp_path / "t.parquet")
    keep = [f"--keep={name}" for name in typed]
    ended = in_process("embed", "t.parquet", *MODELS, *keep, "-o", "z.parquet", "--residues")
    assert ended.code == 0, ended.err
    rows = parquet.read_table(tmp_path / "z.parquet")
    assert rows.column_names[:6] == ["name", "record", "position", *typed]
    for name, column in typed.items():
        repeated = column.take(pa.array(np.repeat(range(5), [*map(len, SEQUENCES)])))
        assert rows[name].combine_chunks().equals(repeated)


@pytest.mark.usefixtures("_inputs")
@pytest.mark.filterwarnings("ignore:.*(fewer than its|beyond the numerical rank)")
@pytest.mark.parametrize("file", ["y.csv", "y.csv.gz", "y.parquet"])
def test_later_commands_find_the_embedding_and_copy_the_rest(
    in_process, tmp_path, monkeypatch, file, expected
):
    """Replicates are numbered like columns of a model, and sequences stand beside."""
    demo = ReverseDistiller.from_pretrained("demo").truncate("demo-96")
    in_process("embed", "x.csv", *MODELS, "--keep", "all", "-o", file)
    monkeypatch.setattr(EmbeddingRun, "embed", pytest.fail)  # nothing is to be embedded
    for keep, columns in [((), [*TABLE]), (("--keep", "plate"), ["name", "plate"])]:
        ended = in_process("transform", "demo", file, "-n", "demo-96", *keep, "-o", "z.csv")
        assert ended.code == 0, ended.err
        found = cells(tmp_path / "z.csv")
        assert list(found)[: len(columns)] == columns
        assert {column: found[column] for column in columns} == {c: TABLE[c] for c in columns}
        nested = demo.transform(expected)
        assert numbers(found).shape == nested.shape
        tolerance = 1e-5 * np.abs(nested).max()
        np.testing.assert_allclose(numbers(found), nested, rtol=0, atol=tolerance)
    ended = in_process("fit", file, "-o", "e.safetensors")
    assert ended.code == 0, ended.err
    assert "fitted on 5 rows" in ended.err


@pytest.mark.usefixtures("_inputs")
def test_sequences_are_nested_with_columns_beside(in_process, tmp_path):
    ended = in_process("transform", "demo", "x.csv", "-n", "50", "--keep", "all", "-o", "y.csv.gz")
    assert ended.code == 0, ended.err
    found = cells(tmp_path / "y.csv.gz")
    assert {column: found[column] for column in TABLE} == TABLE
    assert list(found)[6:] == [
        *(f"esm2_t3_100K_demo_{j}" for j in range(48)),
        *(f"esm2_t4_500K_demo_residual_{j}" for j in range(2)),
    ]


@pytest.mark.usefixtures("_inputs")
def test_csv_to_standard_output(in_process, tmp_path):
    ask = ("embed", "x.csv", *MODELS, "--keep", "plate", "-o")
    ended = in_process(*ask, "-", "--output-format", "csv")
    assert ended.code == 0, ended.err
    assert in_process(*ask, "y.csv").code == 0
    assert ended.out == (tmp_path / "y.csv").read_bytes()


@pytest.mark.parametrize("file", ["s.csv", "s.parquet"])
def test_scores_have_columns_beside(in_process, tmp_path, file):
    frame = pd.DataFrame({"mutant": ["K2R", "T3A"], "plate": ["007", "1e5"], "dose": [1, 2]})
    frame.to_csv(tmp_path / "m.csv", index=False)
    frame.to_parquet(tmp_path / "m.parquet")
    how = ("--mutant-column", "mutant", "--reference", "MKTAY", "-m", "demo-48", "-q")
    for source in ("m.csv", "m.parquet"):
        ended = in_process("score", source, *how, "--keep", "all", "-o", file)
        assert ended.code == 0, ended.err
        score = "esm2_t3_100K_demo_masked_marginals"
        if file == "s.csv":
            found = cells(tmp_path / file)
            assert list(found) == ["name", "mutant", "plate", "dose", score]
            assert found["plate"] == ["007", "1e5"]
        else:
            table = parquet.read_table(tmp_path / file)
            assert str(table["dose"].type) == ("int64" if source == "m.parquet" else "string")
            assert table["mutant"].to_pylist() == ["K2R", "T3A"]


@pytest.mark.usefixtures("_inputs")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("embed", "x.csv", *MODELS, "--keep=a", "-o", "y.h5"), 2, "hdf5 has no place for; write"),
        (("embed", "x.csv", *MODELS, "--keep=a", "-o", "y.npy"), 2, "npy has no place for; write"),
        (("embed", "x.csv", *MODELS, "--keep=a", "-o", "y.db"), 2, "A store holds no columns of"),
        (("embed", "x.fa", *MODELS, "--keep=a", "-o", "y.csv"), 2, "read as FASTA; leave it out"),
        (("embed", "x.csv", *MODELS, "--keep=a", "-o", "y.csv"), INPUT, "has no column 'a' but"),
        (
            ("embed", "x.csv", *MODELS, "--keep=all", "--name-column=plate", "-o", "y.csv"),
            2,
            "The output has a column 'name' of its own, so that the one of the input cannot be",
        ),
        (
            ("embed", "c.csv", *MODELS, "--keep=esm2_t4_500K_demo_95", "-o", "y.csv"),
            2,
            "The output has a column 'esm2_t4_500K_demo_95' of its own",
        ),
        (
            ("embed", "c.csv", *MODELS, "--residues", "--keep=position", "-o", "y.csv"),
            2,
            "The output has a column 'position' of its own",
        ),
        (("transform", "demo", "x.fa", "--keep=all", "-o", "y.csv"), 2, "read as FASTA"),
        (("transform", "demo", "x.npy", "--keep=a", "-o", "y.csv"), INPUT, "'a' beside its embed"),
        (("transform", "demo", "x.npy", "--keep=a", "-o", "y.h5"), 2, "hdf5 has no place for"),
        (("transform", "demo", "x.parquet", "-o", "y.csv"), 2, "demo_residual_7' of its own"),
        (("score", "--all-singles", "--reference=MK", "--keep=a"), 2, "--all-singles reads none"),
        (("score", "x.fa", "--reference=MKT", "--keep=a", *MODELS), 2, "read as FASTA"),
        (("score", "c.csv", "--reference=MKT", "--keep=all", *MODELS), 2, "column 'mutant' of its"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_the_work(
    in_process, tmp_path, monkeypatch, arguments, code, message
):
    monkeypatch.setattr(EmbeddingRun, "embed", pytest.fail)
    (tmp_path / "x.fa").write_text(">a\nMKT\n")
    (tmp_path / "c.csv").write_text("sequence,position,mutant,esm2_t4_500K_demo_95\nMKT,1,K2R,0\n")
    rows = np.ones((4, 304))
    np.save(tmp_path / "x.npy", rows)
    names = ESMEmbedder("demo").get_feature_names_out()
    frame = pd.DataFrame(rows, columns=names).assign(esm2_t4_500K_demo_residual_7=1.0)
    frame.to_parquet(tmp_path / "x.parquet")
    ended = in_process(*arguments)
    assert ended.code == code, ended.err
    assert message in ended.err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("y.")]
