"""The command `layers`: the table of Python, and what the best layer gains."""

import json

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import ESMEmbedder, layer_scores, load_if1_ecoli
from sklearn_revdist.evaluation._splits import random_fold

ASK = ("layers", "scan.csv", "-m", "demo-96", "--alone", "-q")


@pytest.fixture
def variants(tmp_path):
    assay = load_if1_ecoli()
    columns = {"mutant": assay.mutant, "mutated_sequence": assay.data, "DMS_score": assay.target}
    frame = pd.DataFrame(columns).sample(120, random_state=0)
    frame.to_csv(tmp_path / "scan.csv", index=False)
    return frame


def test_the_table_is_that_of_python(in_process, tmp_path, variants):
    ended = in_process(*ASK, "-o", "out", "--folds", "4", "--pooling", "sites_difference")
    assert (ended.code, ended.err) == (0, "")
    table = pd.read_csv(tmp_path / "out" / "layers.csv")
    assert (table.pop("task") == "scan").all()
    embedder = ESMEmbedder(
        ["demo-96"], pooling="sites_difference", reference=load_if1_ecoli().wild_type
    )
    scan = variants["mutated_sequence"].tolist(), variants["DMS_score"].to_numpy()
    fold = random_fold(scan[0], 4)
    folds = [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(4)]
    expected = layer_scores(embedder, *scan, cv=folds)
    pd.testing.assert_frame_equal(table, expected, rtol=0, atol=6e-7)  # written to 6 digits
    assert matplotlib.image.imread(tmp_path / "out" / "layers.png").ndim == 3
    text = ended.out.decode()
    assert "spearman" in text
    last = text.splitlines()[-1]
    best = table.loc[table["score_mean"].idxmax(), "layer"]
    assert last.startswith(f"demo-96: layer {best} is ")
    assert [line.endswith("best") for line in text.splitlines()[1:-1]].index(True) == best


def test_some_layers_are_compared_with_the_last_as_json(in_process, variants):
    every = json.loads(in_process(*ASK, "--json").out)["tasks"][0]["layers"]
    ended = in_process(*ASK, "--layers", "0.25,0.5", "--jobs", "2", "--json")
    assert ended.code == 0, ended.err
    (task,) = json.loads(ended.out)["tasks"]
    assert task["layers"] == [every[i] for i in (1, 2, 4)]
    best = max(task["layers"], key=lambda row: row["score_mean"])
    assert task["best"] == {"esm2_t4_500K_demo": best["layer"]}
    ended = in_process(*ASK, "--layers", "9")
    assert ended.code == 2
    assert "--layers 9 is not a layer of demo-96" in ended.err


def test_of_one_fold_there_is_no_interval(in_process, tmp_path, variants):
    sets = np.where(np.arange(len(variants)) % 3, "train", "test")
    variants.assign(sequence=variants["mutated_sequence"], set=sets).to_csv("s.csv", index=False)
    entry = '[[task]]\nformat = "table"\npath = "s.csv"\ntarget = "DMS_score"\nsplit = "set"\n'
    (tmp_path / "tasks.toml").write_text(entry + 'name = "a"\n' + entry + 'name = "b"\n')
    chain = ("-m", "demo", "-q")
    ended = in_process("layers", "tasks.toml", *chain)
    assert ended.code == 0, ended.err
    a, b = ended.out.decode().split("\nb\n")
    assert a.split("\na\n") == ["", b]
    verdicts = b.splitlines()[-3:]
    assert all(v.endswith((", on one fold", "is the best")) for v in verdicts)
    tasks = json.loads(in_process("layers", "tasks.toml", *chain, "--json").out)["tasks"]
    assert [task["task"] for task in tasks] == ["a", "b"]
    assert all(row["gain_low"] is None for task in tasks for row in task["layers"])


@pytest.mark.usefixtures("variants")
def test_splits_by_position_and_a_store(in_process, tmp_path, monkeypatch):
    ask = (*ASK, "--split", "contiguous", "--store", "s.sqlite")
    first = in_process(*ask)
    assert first.code == 0, first.err
    monkeypatch.setattr("sklearn_revdist.embedding._inference.EmbeddingRun.embed", pytest.fail)
    again = in_process(*ask)
    assert again.out == first.out


def test_tasks_of_residues_and_without_positions_are_refused(in_process, tmp_path, variants):
    listed = """[[task]]
name = "t"
format = "table"
path = "t.csv"
target = "DMS_score"
"""
    (tmp_path / "tasks.toml").write_text(listed)
    renamed = variants.rename(columns={"mutated_sequence": "sequence"})
    renamed.to_csv(tmp_path / "t.csv", index=False)
    ended = in_process("layers", "tasks.toml", "-m", "demo-48", "-q", "--split", "modulo")
    assert ended.code != 0
    assert "which the split 'modulo' needs; choose 'random'" in ended.err
    listed = in_process("layers", "tasks.toml", "-m", "demo-48", "-q")
    assert listed.code == 0
    columns = ("--target", "DMS_score", "--sequence-column", "mutated_sequence")
    variants.to_csv(tmp_path / "u.csv", index=False)
    assert in_process("layers", "u.csv", *columns, "-m", "demo-48", "-q").out == listed.out
