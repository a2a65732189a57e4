"""Labels of proteins: tables and FASTA headers become the same task, bad rows are rejected."""

import os
from pathlib import Path

import numpy as np
import pytest

from sklearn_revdist.tasks._proteins import read_labelled_fasta, read_table

SEQUENCES = ["ACDE", "FGHI", "KLMN", "PQRS", "TVWY", "ACAC"]


@pytest.fixture
def table(tmp_path):
    def write(labels, name="t.csv", sequences=SEQUENCES):
        path = tmp_path / name
        rows = [f"{s},{label}" for s, label in zip(sequences, labels, strict=True)]
        path.write_text("\n".join(["sequence,target", *rows]) + "\n")
        return path

    return write


@pytest.fixture
def fasta(tmp_path):
    def write(headers, name="t.fasta", sequences=SEQUENCES):
        path = tmp_path / name
        path.write_text("".join(f">{h}\n{s}\n" for h, s in zip(headers, sequences, strict=True)))
        return path

    return write


def test_numbers_and_classes_are_distinguished(table):
    assert read_table(table(["1.5", "2", "3", "4", "5", "6"])).kind == "regression"
    task = read_table(table(list("aabbab")))
    assert (task.kind, task.rows, task.name) == ("classification", "proteins", "t")
    assert task.sequences == SEQUENCES
    assert task.target.tolist() == list("aabbab")
    assert task.split is None
    assert read_table(table(list("121212")), kind="regression").kind == "regression"


def test_a_file_without_a_header_is_read_by_the_names_given(table, tmp_path):
    path = tmp_path / "plain.tsv"
    path.write_text("".join(f"{s}\t{i % 2}\n" for i, s in enumerate(SEQUENCES)))
    task = read_table(path, columns=["seq", "y"], sequence="seq", target="y", name="mine")
    assert task.name == "mine"
    assert task.target.tolist() == list("010101")


def test_sets_are_files_a_column_or_in_the_headers(table, fasta, tmp_path):
    train = table(list("aabb"), "train.csv", SEQUENCES[:4])
    test = table(list("ab"), "test.csv", SEQUENCES[4:])
    task = read_table({"train": train, "test": test})
    assert task.split.tolist() == ["train"] * 4 + ["test"] * 2
    assert task.name == "train"

    path = tmp_path / "column.csv"
    rows = [f"{s},{'ab'[i % 2]},{'test' if i > 3 else 'valid'}" for i, s in enumerate(SEQUENCES)]
    path.write_text("\n".join(["sequence,target,set", *rows]))
    assert read_table(path, split="set").split.tolist() == ["validation"] * 4 + ["test"] * 2

    headers = [f"p{i} TARGET={i}.5 SET=train VALIDATION={i == 1}" for i in range(6)]
    task = read_labelled_fasta(fasta(headers))
    assert task.target.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert task.split.tolist() == ["train", "validation", *["train"] * 4]


def test_a_retrieval_keeps_labels_that_are_seen_once_and_has_clusters(table, fasta, tmp_path):
    path = tmp_path / "families.csv"
    cells = ["1,x", "1.0,x", "b,", "NA, y", "c,", "c,y"]
    rows = [f"{s},{of}" for s, of in zip(SEQUENCES, cells, strict=True)]
    path.write_text("\n".join(["sequence,target,at_50", *rows]))
    task = read_table(path, cluster="at_50", kind="retrieval")
    assert (task.kind, task.metric) == ("retrieval", "recall@1")
    assert task.target.tolist() == ["1", "1", "b", "NA", "c", "c"]
    same = task.groups()[:, np.newaxis] == task.groups()
    assert np.argwhere(np.triu(same, 1)).tolist() == [[0, 1], [3, 5]]
    headers = [f"p{i} TARGET=family {i}" for i in range(6)]
    assert read_labelled_fasta(fasta(headers), kind="retrieval", metric="map").metric == "map"
    labels = ["a", "A", *"aabb"]
    with pytest.raises(ValueError, match="line 3: class 'A' is written 'a' elsewhere"):
        read_table(table(labels), kind="retrieval")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"kind": "retrieval", "metric": "recall"}, r"t\.csv': metric='recall' is not known; give"),
        ({"kind": "classification", "metric": "map"}, "metric='map' is for retrievals"),
        ({"metric": "aupr"}, "metric='aupr' is for retrievals"),
    ],
)
def test_a_metric_is_that_of_a_retrieval(table, settings, told):
    with pytest.raises(ValueError, match=told):
        read_table(table(list("aabbab")), **settings)


