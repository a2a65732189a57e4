"""Replay campaigns that measure in rounds, on ten scans: what finds the best variants?

    python examples/campaigns.py --data DATA --output docs/results/campaigns.csv

The scans are the ten largest of different proteins, 2,000 variants of each. A campaign has a first
plate, drawn at random, and four more, each picked by what has been measured before. The embedding
is demo-160's mean over all residues and over the mutated sites. Mean embeddings, a random forest
with these settings and the best predictions are the recipe of EVOLVEpro (Jiang et al. 2025). A
zero-shot start is drawn from the tenth of the variants with the best masked marginals. A finished
scan is read from the folder of campaigns.
"""

import argparse
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from results_page import interval, number, write
from scans import drawn, kept, scan_readers
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import (
    ESMEmbedder,
    ESMScorer,
    PrefixRidgeCV,
    SequenceOneHotEncoder,
    simulate_campaign,
)

SCANS = [
    "metl_avgfp",
    "metl_ube4b",
    "GB1_Wu_2016_four_mutations",
    "metl_pab1",
    "metl_grb2-abundance",
    "R1AB_SARS2_Flynn_growth_2022",
    "BLAT_ECOLX_P62593_esm_notebook",
    "A4GRB6_PSEAI_Chen_2020",
    "KKA2_KLEPN_Melnikov_2014",
    "SPIKE_RBD_Starr_2020_ACE2_binding",
]
N_VARIANTS = 2000
PLATES = 12, 24, 48
N_ROUNDS = 4
N_STARTS = 10
ALPHAS = np.logspace(-2, 6, 17)
RECIPE, ONE_HOT = "mean embedding, forest", "one-hot, ridge"
COLOURS = ["#999999", "#000000", "#56B4E9", "#009E73", "#E69F00", "#0072B2", "#CC79A7", "#D55E00"]
MARKERS = "osv^DPX*"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--campaigns", type=Path, default=Path("campaigns"), help="their folder")
    parser.add_argument("--output", type=Path, help="file for the table; default: only print it")
    args = parser.parse_args()
    args.campaigns.mkdir(parents=True, exist_ok=True)
    scans = scan_readers(args.data)
    store = args.campaigns / "embeddings.sqlite"
    tables = []
    for scan in SCANS:
        path, read = args.campaigns / f"{scan}.csv", scans[scan]
        table = kept(path, lambda r=read: campaigns_of(drawn(r(), N_VARIANTS), store))
        tables.append(table.assign(scan=scan))
    campaigns = pd.concat(tables, ignore_index=True)
    table = summary(campaigns)
    print(table.to_string(index=False))
    if args.output:
        write(table, args.output)
        write(of_scans(campaigns), args.output.with_stem(args.output.stem + "_by_scan"))
        draw(campaigns, args.output.with_suffix(".png"))


def campaigns_of(task, store):
    """Every round of every campaign on one scan."""
    y = task.target
    tables = []
    promising, strategies = strategies_of(task, store)
    for plate, start in product(PLATES, range(N_STARTS)):
        scored = np.random.default_rng(start).choice(promising, plate, replace=False)
        for name, (X, estimator, acquisition) in strategies.items():
            campaign = simulate_campaign(
                estimator,
                X,
                y,
                initial=scored if name.endswith("zero-shot start") else plate,
                n_per_round=plate,
                n_rounds=N_ROUNDS,
                acquisition=acquisition,
                threshold=np.quantile(y, 0.9),
                random_state=start,
            )
            campaign["percentile"] = [(y < best).mean() for best in campaign["best"]]
            tables.append(campaign.assign(plate=plate, strategy=name, start=start))
    return pd.concat(tables, ignore_index=True)


