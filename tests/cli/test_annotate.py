"""The command `revdist annotate`: what AnnotationTransferClassifier says, and where labels are."""

import io

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import (
    AnnotationTransferClassifier,
    ESMEmbedder,
    ReverseDistiller,
    embed_to_parquet,
)
from sklearn_revdist.cli._endings import INPUT, OUTPUT

COLUMNS = ["query", "label", "reliability", "share", "target", "distance", "n_neighbors"]
VOTES = ["query", "rank", "target", "distance", "label", "weight"]
N_TARGETS, N_QUERIES = 40, 6


def fasta(records):
    return "".join(f">{name}\n{sequence}\n" for name, sequence in records)


def table_of(ended):
    assert ended.code == 0, ended.err
    return pd.read_csv(io.BytesIO(ended.out), sep="\t", keep_default_na=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with labelled sequences of two kinds and queries, and their embeddings."""
    folder, rng = tmp_path_factory.mktemp("made"), np.random.default_rng(0)
    kinds = ["AVLIMFWC", "DEKRNQST"]  # of either kind are two thirds of the residues
    labels = np.resize(["buried", "exposed"], N_TARGETS + N_QUERIES)

    def drawn(i):
        residues = 2 * kinds[i % 2] + kinds[(i + 1) % 2]
        return "".join(rng.choice(list(residues), 20))

    table = pd.DataFrame(
        {
            "name": [f"sp|P{i:05}|X{i} OS=Homo sapiens GN={x} PE=1" for i, x in enumerate(labels)],
            "sequence": [drawn(i) for i in range(len(labels))],
            "label": labels,
            "family": [f"f{i // 4}" for i in range(len(labels))],
        }
    )
    rows = ESMEmbedder("demo").set_output(transform="pandas").transform(table["sequence"].tolist())
    for name, part in (("db", slice(N_TARGETS)), ("q", slice(N_TARGETS, None))):
        records = table[part]
        (folder / f"{name}.fasta").write_text(
            fasta(zip(records["name"], records["sequence"], strict=True))
        )
        records.to_csv(folder / f"{name}.csv", index=False)
        rows[part].assign(**records).to_parquet(folder / f"{name}.parquet")
    table["name"].str[3:9].to_frame("Entry").assign(label=labels, family=table["family"])[
        :N_TARGETS
    ].to_csv(folder / "labels.csv", index=False)
    return folder, table, rows


@pytest.fixture
def annotate(in_process, made):
    """Annotate files that were made; names without a file are options."""
    folder, _, _ = made

    def run(*arguments):
        given = [
            folder / argument if (folder / str(argument)).exists() else argument
            for argument in arguments
        ]
        return in_process("annotate", *given)

    return run


def expected_of(made, X=None, targets=slice(N_TARGETS), groups=None, **how):
    """What the classifier says of the queries: annotations, and neighbours."""
    _, table, rows = made
    X = rows.iloc[:, -160:].to_numpy() if X is None else X
    names = table["name"].to_numpy()
    asked, known = X[N_TARGETS:], X[:N_TARGETS][targets]
    model = AnnotationTransferClassifier(**how)
    model.fit(
        pd.DataFrame(known, index=names[:N_TARGETS][targets]).rename(columns=str),
        table["label"][:N_TARGETS][targets],
        groups=groups,
    )
    asked = pd.DataFrame(asked, index=names[N_TARGETS:]).rename(columns=str)
    distances, nearest = model.kneighbors(asked, 1)
    votes = model.neighbors_table(asked).rename(columns={"neighbor": "target"})
    annotations = pd.DataFrame(
        {
            "query": names[N_TARGETS:],
            "label": model.predict(asked),
            "reliability": model.reliability(asked),
            "share": model.predict_proba(asked).max(axis=1),
            "target": names[:N_TARGETS][targets][nearest[:, 0]],
            "distance": distances[:, 0],
            "n_neighbors": [(votes["query"] == name).sum() for name in names[N_TARGETS:]],
        }
    )
    return annotations, votes


def assert_same(found, expected, columns=COLUMNS, rtol=1e-4):
    """The same, up to rounding in single precision and in the digits that are written."""
    assert found.columns.tolist() == columns
    pd.testing.assert_frame_equal(found, expected[columns], check_dtype=False, rtol=rtol, atol=rtol)


def test_annotations_are_those_of_the_estimator_on_the_same_rows(annotate, made):
    ask = ("db.parquet", "q.parquet", "--labels", "labels.csv")
    for options, how in (
        ([], {}),
        (["-k", 3], {"n_neighbors": 3}),
        (["-k", 100], {"n_neighbors": 100}),
        (["--metric", "cosine"], {"metric": "cosine"}),
    ):
        expected = expected_of(made, **how)
        found = table_of(annotate(*ask, *options, "--neighbors", "votes.csv"))
        assert_same(found, expected[0])
        assert_same(pd.read_csv("votes.csv"), expected[1], VOTES)
        assert set(found["label"]) == {"buried", "exposed"}


def test_groups_are_left_out_of_the_calibration_together(annotate, made):
    groups = made[1]["family"][:N_TARGETS].tolist()
    ask = ("--group-column", "family", "-k", 3)
    found = table_of(annotate("db.csv", "q.parquet", "--label-column", "label", *ask))
    assert_same(found, expected_of(made, groups=groups, n_neighbors=3)[0])
    careless = expected_of(made, n_neighbors=3)[0]["reliability"]
    assert np.abs(found["reliability"] - careless).max() > 0.01
    table = pd.read_csv(made[0] / "labels.csv")
    table.loc[::2, "family"] = ""  # each by itself
    table.to_csv("alone.csv", index=False)
    groups[::2] = [f"alone {i}" for i in range(0, N_TARGETS, 2)]
    found = table_of(annotate("db.parquet", "q.parquet", "--labels", "alone.csv", *ask))
    assert_same(found, expected_of(made, groups=groups, n_neighbors=3)[0])


@pytest.mark.parametrize("database", ["db.fasta", "db.csv", "db.parquet"])
def test_labels_of_a_table_of_columns_and_of_headers_are_the_same(annotate, made, database):
    expected = expected_of(made)[0]
    sources = [["--labels", "labels.csv"], ["--label-from-header", "GN="]]
    if database != "db.fasta":
        sources.append(["--label-column", "label"])
    for source in sources:
        model = ["-m", "demo"] if database != "db.parquet" else []
        assert_same(table_of(annotate(database, "q.fasta", *source, *model)), expected)


def test_a_folder_of_distinct_rows_has_labels_of_all_its_records(in_process, made, tmp_path):
    folder, table, rows = made
    records = table[: N_TARGETS // 2]
    names = [*records["name"], *("copy " + records["name"])]
    embed_to_parquet(ESMEmbedder("demo"), 2 * records["sequence"].tolist(), "twice", names=names)
    labels = [*records["label"], *["copied"] * len(records)]
    pd.DataFrame({"name": names, "label": labels}).to_csv("labels.csv", index=False)
    ask = ("twice", folder / "q.fasta", "--labels", "labels.csv", "-k", 1)
    ended = in_process("annotate", *ask, "--neighbors", "votes.csv")
    found = table_of(ended)
    assert "by 40 sequences with 3 labels" in ended.err
    X = rows.iloc[:, -160:].to_numpy()
    model = AnnotationTransferClassifier(1)
    model.fit(np.vstack([X[: len(records)]] * 2), labels)
    np.testing.assert_allclose(found["reliability"], model.reliability(X[N_TARGETS:]), rtol=1e-3)
    assert set(found["label"]) <= {"buried", "exposed"}  # the first of equally distant ones


@pytest.mark.parametrize("suffix", [".tsv", ".xlsx", ".parquet"])
def test_tables_of_labels_have_many_formats_and_ways_to_name_a_sequence(
    annotate, made, tmp_path, suffix
):
    names = made[1]["name"][:N_TARGETS].tolist()
    names[1::3] = [name.split()[0] for name in names[1::3]]
    names[2::3] = [name.split("|")[1] for name in names[2::3]]
    labels = made[1]["label"][:N_TARGETS]
    table = pd.DataFrame({"class": labels, "id": names})
    table = pd.concat([table, table[:5], pd.DataFrame({"class": ["x"], "id": ["unknown"]})])
    path = tmp_path / f"labels{suffix}"
    if suffix == ".tsv":
        table.to_csv(path, sep="\t", index=False)
    else:
        getattr(table, {".xlsx": "to_excel", ".parquet": "to_parquet"}[suffix])(path, index=False)
    ask = ("db.parquet", "q.parquet", "--labels", path, "--label-column", "class")
    ended = annotate(*ask, "--label-name-column", "id")
    assert_same(table_of(ended), expected_of(made)[0])
    assert f"Not in the database: 1 of the names of '{path}'\n" in ended.err
    assert annotate(*ask).code == INPUT  # the first column would hold names


def test_sequences_without_a_label_are_left_out_and_counted(annotate, made):
    table = pd.read_csv(made[0] / "labels.csv")
    table.loc[::4, "label"] = ["", "NA"] * 5
    table.drop(index=[1, 2]).to_csv("some.csv", index=False)
    left = sorted({*range(N_TARGETS)} - {*range(0, N_TARGETS, 4), 1, 2})
    ended = annotate("db.parquet", "q.parquet", "--labels", "some.csv")
    assert_same(table_of(ended), expected_of(made, targets=left)[0])
    assert ended.err.startswith("12 of 40 sequences of the database have no label\n6 of 6 queries")
    mine = pd.read_parquet(made[0] / "db.parquet")
    mine.loc[mine.index.difference(left), "label"] = None
    mine.to_parquet("mine.parquet")
    found = table_of(annotate("mine.parquet", "q.parquet", "--label-column", "label"))
    assert_same(found, expected_of(made, targets=left)[0])


def test_whole_numbers_are_classes(annotate, made):
    table = pd.read_csv(made[0] / "labels.csv")
    table["label"] = table["label"].map({"buried": 1, "exposed": 2}).astype("Int64")
    table.loc[0, "label"] = pd.NA
    table.to_parquet("numbers.parquet")
    ended = annotate("db.parquet", "q.parquet", "--labels", "numbers.parquet")
    expected = expected_of(made, targets=slice(1, None))[0]
    expected["label"] = expected["label"].map({"buried": 1, "exposed": 2})
    assert_same(table_of(ended), expected)


def test_labels_that_all_differ_are_those_of_the_nearest_and_not_reliable(annotate):
    found = table_of(annotate("db.parquet", "q.parquet", "--label-column", "name"))
    assert found["label"].tolist() == found["target"].tolist()
    assert (found["reliability"] < 0.1).all()


def test_far_queries_and_unreliable_labels_are_empty(annotate, made):
    ask = ("db.parquet", "q.parquet", "--labels", "labels.csv", "-k", 5, "-o", "x.parquet")
    limit = expected_of(made)[0]["distance"].median()
    expected, votes = expected_of(
        made, n_neighbors=5, max_distance=limit, outlier_label="none of them"
    )
    far = expected["label"] == "none of them"
    assert 0 < far.sum() < N_QUERIES
    expected.loc[far, "share"] = 0  # as many as there are votes
    limits = ("--max-distance", limit, "--neighbors", "votes.parquet", "--json")
    ended = annotate(*ask, *limits, "--outlier-label", "none of them")
    assert ended.code == 0, ended.err
    assert_same(pd.read_parquet("x.parquet"), expected)
    assert_same(pd.read_parquet("votes.parquet"), votes.reset_index(drop=True), VOTES)
    assert ended.json["n_outliers"] == far.sum()
    near = expected["reliability"][~far]
    least = (near.min() + near.max()) / 2
    ended = annotate(*ask, *limits, "--min-reliability", least)
    found = pd.read_parquet("x.parquet")
    empty = far | (expected["reliability"] < least)
    assert found["label"].isna().tolist() == empty.tolist()
    assert found["label"][~empty].tolist() == expected["label"][~empty].tolist()
    assert_same(found, expected.assign(label=found["label"]))
    report = ended.json
    assert report["n_queries"] == N_QUERIES
    assert report["n_annotated"] == (~empty).sum()
    assert report["n_unreliable"] == empty.sum() - far.sum()
    assert report["n_reliable"] == (expected["reliability"][~empty] > 0.9).sum()
    np.testing.assert_allclose(report["mean_reliability"], near[near >= least].mean(), rtol=1e-4)
    assert (report["n_targets"], report["n_labels"]) == (N_TARGETS, 2)


def test_the_report_says_what_to_expect(annotate, made):
    expected = expected_of(made)[0]["reliability"]
    ended = annotate("db.parquet", "q.parquet", "--labels", "labels.csv", "-o", "x.tsv")
    assert ended.out == b""
    assert ended.err.splitlines() == [
        "x.tsv: 6 of 6 queries annotated by 40 sequences with 2 labels, by 160 columns of demo-160",
        f"Expect {expected.mean():.0%} of the labels to be right, the mean reliability; "
        f"{(expected > 0.9).sum()} have one above 0.9",
    ]
    with open("x.tsv", "rb") as file:
        whole = annotate("db.parquet", "q.parquet", "--labels", "labels.csv").out
        assert file.read() == whole


def test_nested_embeddings_are_compared_by_a_prefix(annotate, made):
    nested = ReverseDistiller.from_pretrained("demo").transform(made[2])
    ask = ("db.parquet", "q.fasta", "--label-column", "label", "--distiller", "demo", "-n", 70)
    ended = annotate(*ask)
    assert_same(table_of(ended), expected_of(made, X=nested[:, :70])[0])
    assert "by 70 columns of demo-48 + demo-96" in ended.err


def test_columns_of_the_queries_are_kept(annotate, made):
    queries = made[1][N_TARGETS:].assign(mass=[1, None, 3, 4, 5, 6], old=np.arange(6))
    queries = queries.drop(columns=["label", "family"])
    queries.to_csv("queries.csv", index=False)
    queries.to_parquet("queries.parquet")
    for file, kinds in (("queries.csv", "OO"), ("queries.parquet", "fi")):
        ask = ("db.parquet", file, "--labels", "labels.csv", "--keep", "mass", "--keep", "old")
        assert_same(table_of(annotate(*ask))[COLUMNS], expected_of(made)[0])
        assert annotate(*ask, "-o", "x.parquet").code == 0
        found = pd.read_parquet("x.parquet")
        assert found.columns.tolist() == [*COLUMNS, "mass", "old"]
        assert found["old"].astype(int).tolist() == list(range(6))
        assert "".join(found[column].dtype.kind for column in ("mass", "old")) == kinds


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "Say where labels are: in a table (--labels), in a column of DATABASE"),
        (("--label-from-header", "GN", "--labels", "labels.csv"), 2, "leave out --labels"),
        (("--label-column", "label", "--label-name-column", "id"), 2, "of --labels; give that, t"),
        (("--labels", "none.csv"), INPUT, "There is no file or folder 'none.csv'"),
        (("--labels", "labels.csv", "--label-column", "no"), INPUT, "no column 'no' but 'Entry'"),
        (("--labels", "labels.csv", "--group-column", "no"), INPUT, "groups (--group-column)"),
        (("--labels", "labels.csv", "--group-column", "label"), INPUT, "are not different ones"),
        (("--label-column", "none"), INPUT, "holds labels (--label-column)"),
        (("--label-from-header", "FAM"), INPUT, "No record of the database has a 'FAM' in its he"),
        (("--labels", "two.csv"), INPUT, "'b' has the label 'y', but 'x' in 'two.csv', line 3; k"),
        (("--labels", "others.csv"), INPUT, "None of the names of 'others.csv', such as 'nobody'"),
        (("--labels", "empty.csv"), INPUT, "'label' of 'empty.csv' has no label; name another"),
        (("--labels", "measured.csv"), INPUT, "transfers classes; train a model on what was meas"),
        (("--labels", "labels.csv", "--neighbors", "-"), 2, "--neighbors needs a file of its own"),
        (("--labels", "labels.csv", "--neighbors", "x.txt"), 2, "ends in none of .tsv, .csv"),
        (("--labels", "labels.csv", "--neighbors", "no/x.csv"), OUTPUT, "There is no folder"),
        (("--labels", "labels.csv", "--outlier-label", "x"), 2, "Without --max-distance all quer"),
        (("--labels", "labels.csv", "--keep", "a"), 2, "holds embeddings; leave it out"),
        (("--labels", "labels.csv", "--json"), 2, "Standard output takes the annotations; leave"),
    ],
)
def test_errors_are_one_sentence_and_change_nothing(annotate, tmp_path, arguments, code, message):
    (tmp_path / "two.csv").write_text("name,label\na,x\nb,x\nb,\nb,y\n")
    (tmp_path / "others.csv").write_text("name,label\nnobody,x\n")
    (tmp_path / "empty.csv").write_text("name,label\nb,\n")
    measured = "".join(f"n{i},{i / 7}\n" for i in range(30))
    (tmp_path / "measured.csv").write_text(f"name,label\n{measured}")
    before = sorted(path.name for path in tmp_path.iterdir())
    ended = annotate("db.parquet", "q.parquet", *arguments)
    assert ended.code == code, ended.err
    assert message in ended.err
    assert ended.out == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_labels_are_checked_before_a_database_is_embedded(annotate, tmp_path):
    (tmp_path / "others.csv").write_text("name,label\nnobody,x\n")
    ask = ("db.fasta", "q.fasta", "-m", "demo", "-o", "x.tsv")  # x.tsv.unfinished.sqlite would stay
    for labels in (("--labels", "others.csv"), ("--label-from-header", "FAM")):
        assert annotate(*ask, *labels).code == INPUT
        assert [path.name for path in tmp_path.iterdir()] == ["others.csv"]


def test_a_column_of_labels_is_one_of_a_table(annotate):
    ended = annotate("db.fasta", "q.fasta", "--label-column", "label", "-m", "demo")
    assert ended.code == 2
    assert "is not a table (CSV, TSV, Excel or Parquet) with a column of labels" in ended.err


def test_a_header_with_two_values_is_refused(in_process, tmp_path):
    (tmp_path / "x.fasta").write_text(">a GN=x GN=y\nMKT\n>b GN=x\nGSH\n")
    ask = ("x.fasta", "x.fasta", "-m", "demo-48", "--label-from-header", "GN")
    ended = in_process("annotate", *ask, "-q")
    assert ended.code == INPUT
    assert "'a GN=x GN=y' has 2 values of 'GN'; give a table of names and labels" in ended.err
