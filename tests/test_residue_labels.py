"""Labels of residues belong to the residues that they stand beside."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sklearn_revdist._residue_labels import read_residue_labels, read_residue_table


@pytest.fixture
def fasta(tmp_path):
    def write(name, records):
        path = tmp_path / name
        path.write_text("".join(f">{header}\n{text}\n" for header, text in records.items()))
        return path

    return write


@pytest.fixture
def files(fasta):
    sequences = fasta("s.fasta", {"p1 one": "ACDE", "p2": "fgh", "p3": "KLMNP", "p4": "WY"})
    labels = fasta(
        "l.fasta",
        {"p2 SET=train": "HHC", "p1 SET=test": "HCCH", "p3 SET=train VALIDATION=True": "CHCHC"},
    )
    return sequences, labels


def letters(task):
    return "".join(task.sequences[p][r] for p, r in zip(task.protein, task.residue, strict=True))


def test_each_residue_has_its_label_and_its_proteins_set(files):
    task = read_residue_labels(*files)
    assert (task.name, task.rows, task.kind) == ("l", "residues", "classification")
    assert letters(task) == "FGHACDEKLMNP"
    assert "".join(task.target) == "HHCHCCHCHCHC"
    assert task.split.tolist() == ["train"] * 3 + ["test"] * 4 + ["validation"] * 5
    assert task.excluded == {"proteins without labels": 1}


def test_masked_and_ignored_residues_are_not_used(files, fasta):
    mask = fasta("m.fasta", {"p1": "0111", "p2": "111", "p3": "11100"})
    assert letters(read_residue_labels(*files, mask=mask)) == "FGHCDEKLM"
    assert letters(read_residue_labels(*files, ignore="H", name="n")) == "HCDKMP"


def test_labels_may_make_one_class_against_the_rest(files):
    task = read_residue_labels(*files, positive="H")
    assert "".join(task.target) == "110100101010"


def test_proteins_to_learn_from_are_drawn_whole(files):
    task = read_residue_labels(*files, max_train_proteins=1)
    counts = Counter(task.protein[task.split != "test"].tolist())
    assert len(counts) == 1
    assert set(counts.values()) <= {3, 5}
    assert (task.split == "test").sum() == 4


@pytest.mark.parametrize(
    ("records", "message", "reason"),
    [
        ({"p4": "HHH"}, r"3 labels for 2 residues", "proteins with labels of another length"),
        ({"p9": "HH"}, r"s\.fasta' has no such sequence", "proteins without sequence"),
        ({"p2 again": "HHC"}, r"its sequence occurred before", "proteins that occur again"),
        ({"p5": "HCH"}, r"the sequence has 'X' at position 2", "proteins with unknown letters"),
    ],
)
def test_a_bad_protein_is_named_by_file_and_record_or_counted(
    files, fasta, records, message, reason
):
    sequences = fasta("s.fasta", {"p1": "ACDE", "p2": "FGH", "p4": "WY", "p5": "AXA"})
    labels = fasta("l.fasta", {"p1": "HCCH", "p2": "HHC", **records})
    with pytest.raises(ValueError, match=r"l\.fasta', record 3 \(p\d\): .*" + message):
        read_residue_labels(sequences, labels)
    task = read_residue_labels(sequences, labels, skip_invalid=True)
    assert task.excluded[reason] == 1
    assert letters(task) == "ACDEFGH"


@pytest.mark.parametrize("unknown", ["error", "mask"])
def test_a_stop_codon_has_no_label(fasta, unknown):
    sequences = fasta("s.fasta", {"p1": "ACDE*", "p2": "FGH"})
    labels = fasta("l.fasta", {"p1": "HCCH", "p2": "HHC"})
    with pytest.warns(UserWarning, match=r"s\.fasta': 1 of 2 sequences end in"):
        task = read_residue_labels(sequences, labels, unknown=unknown)
    assert letters(task) == "ACDEFGH"
    labels = fasta("l.fasta", {"p1": "HCCHC", "p2": "HHC"})
    with (
        pytest.warns(UserWarning, match="end in"),
        pytest.raises(ValueError, match="5 labels for 4 residues"),
    ):
        read_residue_labels(sequences, labels, unknown=unknown)


def test_a_mask_of_another_length_and_a_lone_class_are_named(files, fasta):
    mask = fasta("m.fasta", {"p1": "0111", "p2": "11", "p3": "11100"})
    with pytest.raises(ValueError, match=r"record 1 \(p2\): 3 labels and a mask of 2 for 3"):
        read_residue_labels(*files, mask=mask)
    labels = fasta("l.fasta", {"p1": "HCCG", "p2": "HHC"})
    with pytest.raises(ValueError, match=r"l\.fasta', record 1 \(p1\): class 'G' is seen only"):
        read_residue_labels(files[0], labels)


def test_a_name_that_occurs_twice_among_the_sequences_is_refused(fasta):
    sequences = fasta("s.fasta", {"p1 a": "ACDE", "p1 b": "FGH"})
    labels = fasta("l.fasta", {"p1": "HCCH"})
    with pytest.raises(ValueError, match=r"s\.fasta', record 2 \(p1\): the name occurred before"):
        read_residue_labels(sequences, labels)


# ----------------------------------------------------------------------------- tables


@pytest.fixture
def table(tmp_path):
    def write(rows):
        path = tmp_path / "r.csv"
        path.write_text("\n".join(["id,chain,pos,aa,value,use", *rows]) + "\n")
        return path

    return write


ROWS = ["p,1,1,A,0.5,1", "p,1,3,D,1.5,1", "p,1,4,E,9.5,0", "q,2,2,G,2.5,1"]
SETTINGS = {"target": "value", "protein": ["id", "chain"], "position": "pos", "residue": "aa"}


@pytest.fixture
def sequences(fasta):
    return fasta("s.fasta", {"p_1": "ACDE", "q_2": "FGH", "bad_1": "AXA"})


def test_a_row_is_the_residue_at_its_position(table, sequences):
    task = read_residue_table(table(ROWS), sequences, where={"use": 1}, **SETTINGS)
    assert letters(task) == "ADG"
    assert task.target.tolist() == [0.5, 1.5, 2.5]
    assert (task.name, task.kind, task.rows) == ("value", "regression", "residues")
    assert len(task.sequences) == 2


def test_one_column_may_name_the_protein(table, fasta):
    sequences = fasta("s.fasta", {"p": "ACDE", "q": "FGH"})
    task = read_residue_table(table(ROWS), sequences, target="value", protein="id", position="pos")
    assert letters(task) == "ADEG"


def test_ranks_make_classes_of_equal_size(table, sequences):
    rows = [*ROWS, "q,2,1,F,3.5,1", "q,2,3,H,4.5,1"]
    task = read_residue_table(table(rows), sequences, n_classes=3, **SETTINGS)
    assert Counter(task.target.tolist()) == {"1": 2, "2": 2, "3": 2}
    np.testing.assert_array_equal(task.target, ["1", "1", "3", "2", "2", "3"])


@pytest.mark.parametrize(
    ("row", "message", "reason"),
    [
        ("p,1,2,C,,1", "no value", "no score"),
        ("p,1,2,C,high,1", "value 'high' is no number", "no score"),
        ("z,1,2,C,1,1", r"s\.fasta' has no protein 'z_1'", "no sequence"),
        ("bad,1,1,A,1,1", "of protein 'bad_1' the sequence has 'X'", "unknown letters"),
        ("p,1,5,A,1,1", "4 residues but no position 5", "a position outside the sequence"),
        ("p,1,0,A,1,1", "4 residues but no position 0", "a position outside the sequence"),
        (
            "p,1,2,W,1,1",
            "residue W2, but protein 'p_1' has C there",
            "a residue that does not match its sequence",
        ),
        ("p,1,3,D,1,1", "residue 3 of protein 'p_1' occurs again", "a duplicate"),
    ],
)
def test_a_bad_residue_is_named_by_file_and_line_or_counted(table, sequences, row, message, reason):
    path = table([*ROWS, row])
    settings = {**SETTINGS, "kind": "regression"}
    with pytest.raises(ValueError, match=r"r\.csv', line 6: .*" + message):
        read_residue_table(path, sequences, **settings)
    task = read_residue_table(path, sequences, skip_invalid=True, **settings)
    assert task.excluded == {reason: 1}
    assert letters(task) == "ADEG"


def test_no_row_at_all_is_an_error(table, sequences):
    with pytest.raises(ValueError, match=r"r\.csv' has no valid row"):
        read_residue_table(table(ROWS), sequences, where={"use": 7}, **SETTINGS)


@pytest.mark.skipif("REVDIST_DATA" not in os.environ, reason="REVDIST_DATA is not set")
def test_relaxation_rates_are_read():
    data = Path(os.environ["REVDIST_DATA"]) / "dynamics"
    settings = {
        "protein": ["bmrb_id", "entity_id"],
        "position": "residue_index",
        "residue": "residue",
        "where": {"primary": 1},
        "skip_invalid": True,
    }
    files = data / "bmrb_r1_r2.csv", data / "bmrb_r1_r2_sequences.fasta"
    task = read_residue_table(*files, target="r2_over_r1", **settings)
    assert len(task.target) + sum(task.excluded.values()) == 2278
    thirds = read_residue_table(*files, target="r2_over_r1", n_classes=3, **settings)
    assert max(Counter(thirds.target.tolist()).values()) == -(-len(task.target) // 3)
    for target in ("r1_per_s", "r2_per_s"):
        assert read_residue_table(*files, target=target, **settings).kind == "regression"


@pytest.mark.slow
@pytest.mark.skipif("REVDIST_DATA" not in os.environ, reason="REVDIST_DATA is not set")
def test_secondary_structure_is_read():
    data = Path(os.environ["REVDIST_DATA"]) / "secondary_structure"
    sequences, labels, mask = (
        data / f"flip_ss3_{name}.fasta.gz" for name in ("sequences", "sampled", "mask")
    )
    task = read_residue_labels(sequences, labels, mask=mask, unknown="X")
    assert set(task.target) == {"H", "E", "C"}
    n_proteins = {
        name: len(set(task.protein[task.split == name])) for name in set(task.split.tolist())
    }
    assert sum(n_proteins.values()) + task.excluded.get("proteins that occur again", 0) == 11156
    assert n_proteins["test"] == 364