def strategies_of(task, store):
    """The tenth with the best zero-shot scores, and columns, estimator and picks of strategies."""
    how = {"reference": task.wild_type, "unknown": "X", "store": store}
    embedder = ESMEmbedder(["demo-160"], pooling=["mean", "sites"], **how)
    embedding = embedder.transform(task.sequences)[task.protein].astype(np.float64)
    scorer = ESMScorer(["demo-160"], kinds=["masked_marginals"], **how)
    sequences = np.array(task.sequences, dtype=object)[task.protein]
    one_hot = SequenceOneHotEncoder(unknown="X").fit_transform(sequences)
    both = np.hstack([one_hot, embedding])
    mean = embedding[:, :160]
    # The same ridge with standard deviations.
    uncertain = PrefixRidgeCV(ALPHAS, prefixes=[both.shape[1]])
    forest = RandomForestRegressor(random_state=0)
    strategies = {
        "random picks": (mean, forest, "random"),
        RECIPE: (mean, forest, "greedy"),
        "mean embedding, ridge": (mean, ridge(), "greedy"),
        "one-hot, forest": (one_hot, forest, "greedy"),
        ONE_HOT: (one_hot, ridge(), "greedy"),
        "one-hot + embedding, ridge": (both, ridge(), "greedy"),
        "one-hot + embedding, Thompson sampling": (both, uncertain, "thompson"),
        "one-hot + embedding, zero-shot start": (both, ridge(), "greedy"),
    }
    scores = scorer.transform(task.sequences)[task.protein, 0]
    promising = np.argsort(-scores, kind="stable")[: len(scores) // 10]
    return promising, strategies


def ridge():
    return make_pipeline(StandardScaler(), RidgeCV(ALPHAS))


def summary(campaigns):
    """Means over scans after the last plate, and gains over two others from the same starts."""
    last = campaigns[campaigns["round"] == N_ROUNDS]
    rows = []
    for plate, of_plate in last.groupby("plate"):
        found = of_plate.pivot(index=["scan", "start"], columns="strategy", values="found")
        for strategy, of_strategy in of_plate.groupby("strategy", sort=False):
            by_scan = of_strategy.groupby("scan")[["found", "percentile", "hit_rate"]].mean()
            row = {"plate": plate, "measured": plate * (N_ROUNDS + 1), "strategy": strategy}
            row["top 1 % found"] = bounded(by_scan["found"])
            row["percentile of the best"] = number(100 * by_scan["percentile"].mean(), 1)
            row["hits, last plate"] = number(by_scan["hit_rate"].mean())
            for rival, name in ((RECIPE, "the recipe"), (ONE_HOT, "one-hot, ridge")):
                if strategy != rival:
                    gains = found[strategy] - found[rival]
                    wins = (np.sign(gains) + 1) / 2
                    row[f"gain over {name}"] = bounded(gains.groupby("scan").mean())
                    row[f"wins over {name}"] = bounded(wins.groupby("scan").mean(), 2)
            rows.append(row)
    columns = max(rows, key=len)
    return pd.DataFrame(rows, columns=list(columns)).fillna("")


def of_scans(campaigns, plate=24):
    """Share of the best variants that each strategy finds in each scan, with one size of plate."""
    last = campaigns[(campaigns["round"] == N_ROUNDS) & (campaigns["plate"] == plate)]
    means = last.groupby(["scan", "strategy"], sort=False)["found"].mean().unstack("strategy")
    return means.map(number, digits=2).reset_index().rename_axis(columns=None)


def bounded(values, digits=3):
    low, high = interval(values)
    return f"{number(values.mean(), digits)} [{number(low, digits)}, {number(high, digits)}]"


def draw(campaigns, path):
    """Share of the best variants found against the number measured: a panel a plate.

    After the last plate there are intervals over scans, side by side.
    """
    plt.rcParams["font.size"] = 9
    figure, axes = plt.subplots(1, len(PLATES), figsize=(7, 4.6), sharey=True, layout="constrained")
    by_scan = campaigns.groupby(["plate", "strategy", "n_measured", "scan"], sort=False)["found"]
    by_scan = by_scan.mean().unstack("scan")
    means = by_scan.mean(axis=1)
    for ax, plate in zip(axes, PLATES, strict=True):
        strategies = means.loc[plate].index.unique("strategy")
        for i, (strategy, colour, marker) in enumerate(
            zip(strategies, COLOURS, MARKERS, strict=True)
        ):
            found = means.loc[plate, strategy]
            low, high = interval(by_scan.loc[plate, strategy].iloc[-1])
            x = plate * (N_ROUNDS + 1.25 + 0.09 * i)
            ax.vlines(x, 100 * low, 100 * high, color=colour, linewidth=1)
            ax.plot(x, 100 * found.iloc[-1], color=colour, marker=marker, markersize=3)
            dashed = {"linestyle": "--" if strategy in ("random picks", RECIPE) else "-"}
            style = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.2}
            ax.plot(found.index, 100 * found, label=strategy, **style, **dashed)
        ax.set_title(f"{plate} variants a plate", fontsize=9)
        ax.set_xlabel("variants measured, of 2,000")
        ax.set_xticks(plate * np.arange(1, N_ROUNDS + 2))
        ax.grid(axis="y", color="0.9")
    axes[0].set_ylim(0, None)
    axes[0].set_ylabel("share of the top 1 % found, %")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=200)
    plt.close(figure)


if __name__ == "__main__":
    main()
