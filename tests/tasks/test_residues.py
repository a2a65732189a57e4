"""Labels of residues belong to the residues that they stand beside."""

import os
from collections import Counter
from pathlib import Path

import pytest

from sklearn_revdist.tasks._residues import read_residue_labels


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


def test_masked_residues_are_not_used(files, fasta):
    mask = fasta("m.fasta", {"p1": "0111", "p2": "111", "p3": "11100"})
    assert letters(read_residue_labels(*files, mask=mask)) == "FGHCDEKLM"


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
        (
            {"p5": "HCH"},
            r"the sequence .* 'X' at position 2",
            "proteins with unknown letters",
        ),
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


@pytest.mark.parametrize(
    ("label", "mask", "message", "reason"),
    [
        ("H CH", "1111", "blank at position 2", "proteins with blanks among their labels"),
        (
            "HCCH",
            "11x1",
            "mask has 'X' at position 3",
            "proteins with other letters than 0 and 1 in their mask",
        ),
        ("HCCH", None, r"m\.fasta' has no such protein", "proteins without a mask"),
    ],
)
def test_wrong_labels_and_masks_are_named_or_counted(files, fasta, label, mask, message, reason):
    labels = fasta("l.fasta", {"p2": "HHC", "p3": "CHCHC", "p1": label})
    masks = {"p2": "111", "p3": "11111", **({"p1": mask} if mask else {})}
    mask = fasta("m.fasta", masks)
    with pytest.raises(ValueError, match=r"l\.fasta', record 3 \(p1\): .*" + message):
        read_residue_labels(files[0], labels, mask=mask)
    task = read_residue_labels(files[0], labels, mask=mask, skip_invalid=True)
    assert task.excluded == {reason: 1, "proteins without labels": 1}


def test_a_final_stop_beyond_the_sequence_is_not_a_label(files, fasta):
    labels = fasta("l.fasta", {"p2": "HHC*", "p1": "HCCH", "p3": "CHCH*"})
    with pytest.raises(ValueError, match=r"class '\*' is seen only here"):
        read_residue_labels(files[0], labels)
    labels = fasta("l.fasta", {"p2": "HHC*", "p1": "HCCH*", "p3": "CHCHC*"})
    assert "".join(read_residue_labels(files[0], labels).target) == "HHCHCCHCHCHC"


def test_labels_in_the_other_case_are_not_another_class(files, fasta):
    labels = fasta("other.fasta", {"p2": "HHC", "p1": "hCCh", "p3": "CHCHC"})
    with pytest.raises(
        ValueError, match=r"record 2 \(p1\): class 'h' is written 'H' elsewhere \(.*record 1"
    ):
        read_residue_labels(files[0], labels)
    task = read_residue_labels(files[0], labels, skip_invalid=True)
    assert task.excluded["a class written in another way than in most rows"] == 2
    assert "".join(task.target) == "HHCCCCHCHC"


def test_a_protein_in_no_known_set_is_named_or_counted(files, fasta):
    labels = fasta("l.fasta", {"p2 SET=train": "HHC", "p1 SET=x": "HCCH", "p3 SET=Dev": "CHCHC"})
    with pytest.raises(ValueError, match=r"record 2 \(p1\): the row is in the set 'x', which is"):
        read_residue_labels(files[0], labels)
    task = read_residue_labels(files[0], labels, skip_invalid=True)
    assert task.split.tolist() == ["train"] * 3 + ["validation"] * 5
    assert task.excluded["proteins in an unknown set"] == 1


def test_a_class_that_is_not_drawn_to_be_learnt_is_not_tested(fasta):
    sequences = fasta("s.fasta", {"p1": "ACDE", "p2": "FGHI", "p3": "KLMN"})
    records = {"p1 SET=train": "HHCC", "p2 SET=train": "HGGC", "p3 SET=test": "HCGG"}
    labels = fasta("l.fasta", records)
    whole = read_residue_labels(sequences, labels)
    assert whole.excluded == {}
    # with one or the other protein to learn from
    assert whole.sample_proteins(1).sequences[0] == "FGHI"
    records = {"p1 SET=train": "HGGC", "p2 SET=train": "HHCC", "p3 SET=test": "HCGG"}
    labels = fasta("l.fasta", records)
    with pytest.raises(ValueError, match="class 'G' is in test rows only"):
        read_residue_labels(sequences, labels, max_train_proteins=1)
    task = read_residue_labels(sequences, labels, max_train_proteins=1, skip_invalid=True)
    assert "".join(task.target) == "HHCCHC"
    assert task.excluded["a class that only test rows have"] == 2


def test_a_name_that_occurs_twice_among_the_sequences_is_refused(fasta):
    sequences = fasta("s.fasta", {"p1 a": "ACDE", "p1 b": "FGH"})
    labels = fasta("l.fasta", {"p1": "HCCH"})
    with pytest.raises(ValueError, match=r"s\.fasta', record 2 \(p1\): the name occurred before"):
        read_residue_labels(sequences, labels)


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
