"""Make the tables of docs/results.rst from the scores that results.py wrote.

    python examples/results_page.py --output results --tables docs/results

The folder contains means.csv, wins.csv and growth.csv of `revdist evaluate`, and experiments.csv.
These have all digits; the page's tables are rounded. results_figures.py draws the figures.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_revdist.utils._models import ESM2

SIZES = {"esm2_t3_100K_demo": "48", "esm2_t4_500K_demo": "96", "esm2_t6_2M_demo": "160"}
LARGEST = list(SIZES)[-1]
IN_COUNTS = "plain", "distilled", "concat_pca", "concat", "one_hot", "site_mean"
TEXT = ["subset", "fitted_on", "rival_fitted_on", "setting"]
# Empty for a single task.
BOUNDS = [f"{name}{end}" for name in ("", "win_rate_", "gain_") for end in ("low", "high")]


def write_page(output, tables):
    """Write all tables of the page."""
    tables.mkdir(parents=True, exist_ok=True)
    means, scores = (at_every_size(read(output / f"{name}.csv")) for name in ("means", "scores"))
    wins, grows = (read(output / f"{name}.csv") for name in ("wins", "growth"))
    experiments = read(output / "experiments.csv")
    write(sizes_of_scans(means), tables / "scans.csv")
    write(gains_of_scans(wins), tables / "gains.csv")
    write(growth_of_scans(wins, grows), tables / "growth.csv")
    write(counts_of_scans(means, wins), tables / "counts.csv")
    write(other_tasks(scores), tables / "other_tasks.csv")
    write(exclusions(read(output / "tasks.csv")), tables / "tasks.csv")
    write(recipe(read(output / "tasks.csv")), tables / "recipe.csv")
    for experiment, table in experiments.groupby("experiment", sort=False):
        write(rounded(summary(table)), tables / f"{experiment}.csv")


def read(path):
    return pd.read_csv(
        path,
        keep_default_na=False,
        na_values={key: [""] for key in BOUNDS},
        dtype=dict.fromkeys(TEXT, str),
    )


def at_every_size(table):
    """Baselines without a model have no size, and are repeated at every one."""
    without = table[table["model"] == ""]
    repeated = [without.assign(model=model, fitted_on="") for model in SIZES]
    return pd.concat([table[table["model"] != ""], *repeated], ignore_index=True)


def write(table, path):
    table.to_csv(path, index=False, lineterminator="\n")


def number(value, digits=3):
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def with_interval(row, name="", low="low", high="high"):
    bounds = "" if np.isnan(row[low]) else f" [{number(row[low])}, {number(row[high])}]"
    return number(row[name]) + bounds


def percent(row, name="win_rate"):
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    bounds = "" if np.isnan(low) else f" [{100 * low:.0f}, {100 * high:.0f}]"
    return f"{100 * row[name]:.0f} %{bounds}"


def sizes_of_scans(means):
    """Mean Spearman correlation over scans: one row per representation, one column per size."""
    table = means[(means["rows"] == "variants") & (means["subset"] == "all")].copy()
    table["size"] = table["model"].map(SIZES)
    table["cell"] = table["score"].map(number)
    keys = ["split", "representation", "fitted_on"]
    order = table[keys].drop_duplicates()
    wide = table.pivot(index=keys, columns="size", values="cell")[list(SIZES.values())]
    counts = table.groupby("split")["n_tasks"].max()
    wide = wide.fillna("").loc[list(order.itertuples(index=False, name=None))].reset_index()
    wide.insert(1, "scans", wide["split"].map(counts))
    return wide


def gains_of_scans(wins):
    """Distilled embeddings compared with every baseline of the same size, all variants."""
    table = wins[(wins["rows"] == "variants") & (wins["subset"] == "all")]
    same_size = (table["rival_model"] == "") | (table["rival_model"] == table["model"])
    table = table[(table["representation"] == "distilled") & same_size]
    rows = [
        {
            "split": row["split"],
            "columns": SIZES[row["model"]],
            "fitted on": row["fitted_on"],
            "rival": named(row["rival"], row["rival_model"] and row["rival_fitted_on"]),
            "scans": row["n_tasks"],
            "wins": percent(row),
            "gain": with_interval(row, "gain", "gain_low", "gain_high"),
        }
        for _, row in table.iterrows()
    ]
    return pd.DataFrame(rows).sort_values(["split", "columns"], key=order_of, kind="stable")


def named(representation, fitted_on):
    return f"{representation} ({fitted_on})" if fitted_on else representation


def order_of(column):
    known = ["random", "contiguous", "modulo", *SIZES.values()]
    return column.map({value: i for i, value in enumerate(known)})


def growth_of_scans(wins, grows):
    """How often a size beats the next smaller one, and how often scores grow with every model."""
    own = wins[(wins["rows"] == "variants") & (wins["rival_model"] != "")]
    own = own[own["model"] != own["rival_model"]]
    rows = []
    for key, table in own.groupby(["subset", "split", "representation", "fitted_on"], sort=False):
        subset, split, representation, fitted_on = key
        if subset not in ("all", "1"):
            continue
        row = {"variants": "single" if subset == "1" else "all", "split": split}
        row |= {"representation": representation, "fitted on": fitted_on}
        row["scans"] = table["n_tasks"].max()
        for model, step in table.set_index("model").iterrows():
            row[f"{SIZES[model]} beats {SIZES[step['rival_model']]}"] = percent(step)
        whole = grows[
            (
                grows[["rows", "subset", "split", "representation", "fitted_on"]]
                == ["variants", *key]
            ).all(axis=1)
        ]
        for _, share in whole.iterrows():
            bounds = {"share": share["share"]}
            bounds |= {"share_low": share["low"], "share_high": share["high"]}
            row["grows throughout"] = percent(bounds, "share")
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def counts_of_scans(means, wins):
    """Scores by number of substitutions, at the largest size, random folds."""
    of = means[(means["rows"] == "variants") & (means["split"] == "random")]
    of = of[of["model"] == LARGEST]
    gains = wins[(wins["rows"] == "variants") & (wins["split"] == "random")]
    gains = gains[(gains["model"] == LARGEST) & (gains["rival_model"] == LARGEST)]
    rows = []
    for subset, table in of[of["subset"] != "all"].groupby("subset"):
        row = {"substitutions": subset, "scans": table["n_tasks"].max()}
        for _, mean in table.iterrows():
            if mean["representation"] in IN_COUNTS:
                row[named(mean["representation"], mean["fitted_on"])] = number(mean["score"])
        for _, gain in gains[(gains["subset"] == subset) & (gains["rival"] == "plain")].iterrows():
            cell = with_interval(gain, "gain", "gain_low", "gain_high")
            row[f"gain of distilled ({gain['fitted_on']}) over plain"] = cell
        rows.append(row)
    return pd.DataFrame(rows)


def other_tasks(scores):
    """Scores of tasks of proteins and residues: one each, without an interval over tasks."""
    table = scores[(scores["rows"] != "variants") & (scores["subset"] == "all")].copy()
    table["size"] = table["model"].map(SIZES)
    table["cell"] = table["score"].astype(float).map(number)
    keys = ["task", "metric", "representation", "fitted_on"]
    order = table[keys].drop_duplicates()
    wide = table.pivot(index=keys, columns="size", values="cell")[list(SIZES.values())]
    return wide.fillna("").loc[list(order.itertuples(index=False, name=None))].reset_index()


def exclusions(tasks):
    """Description of each task."""
    columns = ["task", "rows", "metric", "n_rows", "n_sequences", "longest", "left_out"]
    return tasks[columns]


def recipe(tasks):
    """Estimate time and memory for single-mutant scans of the collection with ESM-2.

    It assumes 24 n d^2 + 4 n d L floating-point operations per token, at half of a GPU's 790
    TFLOP/s. Parameters are those of the layers, 12 n d^2, with two bytes each.
    """
    single = tasks[(tasks["rows"] == "variants") & ~tasks["left_out"].str.contains("number of")]
    lengths, variants = single["longest"].to_numpy(int), single["n_sequences"].to_numpy(int)
    tokens = (lengths + 2) * variants
    rows, columns, minutes = [], 0, 0.0
    for model in ESM2:
        columns += model.width
        per_token = 24 * model.n_layers * model.width**2
        per_token = per_token + 4 * model.n_layers * model.width * (lengths + 2)
        seconds = float(per_token @ tokens) / (0.5 * 790e12)
        minutes += seconds / 60
        quantities = {
            "residues a second": tokens.sum() / seconds,
            "minutes, chain up to it": minutes,
            "weights, GB": 24 * model.n_layers * model.width**2 / 1e9,
            "embeddings of the chain, GB": 4 * columns * variants.sum() / 1e9,
            "moments of the chain, GB": 8 * columns**2 / 1e9,
        }
        rows.append({"model": model.short, "columns": model.width})
        rows[-1] |= {name: two_digits(quantity) for name, quantity in quantities.items()}
    return pd.DataFrame(rows)


def two_digits(value):
    """An estimate, to two digits."""
    rounded = float(f"{value:.1e}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:.4f}".strip("0").rstrip(".")


def summary(table):
    """Means over scans, and mean paired gains over baselines, with 95 % bootstrap intervals.

    Draws of one setting are averaged first; `spread_of_draws` is the SD of their means over scans.
    """
    columns = ["representation", "fitted_on", "setting", "n_columns"]
    drawn = table["setting"].str.contains(", draw ")
    spreads = {}
    if drawn.any():
        of_draw = table[drawn].groupby(columns)["score"].mean().reset_index()
        of_draw["setting"] = of_draw["setting"].str.replace(", draw .*", "", regex=True)
        spreads = of_draw.groupby(columns)["score"].std().to_dict()
        table = table.assign(setting=table["setting"].str.replace(", draw .*", "", regex=True))
    table = table.groupby(["task", *columns], sort=False)["score"].mean().reset_index()
    by_task = {key: group.set_index("task")["score"] for key, group in table.groupby(columns)}
    rows = []
    for key in table[columns].drop_duplicates().itertuples(index=False, name=None):
        scores = by_task[key]
        row = dict(zip(columns, key, strict=True))
        row |= {"n_scans": len(scores), "score": scores.mean()}
        row["low"], row["high"] = interval(scores)
        if spreads:
            row["spread_of_draws"] = spreads.get(key, np.nan)
        for name, baseline in baselines(key, list(by_task)).items():
            gain = (scores - by_task[baseline]).dropna()
            low, high = interval(gain)
            row |= {f"gain_over_{name}": gain.mean(), f"low_{name}": low, f"high_{name}": high}
            row[f"wins_over_{name}"] = ((np.sign(gain) + 1) / 2).mean()
        rows.append(row)
    return pd.DataFrame(rows)


def baselines(key, keys):
    """What a representation is compared with, in the same setting if there is one."""
    representation, fitted_on, setting, n_columns = key
    found = {}
    for name, of_baseline in {
        "plain": [("plain", "", setting), ("plain", "", "fixed"), ("plain", "", "")],
        "concat_pca": [("concat_pca", fitted_on, setting), ("concat_pca, all", fitted_on, setting)],
        "ridge": [("distilled", fitted_on, "ridge")],
        "one penalty": [(representation, fitted_on, "one")],
        "chain": [("distilled", fitted_on, "chain")],
    }.items():
        same = [k for wanted in of_baseline for k in keys if k[:3] == wanted and k != key]
        if setting == "one a level" and name == "plain":
            same = [k for k in keys if k[:3] == ("plain", "", "one")]
        nested = representation.startswith("distilled")
        if name in ("concat_pca", "ridge", "chain") and not nested:
            continue
        if name == "concat_pca" or setting in ("ols", "ridge", "pcr"):
            same = [k for k in same if k[3] == n_columns]
        if same:
            found[name] = same[0]
    return found


def interval(values, n_bootstrap=10_000):
    drawn = np.random.default_rng(0).integers(0, len(values), (n_bootstrap, len(values)))
    return np.percentile(np.asarray(values)[drawn].mean(axis=1), [2.5, 97.5])


def rounded(table):
    """A summary, rounded for the page."""
    shown = table[["representation", "fitted_on", "setting", "n_columns", "n_scans"]].rename(
        columns={"n_columns": "columns", "n_scans": "scans", "fitted_on": "fitted on"}
    )
    shown["score"] = table["score"].map(number)
    if "spread_of_draws" in table:
        spread = table["spread_of_draws"]
        shown["spread of draws"] = spread.map(lambda value: number(value, 4)).where(
            ~spread.isna(), ""
        )
    for name in [column.removeprefix("gain_over_") for column in table if "gain_over" in column]:
        known = ~table[f"gain_over_{name}"].isna()
        columns = [f"{part}_{name}" for part in ("gain_over", "low", "high")]
        gains = table.apply(with_interval, axis=1, args=columns)
        wins = table[f"wins_over_{name}"].map(lambda share: f"{100 * share:.0f} %")
        shown[f"gain over {name.replace('_', ' ')}"] = gains.where(known, "")
        shown[f"wins over {name.replace('_', ' ')}"] = wins.where(known, "")
    return shown.loc[:, (shown != "").any(axis=0)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--output", type=Path, default=Path("results"), help="folder written by results.py"
    )
    parser.add_argument("--tables", type=Path, required=True, help="folder for the tables")
    arguments = parser.parse_args()
    write_page(arguments.output, arguments.tables)
