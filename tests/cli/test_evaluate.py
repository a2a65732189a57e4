"""The command `evaluate`: all tables from one line, resumed after a stop, errors with places."""

import json
import sys

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

import sklearn_revdist.cli._evaluate as command
from sklearn_revdist import load_if1_ecoli

SETTINGS = ["-m", "demo", "--representations", "plain,distilled", "-q"]
TABLES = ["scores", "tasks", "means", "wins", "growth"]


@pytest.fixture(scope="module")
def variants():
    assay = load_if1_ecoli()
    frame = pd.DataFrame(
        {"mutant": assay.mutant, "mutated_sequence": assay.data, "DMS_score": assay.target}
    )
    return frame.sample(80, random_state=0)


@pytest.fixture
def scans(variants, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    variants[:40].to_csv(folder / "one.csv", index=False)
    variants[40:].to_csv(folder / "two.csv", index=False)
    return folder


def natural():
    """Random proteins of 60 residues."""
    letters = np.random.default_rng(0).choice([*"ACDEFGHIKLMNPQRSTVWY"], size=(12, 60))
    return ["".join(row) for row in letters]


def fasta(path, proteins):
    path.write_text("".join(f">p\n{protein}\n" for protein in proteins))
    return path


def contents(folder):
    return {name: (folder / f"{name}.csv").read_bytes() for name in TABLES}


def test_one_command_makes_all_tables_and_a_second_run_the_same(in_process, scans, tmp_path):
    line = ["evaluate", scans, *SETTINGS, "--distiller", "demo", "--output", "out"]
    first = in_process(*line)
    assert first.code == 0, first.err
    folder = tmp_path / "out"
    tables = contents(folder)
    scores = pd.read_csv(folder / "scores.csv", keep_default_na=False)
    assert scores["task"].unique().tolist() == ["one", "two"]
    assert set(scores["fitted_on"]) == {"", "natural", "fold"}
    described = pd.read_csv(folder / "tasks.csv")
    assert described["n_rows"].tolist() == [40, 40]
    assert described["longest"].tolist() == [72, 72]
    picture = matplotlib.image.imread(folder / "scaling.png")
    assert picture.shape[0] > 300
    assert np.ptp(picture) > 0.5
    assert (picture[:, [0, -1]] == 1).all()  # nothing is cut off at the sides
    assert "Mean spearman of 2 tasks (variants, random split):" in first.text
    assert "distilled, fitted on natural data, over\n  plain " in first.text

    kept = {path: path.stat().st_mtime_ns for path in (folder / "tasks").iterdir()}
    second = in_process(*line)
    assert second.text == first.text
    assert contents(folder) == tables
    assert {path: path.stat().st_mtime_ns for path in (folder / "tasks").iterdir()} == kept


def test_an_interrupted_run_goes_on_and_gives_the_same(in_process, scans, tmp_path, monkeypatch):
    line = ["evaluate", scans, *SETTINGS, "--fitted-on", "fold", "--output"]
    whole = in_process(*line, "whole")
    assert whole.code == 0, whole.err
    announced = command._announced

    def interrupted(tasks):
        yield from announced(tasks[:1])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(command, "_announced", interrupted)
        stopped = in_process(*line, "broken")
    assert stopped.code == 130
    assert "run the same command to go on" in stopped.err
    (done,) = (tmp_path / "broken" / "tasks").iterdir()
    before = done.stat().st_mtime_ns
    assert in_process(*line, "broken").code == 0
    assert done.stat().st_mtime_ns == before
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


def test_all_input_is_checked_before_any_is_embedded(in_process, scans, tmp_path):
    with open(scans / "two.csv", "a") as file:
        file.write("M1W,AAAA,0.5\n")
    line = ["evaluate", scans, *SETTINGS, "--fitted-on", "fold", "--output", "out"]
    ended = in_process(*line)
    assert ended.code == 3
    assert "two.csv', line 42: 'M1W' does not lead to its mutated_sequence" in ended.err
    assert not (tmp_path / "out").exists()

    line.remove("-q")
    ended = in_process(*line, "--skip-invalid")
    assert ended.code == 0, ended.err
    assert "Left out of 'two': a mutant that does not match its sequence: 1." in ended.err
    assert "Left out of 'one'" not in ended.err
    described = pd.read_csv(tmp_path / "out" / "tasks.csv", keep_default_na=False)
    assert described["left_out"].tolist() == ["", "a mutant that does not match its sequence: 1"]
    assert described["n_rows"].tolist() == [40, 40]


def test_what_to_fit_on_is_embedded_once(in_process, scans, variants, tmp_path):
    path = fasta(tmp_path / "natural.fasta", natural())
    line = ["evaluate", scans / "one.csv", "-m", "demo", "--fit-on", path]
    line += ["--fit-sequences", "10", "--representations", "distilled,naive", "--output", "out"]
    first = in_process(*line)
    assert first.code == 0, first.err
    assert "Residues of 10 proteins drawn from 12 records\n" in first.err
    assert "Residues of" not in in_process(*line).err
    scores = pd.read_csv(tmp_path / "out" / "scores.csv", keep_default_na=False)
    assert "natural" in set(scores.loc[scores["representation"] == "naive", "fitted_on"])
    assert len(list((tmp_path / "out" / "moments").iterdir())) == 1


def test_proteins_to_fit_on_are_drawn_as_fit_draws_them(in_process, scans, tmp_path):
    proteins = natural()
    pd.DataFrame({"sequence": [*proteins, "MKX", proteins[0]]}).to_csv("n.csv", index=False)
    line = ["-m", "demo", "--representations", "distilled", "--fitted-on", "natural"]
    line += ["--fit-sequences", "10", "--output"]
    ended = in_process("evaluate", scans / "one.csv", *line, "a", "--fit-on", "n.csv")
    assert ended.code == 0, ended.err
    assert "drawn from 14 records, without 1 with other letters than the 20" in ended.err
    fasta(tmp_path / "n.fasta", proteins[::-1])
    fit = ("fit", "n.fasta", "-m", "demo", "-q", "--sequences", "10", "-o", "n.safetensors")
    assert in_process(*fit).code == 0
    line += ["b", "--distiller", "n.safetensors"]
    assert in_process("evaluate", scans / "one.csv", *line).code == 0
    a, b = (pd.read_csv(tmp_path / folder / "scores.csv") for folder in "ab")
    assert len(a) > 0
    np.testing.assert_allclose(a["score"], b["score"], rtol=1e-6)


@pytest.mark.parametrize("asked", [("demo-96", "--alone"), ("model",)])
def test_one_model_alone(in_process, scans, tmp_path, asked, hugging_face):
    hugging_face(tmp_path / "model")
    line = ["evaluate", scans / "one.csv", "-q", "--representations", "plain", "-m", *asked]
    ended = in_process(*line, "--output", "out")
    assert ended.code == 0, ended.err
    scores = pd.read_csv(tmp_path / "out" / "scores.csv")
    assert set(scores["model"]) == {"model" if asked == ("model",) else "esm2_t4_500K_demo"}


def test_a_checkpoint_that_was_replaced_is_fitted_on_and_scored_anew(
    in_process, scans, tmp_path, write_checkpoint, replace_checkpoint
):
    chain = [
        write_checkpoint(tmp_path / f"{name}.pt", width=w) for name, w in (("a", 12), ("b", 24))
    ]
    path = fasta(tmp_path / "natural.fasta", natural())
    line = ["evaluate", scans / "one.csv", "-m", chain[0], "-m", chain[1], "--fit-on", path]
    line += ["--representations", "plain,distilled", "--output"]
    summing = "Residues of 12 proteins drawn from 12 records"
    assert summing in in_process(*line, "out").err
    assert summing not in in_process(*line, "out").err
    before = pd.read_csv(tmp_path / "out" / "scores.csv")
    replace_checkpoint(chain[1])
    assert summing in in_process(*line, "out").err
    assert in_process(*line, "fresh").code == 0
    after = pd.read_csv(tmp_path / "out" / "scores.csv")
    pd.testing.assert_frame_equal(after, pd.read_csv(tmp_path / "fresh" / "scores.csv"))
    changed = after["score"] != before["score"]
    assert changed[after["model"] == "b"].all()
    assert not changed[(after["model"] == "a") & (after["representation"] == "plain")].any()


def test_without_matplotlib_there_is_no_picture(in_process, scans, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    line = ["evaluate", scans / "one.csv", *SETTINGS, "--fitted-on", "fold", "--output", "out"]
    ended = in_process(*line)
    assert ended.code == 0, ended.err
    assert 'pip install "sklearn-revdist[plot]"' in ended.err
    assert not (tmp_path / "out" / "scaling.png").exists()
    assert (tmp_path / "out" / "means.csv").exists()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--representations", "raw"], 2, "'raw' is not one of plain, distilled"),
        (["--splits", "given"], 2, "'given' is not one of random, contiguous, modulo"),
        (["--distiller", "demo", "--fit-on", "scans"], 2, "is fitted already"),
        (
            ["-m", "8M", "--distiller", "demo"],
            2,
            "of 'one' are of 8M;",
        ),
        (["--layer", "1", "--distiller", "demo"], 2, "are of demo-48 layer 1, "),
        (["-m", "9M"], 2, "9M"),
        (["--target", "y"], 3, "has no table with the columns y that are asked for; check"),
        (["--distiller", "no-such-file"], 3, "no-such-file"),
        (["--data", "nowhere"], 3, "There is no file or folder 'nowhere'; check the path."),
        (["--fit-on", "scans", "--fit-on", "none.fa"], 3, "There is no file or folder 'none.fa'"),
        (["--folds", "500"], 3, "'one' has too few positions or proteins for 500 folds"),
        (["--folds", "1"], 2, "--folds"),
        (["--jobs", "0"], 2, "--jobs"),
        (["--max-length", "0"], 2, "--max-length"),
        (["--fit-sequences", "0"], 2, "--fit-sequences"),
    ],
)
def test_a_mistake_ends_with_its_code_and_one_sentence(in_process, scans, options, code, message):
    chain = [] if "-m" in options else ["-m", "demo"]
    ended = in_process("evaluate", scans, "-q", *chain, *options)
    assert (ended.code, "Traceback" in ended.err) == (code, False)
    assert message in ended.err