def test_a_target_in_the_header_is_found_by_an_expression(fasta):
    headers = [f"P0{i} {['Nucleus', 'Cell.membrane'][i % 2]}-S test" for i in range(6)]
    task = read_labelled_fasta(fasta(headers), target=r"^\S+ ([A-Z][A-Za-z.]+)-[MSU]")
    assert task.target.tolist() == ["Nucleus", "Cell.membrane"] * 3


@pytest.mark.parametrize(
    ("row", "labels", "message", "reason"),
    [
        ("ACDE", ["1.5"] * 6, "line 7: the sequence of .*line 2, again", "a duplicate"),
        (
            "AXDE",
            ["1.5"] * 6,
            "line 7: the sequence .* 'X' at position 2",
            "unknown letters",
        ),
        ("", ["1.5"] * 6, "line 7: the sequence is empty", "unknown letters"),
        ("ACAC", [*["1.5"] * 5, ""], "line 7: no target", "no score"),
        ("ACAC", [*["1.5"] * 5, "N/A"], "line 7: the target 'N/A' is not a number", "no score"),
        ("ACAC", list("aabbac"), "line 7: class 'c' is seen only", "a class seen only once"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line_or_counted(table, row, labels, message, reason):
    path = table(labels, "labels.csv", [*SEQUENCES[:5], row])
    with pytest.raises(ValueError, match=r"labels\.csv', " + message):
        read_table(path)
    task = read_table(path, skip_invalid=True)
    assert task.excluded == {reason: 1}
    assert task.sequences == SEQUENCES[:5]


def test_a_stop_codon_is_dropped_before_duplicates_are_looked_for(table):
    path = table(["1.5"] * 6, sequences=[*SEQUENCES[:4], f"{SEQUENCES[4]}*", f"{SEQUENCES[0]}*"])
    message = r"t\.csv': 2 of 6 sequences end in"
    with (
        pytest.warns(UserWarning, match=message),
        pytest.raises(ValueError, match=r"line 7: the sequence of .*line 2, again"),
    ):
        read_table(path)
    with pytest.warns(UserWarning, match=message):
        task = read_table(path, skip_invalid=True)
    assert task.sequences == SEQUENCES[:5]


def test_a_bad_record_of_the_second_file_is_named_by_it(fasta):
    train = fasta([f"a{i} TARGET={i % 2}" for i in range(6)], "train.fasta")
    test = fasta(["b0 TARGET=1", "b1"], "test.fasta", ["CCCC", "DDDD"])
    with pytest.raises(ValueError, match=r"test\.fasta', record 2 \(b1\): no target"):
        read_labelled_fasta({"train": train, "test": test})
    task = read_labelled_fasta({"train": train, "test": test}, skip_invalid=True)
    assert task.excluded == {"no score": 1}
    assert len(task.target) == 7


def test_a_row_without_a_set_among_others_is_named(fasta):
    headers = [f"p{i} TARGET={i % 2}{' SET=train' if i else ''}" for i in range(6)]
    with pytest.raises(ValueError, match=r"t\.fasta', record 1 \(p0\): the row is in no set"):
        read_labelled_fasta(fasta(headers))
    task = read_labelled_fasta(fasta(headers), skip_invalid=True)
    assert task.excluded == {"no set": 1}
    assert task.split.tolist() == ["train"] * 5


def test_sets_in_a_column_are_all_known_or_rejected(table, tmp_path):
    path = tmp_path / "column.csv"

    def write(*sets):
        rows = [
            f"{s},{i % 2},{name}" for i, (s, name) in enumerate(zip(SEQUENCES, sets, strict=True))
        ]
        path.write_text("\n".join(["sequence,target,set", *rows]))
        return path

    task = read_table(write("Train", " training", "dev", "VAL ", "TEST", "testing"), split="set")
    assert task.split.tolist() == ["train", "train", "validation", "validation", "test", "test"]
    path = write("train", "train", "holdout", "train", "", "test")
    with pytest.raises(ValueError, match=r"line 4: the row is in the set 'holdout', which is not"):
        read_table(path, split="set", kind="regression")
    task = read_table(path, split="set", kind="regression", skip_invalid=True)
    assert task.excluded == {"an unknown set": 1, "no set": 1}
    # an empty column is not a random split
    with pytest.raises(ValueError, match="line 2: the row is in no set"):
        read_table(write("", "", "", "", "", ""), split="set")
    with pytest.raises(ValueError, match=r"split='set' and a file for each set both define sets"):
        read_table({"train": path}, split="set")


def test_classes_of_two_files_are_one_however_they_are_written(table):
    train = table(["1", "0", "1", "0"], "train.csv", SEQUENCES[:4])
    test = table(["1.0", "0.0"], "test.csv", SEQUENCES[4:])
    assert read_table({"train": train, "test": test}).target.tolist() == list("101010")
    train = table(["TRUE", "FALSE", "TRUE", "FALSE"], "train.csv", SEQUENCES[:4])
    test = table([" true", "False"], "test.csv", SEQUENCES[4:])
    assert read_table({"train": train, "test": test}).target.tolist() == ["True", "False"] * 3
    train = table(["Yes", "No", "Yes", "No"], "train.csv", SEQUENCES[:4])
    test = table(["yes", "No"], "test.csv", SEQUENCES[4:])
    with pytest.raises(ValueError, match=r"test\.csv', line 2: class 'yes' is written 'Yes' else"):
        read_table({"train": train, "test": test})


def test_a_target_with_blanks_goes_on_to_the_next_key(fasta):
    names = ["Cell membrane", "Nucleus"]
    headers = [f"p{i} target={names[i % 2]} set=Train Validation=FALSE" for i in range(6)]
    task = read_labelled_fasta(fasta(headers))
    assert task.target.tolist() == names * 3
    assert set(task.split) == {"train"}
    headers[2] += " TARGET=Nucleus"
    with pytest.raises(ValueError, match=r"record 3 \(p2\): the header has TARGET twice, as 'Cell"):
        read_labelled_fasta(fasta(headers))
    task = read_labelled_fasta(fasta(headers), skip_invalid=True)
    assert task.excluded == {"a target given twice": 1}


@pytest.mark.parametrize(
    ("target", "message"), [("(a", "not a regular expression"), ("(a)(b)", "has 2 groups")]
)
def test_an_expression_that_cannot_find_a_target_is_named(fasta, target, message):
    with pytest.raises(ValueError, match=message):
        read_labelled_fasta(fasta([f"p{i}" for i in range(6)]), target=target)


@pytest.mark.skipif("REVDIST_DATA" not in os.environ, reason="REVDIST_DATA is not set")
def test_metal_ion_binding_and_localisation_are_read():
    data = Path(os.environ["REVDIST_DATA"])
    files = {s: data / "metal" / f"mib_hu2022_{s}.tsv.gz" for s in ("train", "test")}
    task = read_table(
        files, columns=["sequence", "label"], target="label", unknown="X", skip_invalid=True
    )
    assert len(task.target) + sum(task.excluded.values()) == 6000 + 1332
    assert set(task.target) == {"0", "1"}
    assert task.kind == "classification"

    files = {
        "train": data / "localisation" / "deeploc_our_val_set.fasta.gz",
        "test": data / "localisation" / "deeploc_test_set.fasta.gz",
    }
    task = read_labelled_fasta(files, target=r"^\S+ ([A-Z][A-Za-z./]+)-[MSU]", skip_invalid=True)
    assert len(task.target) + sum(task.excluded.values()) == 1678 + 2768
    assert len(set(task.target)) == 10
    with pytest.raises(ValueError, match=r"deeploc_.*\.fasta\.gz', record \d+ \("):
        read_labelled_fasta(files, target=r"^\S+ ([A-Z][A-Za-z./]+)-[MSU]")
