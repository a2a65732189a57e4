"""Scans: what is read is what the variants say, and each bad variant is named or counted."""

import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist.tasks._proteins import read_table
from sklearn_revdist.tasks._scans import read_scan, scan_files

WILD = "MKTAYIAKQR"


def variant(mutant):
    letters = list(WILD)
    for substitution in mutant.split(":"):
        letters[int(substitution[1:-1]) - 1] = substitution[-1]
    return "".join(letters)


GOOD = [(m, variant(m), str(i / 10)) for i, m in enumerate(["M1A", "K2A", "T3C", "K2A:T3G"])]


@pytest.fixture
def write(tmp_path):
    def write(rows, name="scan.csv", columns=("mutant", "mutated_sequence", "DMS_score")):
        path = tmp_path / name
        opener = gzip.open if name.endswith("gz") else open
        with opener(path, "wt", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
        return path

    return write


def test_a_scan_is_read_with_what_folds_need(write):
    task = read_scan(write(GOOD, "ASSAY.csv.gz"))
    assert task.name == "ASSAY"
    assert task.sequences == [row[1] for row in GOOD]
    assert task.target.tolist() == [0.0, 0.1, 0.2, 0.3]
    assert task.n_mutations.tolist() == [1, 1, 1, 2]
    assert task.position is None  # not every variant has exactly one
    assert read_scan(write(GOOD[:3])).position.tolist() == [1, 2, 3]


def test_case_and_blanks_do_not_matter(write):
    rows = [(f" {m.lower()}", f"{s.lower()} ", score) for m, s, score in GOOD]
    task = read_scan(write(rows))
    assert task.fingerprint() == read_scan(write(GOOD)).fingerprint()


BAD = {
    "a mutant that does not match its sequence": [
        ("K2C", variant("K2A"), "1"),
        ("W2C", variant("K2C"), "1"),
        ("K0A", variant("K2A"), "1"),
        ("K2C:K2C", variant("K2C"), "1"),
        ("A2C:K2A", variant("K2C"), "1"),
        ("", variant("K2C"), "1"),
        ("WT", variant("K2C"), "1"),
        ("W2W", WILD, "1"),
        ("K2C:K2K", variant("K2C"), "1"),
        ("K2C", variant("K2C")[:-1], "1"),
    ],
    "an unknown notation of substitutions": [
        ("nonsense", variant("K2C"), "1"),
        ("K2?", variant("K2C"), "1"),
    ],
    "a stop": [("K2*", variant("K2*"), "1"), ("p.Lys2Ter", "M", "1")],
    "an insertion or a deletion": [("K2-", variant("K2-"), "1"), ("p.Lys2del", "MTAYIAKQR", "1")],
    "a whole sequence": [(3 * WILD, 3 * WILD, "1")],
    "no score": [("K2C", variant("K2C"), ""), ("K2C", variant("K2C"), "high")],
    "unknown letters": [
        ("K2X", variant("K2X"), "1"),
        ("K2C", variant("K2C:Q9?"), "1"),
        ("WT", "", "1"),
    ],
    "a duplicate": [("K2A", variant("K2A"), "1"), ("T3G:K2A", variant("K2A:T3G"), "1")],
}


@pytest.mark.parametrize(
    ("reason", "row"), [(reason, row) for reason, rows in BAD.items() for row in rows]
)
def test_a_bad_variant_is_named_by_file_and_line_or_counted(write, reason, row):
    path = write([*GOOD, row])
    with pytest.raises(ValueError, match=r"scan\.csv', line 6: "):
        read_scan(path)
    task = read_scan(path, skip_invalid=True)
    assert task.excluded == {reason: 1}
    assert task.fingerprint() == read_scan(write(GOOD)).fingerprint()


def test_messages_say_what_is_wrong(write):
    for row, message in [
        (("p.Lys2Cys", variant("K2A"), "1"), "'p.Lys2Cys' does not lead to .* A at position 2;"),
        (("p.Lys2Ter", "M", "1"), "'p.Lys2Ter' is a stop;"),
        (("K2C", variant("K2C"), "high"), "'K2C' has the score 'high', which is not a number"),
        (("K2X", variant("K2X"), "1"), "in 'K2X' the sequence .* 'X' at position 2 .see `unknown`"),
        (("K2A", variant("K2A"), "1"), r"'K2A' has the sequence of .*line 3, again"),
    ]:
        with pytest.raises(ValueError, match=message):
            read_scan(write([*GOOD, row]))


NOTATIONS = ["p.Met1Ala", "p.(Lys2Ala)", "t3c", "p.[Lys2Ala;Thr3Gly]"]


@pytest.mark.parametrize("double", [NOTATIONS[3], "K2A;T3G", "K2A/T3G", "K2A,T3G", "K2A_T3G"])
def test_the_notation_does_not_matter(write, double):
    rows = [(m, *row[1:]) for m, row in zip([*NOTATIONS[:3], double], GOOD, strict=True)]
    assert read_scan(write(rows)).fingerprint() == read_scan(write(GOOD)).fingerprint()


@pytest.mark.parametrize("skip_invalid", [False, True])
def test_rows_of_the_wild_type_are_left_out_and_counted(write, skip_invalid):
    names = ["WT", "wild-type", "_wt", "p.=", "", "K2K", "p.Thr3="]
    rows = [(name, WILD, score) for name, score in zip(names, [*"123456", ""], strict=True)]
    task = read_scan(write([*rows, *GOOD]), skip_invalid=skip_invalid)
    assert task.excluded == {"the wild type": len(names)}
    assert task.fingerprint() == read_scan(write(GOOD)).fingerprint()


def test_a_synonymous_substitution_beside_others_is_none(write):
    task = read_scan(write([*GOOD[:3], ("K2K:T3D", variant("T3D"), "1")]))
    assert task.n_mutations.tolist() == [1, 1, 1, 1]
    assert task.position.tolist() == [1, 2, 3, 3]


@pytest.mark.parametrize("skip_invalid", [False, True])
@pytest.mark.parametrize("first", [0, 11, 331])
def test_another_numbering_is_recognised_and_may_be_set(write, first, skip_invalid):
    wild = 6 * WILD
    rows = [
        (f"{old}{i + first}{new}", wild[:i] + new + wild[i + 1 :], f"{i}.5")
        for i, old in enumerate(wild)
        for new in "CDW"
    ]
    good = [row for i, row in enumerate(rows) if i % 33]
    bad = [(m, s[::-1], y) for i, (m, s, y) in enumerate(rows) if not i % 33]  # 3 %
    path = write([*bad, *good])
    message = f"most rows fit if numbering starts at {first}; set first_position={first} "
    with pytest.raises(ValueError, match=message):
        read_scan(path, skip_invalid=skip_invalid)
    task = read_scan(path, first_position=first, skip_invalid=True)
    assert task.excluded == {"a mutant that does not match its sequence": len(bad)}
    # positions count in the sequence
    assert [s[p - 1] for s, p in zip(task.sequences, task.position, strict=True)] == [
        m[-1] for m, _, _ in good
    ]
    with pytest.raises(ValueError, match=f"if numbering starts at {first}; set"):
        read_scan(path, first_position=first + 3, skip_invalid=True)


MUTANTS = ("mutant", "DMS_score")


def test_sequences_that_a_scan_lacks_are_made_from_its_wild_type(write):
    task = read_scan(write([(m, score) for m, _, score in GOOD], columns=MUTANTS), wild_type=WILD)
    assert task.fingerprint() == read_scan(write(GOOD)).fingerprint()
    assert task.wild_type == WILD
    # a column of sequences is read, whatever the wild type
    other = read_scan(write(GOOD), wild_type="W" + WILD[1:])
    assert other.fingerprint() == task.fingerprint()


@pytest.mark.parametrize(
    ("reason", "mutant", "what"),
    [
        ("a mutant that does not match its sequence", "W2C", "has W at position 2, .* has K"),
        ("a mutant that does not match its sequence", "R11C", "position 11, .* positions 1 to 10"),
        ("a mutant that does not match its sequence", "K2C:K2A", "changes position 2 twice"),
        ("an unknown notation of substitutions", "nonsense", "is an unknown notation"),
        ("a stop", "p.Lys2Ter", "is a stop"),
        ("an insertion or a deletion", "p.Lys2del", "is an insertion or a deletion"),
        ("unknown letters", "K2X", "in 'K2X' the sequence has .* 'X' at position 2"),
        ("a duplicate", "p.Lys2Ala", "has the sequence of .*line 3, again"),
    ],
)
def test_mutants_without_sequences_are_named_or_counted(write, reason, mutant, what):
    rows = [(m, score) for m, _, score in GOOD]
    path = write([("p.=", ""), *rows[1:], (mutant, "1")], columns=MUTANTS)
    with pytest.raises(ValueError, match=rf"scan\.csv', line 6: .*{what}"):
        read_scan(path, wild_type=WILD)
    task = read_scan(path, wild_type=WILD, skip_invalid=True)
    assert task.excluded == {"the wild type": 1, reason: 1}
    assert task.sequences == [row[1] for row in GOOD[1:]]


def test_the_numbering_of_mutants_without_sequences_is_recognised(write):
    path = write([(f"{old}{i}C", i) for i, old in enumerate(WILD, start=331)], columns=MUTANTS)
    for skip_invalid in (False, True):
        with pytest.raises(ValueError, match=r"0 of 10 rows fit the wild type .* set .*=331 "):
            read_scan(path, wild_type=WILD, skip_invalid=skip_invalid)
    with pytest.raises(ValueError, match=r"0 of 10 mutants fit the wild type, and no other"):
        read_scan(path, wild_type=10 * "W", skip_invalid=True)
    task = read_scan(path, wild_type=WILD, first_position=331)
    assert task.position.tolist() == list(range(1, 11))


def test_a_scan_without_sequences_asks_for_its_wild_type(write):
    with pytest.raises(ValueError, match=r"no column 'mutated_sequence' but .* \(`reference`\)"):
        read_scan(write([("K2A", "1")], columns=MUTANTS))


def test_a_scan_of_which_nearly_nothing_fits_is_refused(write):
    mutants = [f"{old}{i}{new}" for i, old in enumerate(WILD, start=1) for new in "CDW"]
    rows = [(m, variant(mutants[i - 4]), "1") for i, m in enumerate(mutants)]
    with pytest.raises(ValueError, match=r"scan\.csv': 0 of 30 mutants lead from one wild type"):
        read_scan(write(rows), skip_invalid=True)
    with pytest.raises(ValueError, match=r"line 2: 'M1C' does not lead .* M at position 1"):
        read_scan(write(rows))


def test_a_file_of_insertions_and_deletions_is_a_table(write):
    sequences = [3 * WILD, 3 * WILD[1:], 2 * WILD + WILD[:3]]
    path = write([(s, s, f"{i}.5") for i, s in enumerate(sequences)])
    for skip_invalid in (False, True):
        with pytest.raises(ValueError, match=r'whole sequences for mutants.* format="table" with'):
            read_scan(path, skip_invalid=skip_invalid)
    assert read_table(path, sequence="mutated_sequence", target="DMS_score").sequences == sequences


def test_a_wild_type_with_another_letter_is_named_though_no_variant_changes_it(write):
    rows = [(m, f"{s}X", score) for m, s, score in GOOD]
    for skip_invalid in (False, True):
        with pytest.raises(ValueError, match=r"scan\.csv': in the wild type .* 'X' .*`unknown`"):
            read_scan(write(rows), skip_invalid=skip_invalid)
    rows.append(("K2X", variant("K2X") + "X", "1"))
    assert read_scan(write(rows), unknown="X").sequences == [row[1] for row in rows]


def test_at_most_so_many_variants_of_each_count_are_drawn(write):
    letters = "ACDEFGHILN"
    singles = [f"{WILD[i]}{i + 1}{a}" for i in range(10) for a in letters if a != WILD[i]]
    doubles = [f"{a}:{b}" for a in singles[:9] for b in singles[20:29]]
    rows = [(m, variant(m), str(i)) for i, m in enumerate(singles + doubles)]
    whole, drawn = read_scan(write(rows)), read_scan(write(rows), max_per_count=30)
    assert np.unique(drawn.n_mutations, return_counts=True)[1].tolist() == [30, 30]
    (n_left_out,) = drawn.excluded.values()
    assert n_left_out == len(whole.target) - 60
    assert read_scan(write(rows), max_per_count=30).fingerprint() == drawn.fingerprint()
    # a scan of single substitutions stays whole
    assert len(read_scan(write(rows[: len(singles)]), max_per_count=30).target) == len(singles)


@pytest.mark.parametrize("n", [0, -1])
def test_a_draw_of_none_is_refused(write, n):
    with pytest.raises(ValueError, match=rf"scan\.csv': max_per_count={n} is too small; give"):
        read_scan(write(GOOD), max_per_count=n)


def test_a_file_without_the_columns_or_without_valid_rows_is_refused(write):
    with pytest.raises(ValueError, match=r"scan\.csv' has no column 'mutant'"):
        read_scan(write(GOOD, columns=("a", "mutated_sequence", "DMS_score")))
    with pytest.raises(ValueError, match=r"scan\.csv' has no valid row \(it is empty\)"):
        read_scan(write([]))
    with pytest.raises(ValueError, match=r"no valid row \(2 with unknown letters\)"):
        read_scan(write([("WT", "", "1"), ("", "", "2")]), skip_invalid=True)
    with pytest.raises(ValueError, match=r"no valid row \(1 with the wild type\)"):
        read_scan(write([("WT", WILD, "1")]))
    with pytest.raises(ValueError, match=r"no valid row \(1 with no score\)"):
        read_scan(write([("K2A", variant("K2A"), "")]), skip_invalid=True)


@pytest.mark.parametrize("file", ["s.xlsx", "s.parquet", "s;.csv", "s16.csv", "s.tsv", "s.csv.gz"])
def test_columns_may_have_other_names_in_any_format(write, tmp_path, file):
    names = {"mutant": "Mutation", "sequence": "Protein Sequence", "target": "log2 fold"}
    frame, path = pd.DataFrame(GOOD, columns=[*names.values()]), tmp_path / file
    if file == "s.xlsx":
        frame.astype({"log2 fold": float}).to_excel(path, index=False)
    elif file == "s.parquet":
        frame.astype({"log2 fold": "float32"}).to_parquet(path)
    else:
        separator = {"s;.csv": ";", "s.tsv": "\t"}.get(file, ",")
        frame.to_csv(path, index=False, sep=separator, encoding="utf-16" if "16" in file else None)
    task = read_scan(path, **names, name="scan")
    assert task.fingerprint() == read_scan(write(GOOD)).fingerprint()
    with pytest.raises(ValueError, match=r"no column 'mutant' but 'Mutation', .*; name the"):
        read_scan(path)


def test_files_of_a_folder_go_by_the_names_of_the_reference(write, tmp_path):
    write(GOOD, "b.csv.gz")
    write(GOOD, "a.csv")
    write([("x", "y", "z")], "INDEX.csv", columns=("some", "other", "columns"))
    reference = write([("ASSAY_B", "b.csv")], "r.csv", columns=("DMS_id", "DMS_filename"))
    (tmp_path / "notes.txt").write_text("no scan")
    (tmp_path / "old").mkdir()
    (tmp_path / ".DS_Store").touch()
    with pytest.warns(UserWarning, match="is skipped") as caught:
        assert list(scan_files(tmp_path)) == ["a", "b"]
    assert {warning.filename for warning in caught} == {__file__}
    assert [str(warning.message) for warning in caught] == [
        "'INDEX.csv' is skipped: it has no column 'mutant'.",
        "'notes.txt' is skipped: it is no table.",
        "'old' is skipped: it is a folder.",
        "'r.csv' is skipped: it has no column 'mutant'.",
    ]
    with pytest.warns(UserWarning, match="is skipped") as caught:
        assert list(scan_files(tmp_path, reference)) == ["a", "ASSAY_B"]
    assert len(caught) == 3
    assert list(scan_files(tmp_path / "a.csv")) == ["a"]


def test_a_folder_without_scans_or_with_two_of_one_name_is_refused(write, tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        scan_files(tmp_path / "missing")
    with pytest.raises(ValueError, match="has no scan"):
        scan_files(tmp_path)
    write(GOOD, "a.csv")
    write(GOOD, "a.csv.gz")
    with pytest.raises(ValueError, match="both named 'a'"):
        scan_files(tmp_path)


@pytest.mark.skipif("REVDIST_DATA" not in os.environ, reason="REVDIST_DATA is not set")
def test_scans_of_proteingym_are_read_as_its_reference_says():
    data = Path(os.environ["REVDIST_DATA"])
    reference = data / "reference" / "ProteinGym_DMS_substitutions.csv"
    with pytest.warns(UserWarning, match=r"is skipped: it (has no column 'mutant'|is no table)\."):
        files = scan_files(data / "dms", reference)
    with reference.open() as file:
        expected = {row["DMS_id"]: row for row in csv.DictReader(file)}
    checked = 0
    for name in ("IF1_ECOLI_Kelsic_2016", "SUMO1_HUMAN_Weile_2017", "TRPC_THEMA_Chan_2017"):
        task = read_scan(files[name], name=name)
        assert len(task.target) == int(expected[name]["DMS_total_number_mutants"])
        assert task.excluded == {}
        wild = expected[name]["target_seq"]
        differ = [sum(a != b for a, b in zip(s, wild, strict=True)) for s in task.sequences]
        assert differ == task.n_mutations.tolist()
        checked += 1
    assert checked == 3


@pytest.mark.slow
@pytest.mark.skipif("REVDIST_DATA" not in os.environ, reason="REVDIST_DATA is not set")
def test_gb1_with_up_to_four_substitutions_is_capped():
    path = Path(os.environ["REVDIST_DATA"]) / "dms" / "GB1_Wu_2016_four_mutations.csv.gz"
    task = read_scan(path, max_per_count=5000)
    counts = np.unique(task.n_mutations, return_counts=True)
    assert counts[0].tolist() == [1, 2, 3, 4]
    assert counts[1].tolist() == [76, 2091, 5000, 5000]
    assert sum(task.excluded.values()) + len(task.target) == 149360