def test_two_tasks_of_one_name_end_it_before_the_work(in_process, scans, tmp_path):
    entry = '[[task]]\nformat = "scan"\npath = "scans/one.csv"\nname = "x"\n'
    (tmp_path / "tasks.toml").write_text(entry * 2)
    ended = in_process("evaluate", "tasks.toml", *SETTINGS, "--output", "out")
    assert ended.code == 3
    assert ended.err.strip() == "Error: Two tasks are named 'x'; rename one."
    assert not (tmp_path / "out").exists()


def test_tables_as_one_json_object(in_process, scans, tmp_path):
    line = ["evaluate", scans / "one.csv", *SETTINGS, "--distiller", "demo", "--output", "out"]
    ended = in_process(*line, "--json")
    assert ended.code == 0, ended.err
    content = json.loads(ended.out)  # nothing else is there
    assert content.pop("output") == "out"
    assert set(content) == {"scores", "means", "wins", "growth"}
    for name, rows in content.items():
        table = pd.read_csv(tmp_path / "out" / f"{name}.csv", keep_default_na=False)
        assert [*rows[0]] == [*table]
        assert len(rows) == len(table)
    assert content["means"][0]["low"] is None
    scores = pd.DataFrame(content["scores"])
    best = scores[["top_k_recall", "hit_rate", "ndcg_at_k"]]
    assert best.notna().all(axis=None)
    assert best.stack().between(0, 1).all()
    assert in_process(*line).text.startswith("\nMean spearman of 1 task ")


