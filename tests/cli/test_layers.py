"""The command `layers`: the table of Python, and what the best layer gains."""

import matplotlib.image
import pandas as pd
import pytest

from sklearn_revdist import ESMEmbedder, layer_scores, load_if1_ecoli

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
    assert ended.code == 0, ended.err
    table = pd.read_csv(tmp_path / "out" / "layers.csv")
    assert (table.pop("task") == "scan").all()
    embedder = ESMEmbedder(
        ["demo-96"], pooling="sites_difference", reference=load_if1_ecoli().wild_type
    )
    scan = variants["mutated_sequence"].tolist(), variants["DMS_score"].to_numpy()
    assert table.columns.tolist() == layer_scores(embedder, *scan, cv=4).columns.tolist()
    assert table["layer"].tolist() == [0, 1, 2, 3, 4]
    assert matplotlib.image.imread(tmp_path / "out" / "layers.png").ndim == 3
    text = ended.out.decode()
    assert "spearman" in text
    last = text.splitlines()[-1]
    best = table.loc[table["score_mean"].idxmax(), "layer"]
    assert last.startswith(f"demo-96: layer {best} is ")


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
