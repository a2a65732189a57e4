"""Lines of a table belong to the residues that they name, wherever positions are counted from."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sklearn_revdist.tasks._residue_tables import read_residue_table


@pytest.fixture
def fasta(tmp_path):
    def write(name, records):
        path = tmp_path / name
        path.write_text("".join(f">{header}\n{text}\n" for header, text in records.items()))
        return path

    return write


@pytest.fixture
def table(tmp_path):
    def write(rows):
        path = tmp_path / "r.csv"
        path.write_text("\n".join(["id,chain,pos,aa,value,use", *rows]) + "\n")
        return path

    return write


def letters(task):
    return "".join(task.sequences[p][r] for p, r in zip(task.protein, task.residue, strict=True))


ROWS = ["p,1,1,A,0.5,1", "p,1,3.0,D,1.5,1", "p,1,4,E,9.5,0", "q,2,2,G,2.5,1"]
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
    rows = ["p,1,1,A,2,1", "p,1,3,D,30,1", "p,1,4,E,100,0", "q,2,2,G,1,1", "q,2,1,F,20,1"]
    task = read_residue_table(table([*rows, "q,2,3,H,200,1"]), sequences, n_classes=3, **SETTINGS)
    assert Counter(task.target.tolist()) == {"1": 2, "2": 2, "3": 2}
    # whole numbers are ranked as such, not as texts
    np.testing.assert_array_equal(task.target, ["1", "2", "3", "1", "2", "3"])
    with pytest.raises(ValueError, match=r"r\.csv': n_classes=3 ranks numbers, but kind='class"):
        read_residue_table(table(rows), sequences, n_classes=3, kind="classification", **SETTINGS)


def test_a_class_in_one_sequence_only_is_an_error_or_a_count(table, sequences):
    rows = ["p,1,1,A,x,1", "p,1,3,D,y,1", "q,2,2,G,x,1", "q,2,1,F,y,1", "q,2,3,H,y,1"]
    assert len(read_residue_table(table(rows), sequences, **SETTINGS).target) == 5
    path = table([*rows, "p,1,2,C,z,1", "p,1,4,E,z,1"])
    with pytest.raises(ValueError, match=r"line 7: class 'z' is seen only in this sequence"):
        read_residue_table(path, sequences, **SETTINGS)
    task = read_residue_table(path, sequences, skip_invalid=True, **SETTINGS)
    assert task.excluded == {"a class seen in one sequence only": 2}


def test_another_first_position_is_recognised_and_may_be_set(table, sequences):
    for first, message in [(0, "if positions are counted from 0"), (24, "numbering starts at 24")]:
        rows = []
        for row in ROWS:
            cells = row.split(",")
            rows.append(",".join([*cells[:2], str(float(cells[2]) - 1 + first), *cells[3:]]))
        for skip in (False, True):
            with pytest.raises(
                ValueError, match=rf"r\.csv': 100% .*{message}.* set first_position="
            ):
                read_residue_table(table(rows), sequences, skip_invalid=skip, **SETTINGS)
        task = read_residue_table(table(rows), sequences, first_position=first, **SETTINGS)
        assert letters(task) == "ADEG"


def test_position_0_without_letters_is_an_error(table, sequences):
    settings = {**SETTINGS, "residue": None, "skip_invalid": True}
    path = table([*ROWS, "q,2,0,,1.5,1"])
    with pytest.raises(ValueError, match=r"line 6: position 0 says that positions are counted fr"):
        read_residue_table(path, sequences, **settings)
    task = read_residue_table(path, sequences, first_position=0, **settings)
    assert letters(task) == "CEHF"
    assert task.excluded == {"a position outside the sequence": 1}


@pytest.mark.parametrize(
    ("uses", "values"),
    [
        (["TRUE", "True", "false", "true"], [True, "true", "TRUE"]),
        (["1", "1.0", "0", "1.00"], [1, 1.0, "1", "1.0"]),
    ],
)
def test_where_matches_values_however_they_are_written(table, sequences, uses, values):
    path = table([row[:-1] + use for row, use in zip(ROWS, uses, strict=True)])
    for value in values:
        task = read_residue_table(path, sequences, where={"use": value}, **SETTINGS)
        assert letters(task) == "ADG"


@pytest.mark.parametrize(
    ("row", "message", "reason"),
    [
        ("p,1,2,C,,1", "of column 'value' no target", "no score"),
        ("p,1,2,C,high,1", "target 'high' is not a number", "a target that is not a number"),
        ("p,1,2.5,C,1,1", "position '2.5' is not a whole", "a position that is not a whole number"),
        ("z,1,2,C,1,1", r"s\.fasta' has no protein 'z_1'", "no sequence"),
        (
            "bad,1,1,A,1,1",
            "of protein 'bad_1' the sequence .* 'X'",
            "unknown letters",
        ),
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


def test_a_table_without_rows_is_an_error(table, sequences):
    with pytest.raises(ValueError, match=r"r\.csv' has no valid row with use=7; its .* '1', '0'"):
        read_residue_table(table(ROWS), sequences, where={"use": 7}, **SETTINGS)
    with pytest.raises(ValueError, match=r"r\.csv' has no valid row"):
        read_residue_table(table([]), sequences, **SETTINGS)


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