@pytest.mark.parametrize("file", ["v.xlsx", "v;.csv", "v16.csv", "v.parquet"])
def test_spreadsheets_by_the_names_of_their_columns(in_process, variants, tmp_path, file):
    names = {"mutated_sequence": "Protein", "DMS_score": "log2 fold", "mutant": "Variant"}
    frame, path = variants[:40].rename(columns=names), tmp_path / file
    if file == "v.xlsx":
        frame.to_excel(path, index=False)
    elif file == "v.parquet":
        frame.to_parquet(path)
    else:
        encoding = "utf-16" if "16" in file else None
        frame.to_csv(path, index=False, sep=";" if ";" in file else ",", encoding=encoding)
    line = ["evaluate", path, "-m", "demo-48", "-q", "--representations", "plain,site_mean"]
    line += ["--target", "log2 fold", "--sequence-column", "Protein"]
    ended = in_process(*line, "--output", "proteins")
    assert ended.code == 0, ended.err
    assert pd.read_csv("proteins/tasks.csv")["rows"].tolist() == ["proteins"]
    line += ["--mutant-column", "Variant", "--splits", "random,contiguous"]
    ended = in_process(*line, "--output", "variants")
    assert ended.code == 0, ended.err
    scores = pd.read_csv("variants/scores.csv", keep_default_na=False)
    assert set(scores["rows"]) == {"variants"}
    assert set(scores["split"]) == {"random", "contiguous"}
    assert "site_mean" in set(scores["representation"])


