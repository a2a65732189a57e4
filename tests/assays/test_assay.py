"""A spreadsheet is read alike in every format, and what is wrong with it is said with its place."""

import gzip

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import mutate, read_assay
from sklearn_revdist.assays._assay import consensus, differences

WILD_TYPE = "MKTAY"
MUTANTS = ["K2R", "T3S", "WT", "A4G", "K2R"]
NUMBERS = ["1.5", "-2", "0.25", "3e-1", "2"]
COLUMNS = ["note", "mutant", "activity", "plate"]
ROWS = [
    [f"n{i}", mutant, number, f"00{i}"]
    for i, (mutant, number) in enumerate(zip(MUTANTS, NUMBERS, strict=True))
]


@pytest.fixture
def write(tmp_path):
    """Write a table as text, one list of cells a row."""

    def written(rows, columns=("mutant", "activity"), name="assay.csv", sep=",", encoding="utf-8"):
        lines = [sep.join(f'"{cell}"' if sep in cell else cell for cell in row) for row in rows]
        content = "\n".join([sep.join(columns), *lines, ""]).encode(encoding)
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return written


@pytest.fixture
def read(write):
    """Write a table of mutants and measurements, and read it."""

    def assay(rows, columns=("mutant", "activity"), **how):
        return read_assay(write(rows, columns), "activity", **{"reference": WILD_TYPE} | how)

    return assay


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("assay.csv", {}),
        ("assay.csv", {"sep": ";"}),
        ("assay.csv", {"sep": "\t"}),
        ("assay.tsv", {"sep": "\t"}),
        ("assay.txt", {"sep": ";"}),
        ("assay.csv", {"encoding": "utf-8-sig"}),
        ("assay.csv", {"encoding": "utf-16", "sep": "\t"}),
        ("assay.csv.gz", {}),
        ("assay.xlsx", {}),
        ("assay.parquet", {}),
    ],
)
def test_every_format_gives_the_same_assay(write, tmp_path, name, how):
    path, frame = tmp_path / name, pd.DataFrame(ROWS, columns=COLUMNS)
    if name.endswith(("xlsx", "parquet")):  # numbers as numbers, as programs write them
        frame["activity"] = frame["activity"].astype(float)
        frame.to_excel(path, index=False) if "x" in name else frame.to_parquet(path)
    else:
        write(ROWS, COLUMNS, name, **how)
    assay = read_assay(path, "activity", reference=WILD_TYPE)
    assert assay.name == "assay"
    assert assay.target_name == "activity"
    assert assay.sequences == ["MRTAY", "MKSAY", "MKTGY", "MRTAY"]  # replicates stay
    assert assay.target.tolist() == [1.5, -2, 0.3, 2]
    assert assay.wild_type == WILD_TYPE
    assert assay.left_out == {"the wild type itself": 1}
    assert assay.wild_type_target == 0.25
    assert assay.table.columns.tolist() == [*COLUMNS, "sequence"]
    assert assay.table["plate"].tolist() == ["000", "001", "003", "004"]
    assert all(str(path) in place for place in assay.table.index)


@pytest.mark.parametrize("name", ["assay.xlsx", "assay.parquet"])
def test_numbers_with_gaps_are_those_of_the_sheet(tmp_path, name):
    path = tmp_path / name
    numbers = [0.1, None, 3.0, 1e300, 1 / 3]
    mutants = ["K2R", "T3S", "A4G", "Y5F", "M1A"]
    frame = pd.DataFrame({"mutant": mutants, "activity": numbers})
    frame.to_excel(path, index=False) if "x" in name else frame.to_parquet(path)
    assay = read_assay(path, "activity", reference=WILD_TYPE)
    assert assay.target.tolist() == [0.1, 3.0, 1e300, 1 / 3]
    assert assay.left_out == {"no measurement": 1}


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,5", "2", "-0,25e1"], [1.5, 2, -2.5]),
        (["0,125", "1,250", "2,500"], [0.125, 1.25, 2.5]),  # no thousands begin with 0
        (["1,234", "2,50", "3,125"], [1.234, 2.5, 3.125]),  # nor end in two digits
        ([" 1.5 ", "+2.", ".25"], [1.5, 2, 0.25]),
    ],
)
def test_commas_are_those_of_decimals_where_nothing_else_fits(write, cells, numbers):
    path = write([*zip(["K2R", "T3S", "A4G"], cells, strict=True)], sep=";")
    assert read_assay(path, "activity", reference=WILD_TYPE).target.tolist() == numbers


@pytest.mark.parametrize(
    ("cells", "line", "cell"),
    [
        (["1,234", "2,500", "12"], 2, "1,234"),
        (["12", "1,234,567", "2"], 3, "1,234,567"),
        (["1.5", "2,5", "3"], 3, "2,5"),
    ],
)
def test_other_commas_are_refused(write, cells, line, cell):
    path = write([*zip(["K2R", "T3S", "A4G"], cells, strict=True)], sep=";")
    expected = (
        rf"^'.*assay\.csv', line {line}: the measurement '{cell}' .* has a comma, .* points\.$"
    )
    with pytest.raises(ValueError, match=expected):
        read_assay(path, "activity", reference=WILD_TYPE)


