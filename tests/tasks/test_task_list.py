"""Lists of tasks: every format is read, and a mistake in the list is named before the work."""

import os
import re
from pathlib import Path

import pytest

from sklearn_revdist import read_tasks
from sklearn_revdist.tasks._task_list import task_readers

EXAMPLE = Path(__file__).parents[2] / "examples" / "all_tasks.toml"
SCAN = "mutant,mutated_sequence,DMS_score\n" + "".join(
    f"M1{a},{a}KT,{i}\n" for i, a in enumerate("ACDE")
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "dms").mkdir()
    for name in ("one", "two"):
        (tmp_path / "dms" / f"{name}.csv").write_text(SCAN)
    (tmp_path / "names.csv").write_text("DMS_id,DMS_filename\nTHE_ONE,one.csv\n")
    (tmp_path / "t.csv").write_text("sequence,target\nACD,a\nEFG,b\nHIK,a\nLMN,b\n")
    (tmp_path / "t.fasta").write_text(">p1 TARGET=1.5\nACD\n>p2 TARGET=2.5\nEFG\n")
    (tmp_path / "labels.fasta").write_text(">p1\nHHC\n>p2\nCHC\n")
    (tmp_path / "r.csv").write_text("protein,position,y\np1,1,0.5\np2,3,1.5\n")
    return tmp_path


@pytest.fixture
def write(folder):
    def write(text):
        path = folder / "tasks.toml"
        path.write_text(text)
        return path

    return write


ALL = """
[[task]]
format = "scan"
path = "dms"
reference = "names.csv"
[[task]]
format = "table"
name = "classes"
train = "t.csv"
[[task]]
format = "fasta"
path = "t.fasta"
[[task]]
format = "residue-labels"
sequences = "t.fasta"
labels = "labels.fasta"
[[task]]
format = "residue-table"
path = "r.csv"
sequences = "t.fasta"
target = "y"
"""


def test_all_formats_are_read_relative_to_the_list(write):
    tasks = list(read_tasks(write(ALL)))
    assert [task.name for task in tasks] == ["THE_ONE", "two", "classes", "t", "labels", "y"]
    assert [task.rows for task in tasks] == ["variants"] * 2 + ["proteins"] * 2 + ["residues"] * 2
    assert tasks[2].split.tolist() == ["train"] * 4


def test_tables_headers_and_residues_may_be_retrievals(write):
    _, _, table, fasta, _, residues = ALL.rstrip().split("[[task]]")
    kind = 'kind = "retrieval"\n'
    text = f"[[task]]{table}{kind}[[task]]{fasta}{kind}[[task]]{residues}\n{kind}metric = 'map'"
    tasks = list(read_tasks(write(text)))
    assert [task.name for task in tasks] == ["classes", "t", "y"]
    assert [task.metric for task in tasks] == ["recall@1", "recall@1", "map"]
    assert {task.kind for task in tasks} == {"retrieval"}


