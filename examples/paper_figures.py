"""Put what `revdist evaluate` found with a chain of ESM-2 beside the figures of the paper.

    revdist evaluate ASSAYS --model 15B --fit-on UNIREF50.fasta --regressor pcr --output esm2
    python examples/paper_figures.py esm2 --output comparison.csv

Several folders may be given, such as one of assays and one of other tasks. Distilled embeddings are
those of natural residues, as in the paper, and assays are counted by their single substitutions, in
random folds. The paper is Catrina et al. (2026); where it has no figure, the cell is empty.
"""

import argparse
from pathlib import Path

import pandas as pd

from sklearn_revdist.utils._models import ESM2

SHORT = {model.name: model.short for model in ESM2}
WIDTHS = {model.short: model.width for model in ESM2}
FITTED_ON = {"plain": "", "distilled": "natural"}
BEATS_SMALLER = {("3B", "distilled"): 0.929, ("3B", "plain"): 0.536, ("15B", "distilled"): 0.857}
AUPR = {"Q3": 0.861, "Q8": 0.431, "metal ion binding": 0.901}
AUPR |= {"R2/R1, thirds": 0.468, "localisation": 0.743}  # distilled, 15B
ARGR = {("650M", "distilled"): 0.858, ("650M", "plain"): 0.834}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+", help="--output of revdist evaluate")
    parser.add_argument("--output", type=Path, help="file for the table; default: only print it")
    args = parser.parse_args()
    table = pd.concat(map(of_folder, args.folders), ignore_index=True)
    print(table.to_string(index=False, float_format="{:.3f}".format, na_rep=""))
    if args.output:
        table.to_csv(args.output, index=False, lineterminator="\n")


def of_folder(folder):
    """The rows that an output of the command can fill."""
    rows = [*steps(read(folder, "wins")), *grown(read(folder, "growth"))]
    rows += [*means(read(folder, "means")), *single_tasks(read(folder, "scores"))]
    columns = ["figure", "embedding", "columns", "tasks", "paper", "measured", "low", "high"]
    table = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[4:], float))
    return table.astype({"columns": "Int64"})


def read(folder, name):
    """A table, without representations that the paper does not have, and other splits."""
    bounds = {name: [""] for name in ("low", "high", "win_rate_low", "win_rate_high")}
    table = pd.read_csv(
        folder / f"{name}.csv", keep_default_na=False, na_values=bounds, dtype={"subset": str}
    )
    shown = [FITTED_ON.get(name) for name in table["representation"]] == table["fitted_on"]
    shown &= table["split"].isin(["random", "given"])
    if "model" in table:
        shown &= table["model"].isin(SHORT)
    return table[shown]


def of_assays(table):
    return table[(table["rows"] == "variants") & (table["subset"] == "1")]


def of(row):
    """Embedding of a row, its columns, and the number of tasks."""
    return row["representation"], WIDTHS[SHORT[row["model"]]], row.get("n_tasks", 1)


def steps(wins):
    """Share of the assays in which a model beats the next smaller one."""
    wins = of_assays(wins)
    for _, row in wins[wins["model"] != wins["rival_model"]].iterrows():
        if row["rival_model"] in SHORT:
            large, small = SHORT[row["model"]], SHORT[row["rival_model"]]
            paper = BEATS_SMALLER.get((large, row["representation"]))
            bounds = row["win_rate"], row["win_rate_low"], row["win_rate_high"]
            yield f"share of assays: {large} beats {small}", *of(row), paper, *bounds


def grown(growth):
    """Share of the assays in which scores grow with every model."""
    for _, row in of_assays(growth).iterrows():
        bounds = row["share"], row["low"], row["high"]
        of_all = row["representation"], None, row["n_tasks"]
        yield "share of assays: grows with every model", *of_all, None, *bounds


def means(table):
    """Mean correlation of the assays at each size."""
    for _, row in of_assays(table).iterrows():
        bounds = row["score"], row["low"], row["high"]
        yield f"mean Spearman's correlation: {SHORT[row['model']]}", *of(row), None, *bounds


def single_tasks(scores):
    """Scores of tasks that the paper reports one by one, at all sizes."""
    for _, row in scores[scores["subset"] == "all"].iterrows():
        task, model = row["task"], SHORT[row["model"]]
        if task.startswith("ARGR_ECOLI"):
            paper = ARGR.get((model, row["representation"]))
        elif task in AUPR:
            paper = AUPR[task] if (model, row["representation"]) == ("15B", "distilled") else None
        else:
            continue
        yield f"{task}: {model}", *of(row), paper, row["score"], None, None


if __name__ == "__main__":
    main()