def test_rows_without_a_measurement_are_left_out_and_counted(read):
    missing = ["", "NA", "n.d.", "NaN", "#N/A", "?"]
    assay = read([["K2R", "1"], *(["Y5F", cell] for cell in missing), ["T3S", "2"]])
    assert assay.sequences == ["MRTAY", "MKSAY"]
    assert assay.left_out == {"no measurement": 6}
    assert assay.wild_type_target is None


@pytest.mark.parametrize("text", ["high", "<0.1", "inf", "1e999", "1.5 mM", "0x1F", "1_000", "٣"])
def test_a_measurement_that_is_no_number_is_refused_with_its_line(read, text):
    with pytest.raises(ValueError, match=r"^'.*assay\.csv', line 4: the measurement .* is not a n"):
        read([["K2R", "1,5"], ["T3S", ""], ["A4G", text]])


def test_mutants_give_the_sequences_that_they_stand_for(read):
    rows = [["k12r", "1"], ["p.Lys12Arg", "2"], ["K12R:A14G", "3"], ["p.[Lys12Arg;Ala14Gly]", "4"]]
    rows += [["A14G/K12R", "5"], ["M11V", "6"]]
    expected = mutate(WILD_TYPE, ["K2R", "K2R", "K2R:A4G", "K2R:A4G", "K2R:A4G", "M1V"])
    for column in ("mutant", "mutation", "mutations", "variant"):
        assert read(rows, (column, "activity"), first_position=11).sequences == expected
    named = read(rows, ("change", "activity"), mutant_column="change", first_position=11)
    assert named.sequences == expected
    by_sequence = [[sequence, number] for sequence, (_, number) in zip(expected, rows, strict=True)]
    for column in ("sequence", "mutated_sequence"):
        assert read(by_sequence, (column, "activity")).sequences == expected
    protein = read(by_sequence, ("protein", "activity"), sequence_column="protein")
    assert protein.sequences == expected


def test_rows_of_the_wild_type_are_left_out_and_their_mean_is_kept(read):
    names = ["WT", "p.=", "wild-type", "_wt", "K2K", "p.Lys2=", ""]
    rows = [[name, str(i)] for i, name in enumerate(names)]
    assay = read([["K2R", "5"], *rows, ["T3S", "7"]])
    assert assay.sequences == ["MRTAY", "MKSAY"]
    assert assay.left_out == {"the wild type itself": 7}
    assert assay.wild_type_target == 3
    sequences = [["MRTAY", "5"], ["mktay", "0"], ["MKTAY*", "1"], ["MKSAY", "7"]]
    with pytest.warns(UserWarning, match="a stop codon"):
        assert read(sequences, ("sequence", "activity")).wild_type_target == 0.5


def test_deletions_leave_no_positions_to_compare(read):
    assay = read([["K2R", "1"], ["K2del", "2"], ["WT", "3"]])
    assert assay.sequences == ["MRTAY", "MTAY"]
    assert assay.wild_type is None
    assert assay.mutated is None
    assert assay.wild_type_target == 3
    assert assay.task().position is None


def test_lower_case_and_stop_codons_do_not_matter_and_the_text_is_kept(read):
    rows = [["mrtay*", "1"], [" MKSAY ", "2"], ["MKTgY", "3"]]
    with pytest.warns(UserWarning, match="1 of 3 sequences end in '\\*', a stop codon"):
        assay = read(rows, ("sequence", "activity"), reference=" mktay* ")
    assert assay.sequences == ["MRTAY", "MKSAY", "MKTGY"]
    assert assay.wild_type == WILD_TYPE
    assert assay.table["sequence"].tolist() == ["mrtay*", "MKSAY", "MKTgY"]
    assert read([["K2R", "1"], ["T3S", "2"]], reference="mktay*").wild_type == WILD_TYPE


def test_a_column_of_the_table_is_not_overwritten_by_the_sequences(read):
    rows = [["ATGCGT", "K2R", "1"], ["ATGAAA", "T3S", "2"]]
    assay = read(rows, ("sequence", "mutant", "activity"), mutant_column="mutant")
    assert assay.sequences == ["MRTAY", "MKSAY"]
    assert assay.table["sequence"].tolist() == ["ATGCGT", "ATGAAA"]


def test_without_a_reference_the_wild_type_is_the_most_frequent_residue(read):
    rows = [["MRTAY", "1"], ["MKSAY", "2"], ["MKTGY", "3"], ["MKTAY", "4"], ["MKTAY", "6"]]
    assay = read(rows, ("sequence", "activity"), reference=None)
    assert assay.wild_type == WILD_TYPE
    assert assay.wild_type_target == 5
    assert len(assay.target) == 3
    uneven = read([["MRTAY", "1"], ["MKSA", "2"]], ("sequence", "activity"), reference=None)
    assert uneven.wild_type is None


def test_the_order_of_rows_does_not_decide_the_wild_type():
    assert consensus(["MKT", "MRT"]) == consensus(["MRT", "MKT"]) == "MKT"
    assert consensus(["AY", "CY", "CW", "AW", "CW"]) == "CW"


