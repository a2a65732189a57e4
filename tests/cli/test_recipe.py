"""The command that repeats the paper's tables, on random models with the real shapes of ESM-2."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import (
    ESMEmbedder,
    ReverseDistiller,
    growth,
    load_if1_ecoli,
    load_secondary_structure,
    mean_scores,
    win_rates,
)
from sklearn_revdist.evaluation._score_files import write_scores
from sklearn_revdist.utils._models import ESM2

ROOT = Path(__file__).parents[2]
CHAIN = ESM2[:2]
NAMES, WIDTHS = [model.name for model in CHAIN], [model.width for model in CHAIN]


@pytest.fixture
def cache(tmp_path, monkeypatch, write_checkpoint):
    """A folder that stands in for fair-esm's cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for model in CHAIN:
        path = tmp_path / "torch" / "hub" / "checkpoints" / f"{model.name}.pt"
        write_checkpoint(path, *model[2:], seed=model.width)


@pytest.fixture
def variants(tmp_path):
    """Two small assays of single substitutions, and the sequences in them."""
    assay = load_if1_ecoli()
    columns = {"mutant": assay.mutant, "mutated_sequence": assay.data, "DMS_score": assay.target}
    frame = pd.DataFrame(columns).sample(40, random_state=0)
    (tmp_path / "ASSAYS").mkdir()
    for name, rows in (("ARGR_ECOLI_first", frame[:20]), ("second", frame[20:])):
        rows.to_csv(tmp_path / "ASSAYS" / f"{name}.csv", index=False)
    return frame["mutated_sequence"].tolist()


@pytest.fixture
def natural(tmp_path):
    """Natural proteins, in a file and as a list; with more residues than the chain has columns."""
    proteins = sorted(load_secondary_structure().data, key=len)[:15]
    records = "".join(f">natural {i}\n{protein}\n" for i, protein in enumerate(proteins))
    (tmp_path / "UNIREF50.fasta").write_text(records, encoding="utf-8")
    return proteins


def recipe():
    """The command as the page of results has it, up to a smaller model."""
    page = (ROOT / "docs" / "results.rst").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ +revdist (evaluate ASSAYS .*)$", page, re.MULTILINE)
    assert "--model 15B " in line
    return shlex.split(line.replace("--model 15B ", f"--model {CHAIN[-1].short} "))


def of(table, **wanted):
    """The rows of a table that have these values."""
    return table[(table[[*wanted]] == list(wanted.values())).all(axis=1)]


def compare(monkeypatch, folder):
    """The table beside the paper's figures, by the script that the page names."""
    monkeypatch.setattr(sys, "argv", ["script", str(folder), "--output", "comparison.csv"])
    runpy.run_path(str(ROOT / "examples" / "paper_figures.py"), run_name="__main__")
    return pd.read_csv("comparison.csv").set_index(["figure", "embedding"])


@pytest.mark.slow
def test_the_documented_command_fills_all_tables(in_process, cache, variants, natural, monkeypatch):
    ended = in_process(*recipe(), "-q")
    assert ended.code == 0, ended.err
    tables = {
        name: pd.read_csv(f"esm2/{name}.csv", keep_default_na=False, dtype={"subset": str})
        for name in ("scores", "means", "wins", "growth")
    }
    scores = tables["scores"]
    assert set(scores["model"]) == {*NAMES, ""}  # one-hot and site means need none
    assert np.isfinite(scores["score"].astype(float)).all()
    for name, width in zip(NAMES, WIDTHS, strict=True):
        for embedding in ("plain", "distilled"):
            sizes = of(scores, model=name, representation=embedding)["n_columns"]
            assert set(sizes) == {width}
    smallest = of(scores, model=NAMES[0], representation="plain")["score"]
    natural_fit = {"representation": "distilled", "fitted_on": "natural"}
    prefix = of(scores, model=NAMES[0], **natural_fit)["score"]
    assert prefix.tolist() == smallest.tolist()
    wins = of(tables["wins"], subset="1", model=NAMES[1], **natural_fit).set_index("rival")
    assert {"plain", "distilled", "naive", "concat_pca", "concat"} <= set(wins.index)
    assert (wins["n_tasks"] == 2).all()
    assert wins["win_rate"].between(0, 1).all()
    assert np.isfinite(wins["gain"]).all()
    won = wins.loc["distilled", "win_rate"]  # over the smaller one
    (grows,) = of(tables["growth"], subset="1", **natural_fit)["share"]
    assert grows <= won  # ties count half as wins, and not as growth

    table = compare(monkeypatch, "esm2")
    assert table["measured"].notna().all()
    assert table.loc[("share of assays: 35M beats 8M", "distilled"), "measured"] == won
    for model in CHAIN:
        row = table.loc[(f"mean Spearman's correlation: {model.short}", "plain")]
        (mean,) = of(tables["means"], subset="1", model=model.name, representation="plain")["score"]
        assert row["measured"] == pytest.approx(mean)
        assert row["columns"] == model.width

    # Without the store and the command: the smaller model comes first, bit for bit.
    embedder = ESMEmbedder(CHAIN[-1].short)
    rows = np.concatenate([rows for rows, _ in embedder.iter_residues(natural)])
    X = embedder.transform(variants)
    nested = ReverseDistiller(regressor="pcr").fit(rows).transform(X)
    assert nested.shape == (40, WIDTHS[1])
    np.testing.assert_array_equal(nested[:, : WIDTHS[0]], ESMEmbedder("8M").transform(variants))


def test_the_figures_of_the_paper_stand_beside_those_of_the_whole_family(
    tmp_path, rng, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    rows = []
    for task in ["ARGR_ECOLI_Someone_2020", *map(str, range(27)), "Q3", "localisation"]:
        of_task = {"rows": "variants", "metric": "spearman", "split": "random", "task": task}
        if task in ("Q3", "localisation"):
            of_task |= {"rows": "residues", "metric": "aupr", "split": "given"}
        for model in ESM2:
            for name, data in (("plain", ""), ("distilled", "natural"), ("distilled", "fold")):
                what = {"model": model.name, "representation": name, "fitted_on": data}
                what |= {"n_columns": model.width, "score": rng.random(), "subset": "all"}
                rows.append(of_task | what)
    scores = pd.DataFrame(rows)
    summaries = {"means": mean_scores, "wins": win_rates, "growth": growth}
    for name, summary in summaries.items():
        write_scores(summary(scores), tmp_path / f"{name}.csv")
    write_scores(scores, tmp_path / "scores.csv")
    table = compare(monkeypatch, tmp_path)
    assert table.index.is_unique
    assert table["measured"].notna().all()
    papers = {
        ("share of assays: 3B beats 650M", "distilled"): 0.929,
        ("share of assays: 3B beats 650M", "plain"): 0.536,
        ("share of assays: 15B beats 3B", "distilled"): 0.857,
        ("ARGR_ECOLI_Someone_2020: 650M", "distilled"): 0.858,
        ("ARGR_ECOLI_Someone_2020: 650M", "plain"): 0.834,
        ("Q3: 15B", "distilled"): 0.861,
        ("localisation: 15B", "distilled"): 0.743,
    }
    assert table["paper"].dropna().to_dict() == papers
    own = scores[(scores["task"] == "Q3") & (scores["fitted_on"] == "natural")]
    assert table.loc[("Q3: 15B", "distilled"), "measured"] == pytest.approx(own["score"].iloc[-1])
    assert (table.loc["share of assays: 3B beats 650M", "tasks"] == 28).all()