def test_paths_may_be_relative_to_another_folder(write, folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "list.toml"
    elsewhere.write_text(ALL)
    assert len(list(read_tasks(elsewhere, data=folder))) == 6
    with pytest.raises(FileNotFoundError, match=r"task 1: there is no .*dms"):
        task_readers(elsewhere)


def test_a_folder_of_scans_or_one_scan_is_a_list(folder):
    assert [task.name for task in read_tasks(folder / "dms")] == ["one", "two"]
    assert [task.name for task in read_tasks(folder / "dms" / "two.csv")] == ["two"]


def test_tables_are_read_by_the_columns_that_are_named(folder):
    """Those with mutants are scans, others proteins; what has no such column is skipped."""
    tables = folder / "tables"
    tables.mkdir()
    scan = SCAN.replace("mutated_sequence", "protein").replace("DMS_score", "activity")
    (tables / "scan.csv").write_text(scan)
    proteins = "protein;activity\nACD;0.5\nEFGH;1.5\nHIK;2.5\n"
    (tables / "proteins.csv").write_text(proteins, encoding="utf-16")
    (tables / "other.csv").write_text("protein,score\nACD,1\n")
    named = {"sequence": "protein", "target": "activity"}
    with pytest.warns(UserWarning, match=r"^'other\.csv' is skipped: it has no column 'activity'"):
        tasks = list(read_tasks(tables, **named))
    assert [(task.name, task.rows) for task in tasks] == [
        ("proteins", "proteins"),
        ("scan", "variants"),
    ]
    assert tasks[1].target.tolist() == [0, 1, 2, 3]
    (again,) = read_tasks(tables / "proteins.csv", **named)
    assert again.fingerprint() == tasks[0].fingerprint()
    (tables / "scan.csv").write_text(scan.replace("mutant", "variant"))
    (again,) = read_tasks(tables / "scan.csv", **named, mutant="variant")
    assert again.fingerprint() == tasks[1].fingerprint()
    # names that a scan has anyway need not be given
    (task,) = read_tasks(folder / "dms" / "one.csv", target="DMS_score")
    assert task.rows == "variants"


def test_columns_that_are_named_and_missing(write, folder):
    with pytest.raises(ValueError, match=r"no column 'y' but 'sequence', 'target'; name the"):
        list(read_tasks(folder / "t.csv", target="y"))
    with pytest.raises(ValueError, match="has no table with the columns y that are asked for"):
        task_readers(folder / "dms", target="y")
    with pytest.raises(ValueError, match=r"whose entries name columns .*; leave out target='y'"):
        task_readers(write(ALL), target="y")
    text = '[[task]]\nformat = "scan"\npath = "dms"\ntarget = "fitness"\n'
    with pytest.raises(ValueError, match=r"has no scan, .* mutated_sequence, fitness; check"):
        task_readers(write(text))


def test_what_is_set_for_all_may_be_set_for_one(write, folder):
    (folder / "dms" / "one.csv").write_text(SCAN + "M1X,XKT,9\n")
    text = '[[task]]\nformat = "scan"\npath = "dms/one.csv"\n'
    with pytest.raises(ValueError, match=r"one\.csv', line 6"):
        list(read_tasks(write(text)))
    (task,) = read_tasks(write(text), skip_invalid=True)
    assert task.excluded == {"unknown letters": 1}
    (task,) = read_tasks(write(text + 'unknown = "mask"\nname = "mine"\n'))
    assert (task.name, len(task.target)) == ("mine", 5)


def test_the_numbering_of_a_scan_may_be_set(write, folder):
    (folder / "s.csv").write_text(SCAN.replace("M1", "M24"))
    text = '[[task]]\nformat = "scan"\npath = "s.csv"\n'
    with pytest.raises(ValueError, match="set first_position=24"):
        list(read_tasks(write(text)))
    (task,) = read_tasks(write(text + "first_position = 24\n"))
    assert task.position.tolist() == [1] * 4
    with pytest.raises(ValueError, match="first_position='24' is not a whole number"):
        task_readers(write(text + 'first_position = "24"\n'))


def test_a_wild_type_makes_sequences_that_a_scan_lacks(write, folder):
    (folder / "one.csv").write_text(re.sub(",[^,]*,", ",", SCAN))
    (folder / "wild.fasta").write_text(">wild\nMKT\n")
    (task,) = read_tasks(folder / "dms" / "one.csv")
    text = '[[task]]\nformat = "scan"\npath = "one.csv"\nwild_type = "wild.fasta"\n'
    for again in (
        *read_tasks(folder / "one.csv", reference="MKT"),
        *read_tasks(folder / "one.csv", reference="MKT", mutant="mutant", target="DMS_score"),
        *read_tasks(write(text)),
    ):
        assert again.fingerprint() == task.fingerprint()
    # in a folder, which may be of several proteins, what lacks sequences is skipped
    (folder / "dms" / "two.csv").write_text((folder / "one.csv").read_text())
    for named in ({}, {"target": "DMS_score"}):
        with pytest.warns(UserWarning, match=r"'two\.csv' is skipped: .* no column '\w*sequence'"):
            (again,) = read_tasks(folder / "dms", reference="MKT", **named)
        assert again.fingerprint() == task.fingerprint()
    with pytest.raises(ValueError, match=r"wild types of their own; leave out reference='MKT'"):
        task_readers(write(text), reference="MKT")
    with pytest.raises(FileNotFoundError, match=r"there is no .*none\.fasta"):
        task_readers(write(text.replace("wild.fasta", "none.fasta")))
    (folder / "wild.fasta").write_text(">a\nMKT\n>b\nMKT\n")
    with pytest.raises(ValueError, match=r"wild\.fasta' has 2 sequences; give .* the wild type"):
        task_readers(write(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[task]", r"tasks\.toml' is not a TOML file"),
        ("x = 1", r"tasks\.toml' needs an entry \[\[task\]\]"),
        (
            '[[task]]\nformat = "scan"\npath = "dms"\nunknown = "x"',
            "'x' is not known; .*mask, X, k",
        ),
        ('[[task]]\nformat = "json"', r"task 1: format='json' is not known; give one of scan, t"),
        ('[[task]]\nformat = "table"', "task 1: 'table' needs 'path'"),
        ('[[task]]\nformat = "table"\npath = "t.csv"\ncolour = 1', "no setting 'colour'; choose"),
        ('[[task]]\nformat = "fasta"\ntest = "x.fasta"', r"task 1: there is no '.*x\.fasta'"),
        ('[[task]]\nformat = "scan"\npath = "dms"\nname = "x"', "one name for 2 scans"),
        (
            '[[task]]\nformat = "table"\npath = "t.csv"\nkind = "Classes"',
            "task 1: kind='Classes' is not known; give one of .*classification, retrieval",
        ),
        (
            '[[task]]\nformat = "table"\npath = "t.csv"\ntest = "t.csv"',
            "task 1: path and test both name files",
        ),
        (
            '[[task]]\nformat = "residue-table"\npath = "r.csv"\nsequences = "t.fasta"\n'
            'target = "y"\nfirst_position = true',
            "first_position=True is not a whole number",
        ),
    ],
)
def test_a_mistake_in_the_list_is_named(write, text, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        task_readers(write(text))


def test_a_list_may_begin_with_a_byte_order_mark(write, folder):
    text = '[[task]]\r\nformat = "fasta"\r\npath = "t.fasta"\r\n'
    path = write(text)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert [task.name for task in read_tasks(path)] == ["t"]


def test_values_and_the_first_position_keep_their_type(write, folder):
    (folder / "r.csv").write_text(
        "protein,position,y,use\np1,0,0.5,TRUE\np2,2,1.5,True\np1,9,9,no\n"
    )
    text = (
        '[[task]]\nformat = "residue-table"\npath = "r.csv"\nsequences = "t.fasta"\ntarget = "y"\n'
        "first_position = 0\nwhere = { use = true }\n"
    )
    (task,) = read_tasks(write(text))
    assert task.residue.tolist() == [0, 2]


@pytest.mark.skipif("REVDIST_DATA" not in os.environ, reason="REVDIST_DATA is not set")
def test_the_example_list_is_in_order():
    with pytest.warns(UserWarning, match=r"is skipped: it (has no column 'mutant'|is no table)\."):
        readers = task_readers(EXAMPLE, data=os.environ["REVDIST_DATA"])
    assert len(readers) > 40