@pytest.mark.parametrize(
    ("rows", "how", "message"),
    [
        (
            [["K2R", "1"], ["T3S", "2"]],
            {"reference": None},
            r"need the wild type; .*`\)\.$",
        ),
        ([["K2R", "1"], ["R3S", "2"]], {}, r"line 3: the mutant 'R3S' has R at position 3, where "),
        ([["K2R", "1"], ["T9S", "2"]], {}, r"line 3: the mutant 'T9S' has position 9, but "),
        ([["K2R", "1"], ["K2*", "2"]], {}, r"line 3: the mutant 'K2\*' is a stop; "),
        ([["K2R", "1"], ["A4X", "2"]], {}, r"line 3: in the mutant 'A4X' .* residue 'X' at pos"),
        ([["K2R", "1"], ["T3S", "2"]], {"reference": "MK1AY"}, r"^In the wild type .* '1', which"),
        (
            [["K2R", "1"], ["T3S", "2"]],
            {"reference": ""},
            r"^In the wild type the .* empty",
        ),
        ([["K2R", "1"], ["K2R", "2"], ["WT", "3"]], {}, r"has 1 measured variants, of which noth"),
        ([["K2R", ""], ["T3S", "NA"]], {}, r"has 0 measured variants"),
        ([["K2R", "1"], ["T3S"]], {}, r"line 3, has 1 cells where there are 2 columns"),
    ],
)
def test_mutants_that_do_not_fit_are_refused(read, rows, how, message):
    with pytest.raises(ValueError, match=message):
        read(rows, **how)


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        ("MK1AY", r"line 4: the sequence has '1', which is not an amino acid, at position 3; "),
        ("MK-AY", r"line 4: the sequence has a gap \('-'\)"),
        ("MKXAY", r"line 4: the sequence has the ambiguous residue 'X' at .* \(see `unknown`\)"),
        ("MK*AY", r"line 4: the sequence has a stop codon \('\*'\) before its end"),
        (" ", r"line 4: the column 'sequence' has no sequence; fill it in, or drop the row\.$"),
        ("", r"line 4: the column 'sequence' has no sequence"),
    ],
)
def test_unknown_letters_are_refused_with_their_line(read, sequence, message):
    with pytest.raises(ValueError, match=rf"^'.*assay\.csv', {message}"):
        read([["MRTAY", "1"], ["MKSAY", "2"], [sequence, "3"]], ("sequence", "activity"))


def test_ambiguous_residues_are_kept_where_they_are_allowed(read):
    rows = [["MRTAY", "1"], ["MKXAY", "2"], ["MK*AY", "3"]]
    assay = read(rows, ("sequence", "activity"), unknown="mask")
    assert assay.sequences == ["MRTAY", "MKXAY", "MK*AY"]


def test_columns_are_found_by_name_or_listed(read):
    rows = [["a", "1", "2"]]
    with pytest.raises(ValueError, match=r"no column 'activity' but 'a', 'b', 'c'; say which one"):
        read(rows, ("a", "b", "c"))
    with pytest.raises(ValueError, match=r"no column 'mutant' or .* but 'a', 'activity', 'c'; nam"):
        read(rows, ("a", "activity", "c"))
    with pytest.raises(ValueError, match=r"no column 'x' but 'a', 'activity', 'c'; say which"):
        read(rows, ("a", "activity", "c"), sequence_column="x")
    for twice in ("activity", "mutant", "sequence"):
        columns = (twice, *{"activity", "mutant", "sequence"} - {twice}, twice)
        with pytest.raises(ValueError, match=rf"line 1, has 2 columns '{twice}'; rename all but"):
            read([["a", "b", "c", "d"]], columns)
    without = read([["K2R", "1", "x", "y"], ["T3S", "2", "", ""]], ("mutant", "activity", "", "a"))
    assert without.table.columns.tolist() == ["mutant", "activity", "a", "sequence"]


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="nosuch"):
        read_assay(tmp_path / "nosuch.csv", "activity")


def test_the_target_is_that_of_proteingym_by_default(write):
    path = write([["K2R", "1"], ["T3S", "2"]], ("mutant", "DMS_score"))
    assert read_assay(path, reference=WILD_TYPE).target_name == "DMS_score"


def test_a_task_has_positions_only_of_single_substitutions(read):
    assay = read([["K2R", "1"], ["T3S", "2"], ["K2R", "3"]])
    task = assay.task()
    assert task.position.tolist() == [2, 3, 2]
    assert [task.sequences[i] for i in task.protein] == assay.sequences
    np.testing.assert_array_equal(task.target, assay.target)
    assert (task.wild_type, task.excluded, task.rows) == (WILD_TYPE, {}, "variants")
    double = read([["K2R:T3S", "1"], ["T3S", "2"]]).task()
    assert double.position is None
    assert double.n_mutations.tolist() == [2, 1]


def test_differences_are_those_of_each_letter(rng):
    letters = rng.choice(list("ACDE"), size=(7, 9))
    sequences = ["".join(row) for row in letters]
    np.testing.assert_array_equal(differences(sequences[0], sequences), letters != letters[0])