def test_a_scan_without_sequences_by_its_wild_type(in_process, variants, tmp_path):
    """The scores are those of the same scan with its sequences."""
    wild_type = load_if1_ecoli().wild_type
    (tmp_path / "wild.fasta").write_text(f">wild type\n{wild_type}\n")
    line = ["scan.csv", "-m", "demo-48", "--representations", "plain,one_hot", "-q", "--output"]
    variants[:40].to_csv("scan.csv", index=False)
    whole = in_process("evaluate", *line, "whole")
    assert whole.code == 0, whole.err
    variants[:40].drop(columns="mutated_sequence").to_csv("scan.csv", index=False)
    without = in_process("evaluate", *line, "without")
    assert without.code == 3
    assert "give the wild type if there are mutants without sequences (--reference)" in without.err
    made = in_process("evaluate", *line, "made", "--reference", "wild.fasta")
    assert made.code == 0, made.err
    assert contents(tmp_path / "made") == contents(tmp_path / "whole")


@pytest.mark.filterwarnings("default:.* skipped")
def test_what_is_skipped_is_named_with_the_reason(in_process, scans, variants, tmp_path):
    for i in range(12):
        (scans / f"notes{i:02}.txt").write_text("no scan")
    line = ["evaluate", scans, "-m", "demo-48", "-q", "--representations", "plain"]
    ended = in_process(*line, "--output", "out")
    assert ended.code == 0, ended.err
    lines = [line for line in ended.err.splitlines() if "skipped" in line]
    expected = [f"Warning: 'notes{i:02}.txt' is skipped: it is no table." for i in range(10)]
    assert lines == [*expected, "Warning: 2 more are skipped."]

    entry = '[[task]]\nformat = "scan"\npath = "scans/one.csv"\n'
    frame = variants[40:].rename(columns={"mutated_sequence": "sequence", "DMS_score": "target"})
    frame.to_csv(tmp_path / "p.csv", index=False)
    entry += '[[task]]\nformat = "table"\npath = "p.csv"\n'
    (tmp_path / "tasks.toml").write_text(entry)
    line.remove("-q")
    line = ["evaluate", "tasks.toml", *line[2:], "--splits", "contiguous,modulo"]
    ended = in_process(*line, "--output", "other")
    assert ended.code == 0, ended.err
    ended_by = in_process(*line, "--sequence-column", "protein", "--output", "other")
    assert ended_by.code == 3
    assert "wild types of their own; leave out --sequence-column protein." in ended_by.err
    assert [line for line in ended.err.splitlines() if "skipped" in line] == [
        "Warning: 'p' is skipped: it has no positions of single substitutions, which the splits "
        "'contiguous', 'modulo' need."
    ]
    assert "1/1 one" in ended.err


@pytest.mark.parametrize("suffix", [".csv.xz", ".csv.zip", ".csv;"])
def test_a_scan_is_read_in_any_dialect(in_process, scans, tmp_path, suffix):
    frame = pd.read_csv(scans / "one.csv")
    (tmp_path / "others").mkdir()
    path = tmp_path / "others" / f"one{suffix.rstrip(';')}"
    frame.to_csv(path, index=False, sep=";" if suffix.endswith(";") else ",")
    line = ["-m", "demo-48", "-q", "--representations", "plain", "--output"]
    first = in_process("evaluate", scans / "one.csv", *line, "first")
    again = in_process("evaluate", tmp_path / "others", *line, "again")
    assert first.code == again.code == 0, first.err + again.err
    assert contents(tmp_path / "first") == contents(tmp_path / "again")
