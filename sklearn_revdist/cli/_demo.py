"""Command `revdist demo`: embed, distill and score offline, on what is bundled."""

from pathlib import Path

import click
import numpy as np
import pandas as pd
from sklearn.metrics import make_scorer
from sklearn.model_selection import KFold, cross_val_score

from ..displays._axes import LEVELS
from ..displays._prefix_curve import PrefixCurveDisplay
from ..displays._prefix_scores import PrefixScoreDisplay
from ..distillation._reverse_distiller import ReverseDistiller
from ..embedding._embedder import ESMEmbedder
from ..evaluation._prefix_scores import prefix_scores
from ..probes._metrics import spearman
from ..probes._prefix_ridge_cv import PrefixRidgeCV
from ..tasks._bundled import load_if1_ecoli
from ._console import NO_PICTURE, print_json
from ._options import report_options
from ._paths import checked_path, file_only
from ._words import short_names

_NOT_ESM2 = (
    "The demo chain is not ESM-2: it is three tiny models of the same architecture, trained by "
    "this project's own script, to show the mechanics."
)
_REPRESENTATIONS = {
    "plain": "plain",
    "distilled": "distilled",
    "concat_pca": "PCA of concatenation",
}


@click.command()
@click.option(
    "-o",
    "--output",
    **checked_path(file_only),
    default="demo.png",
    help="Where to write the picture, a PNG.",
)
@report_options("instead of a table")
def demo_command(output, as_json, quiet):
    """Embed, distill and score the bundled assay with the bundled demo chain.

    Needs neither a network nor a GPU. Prints, for every model of the chain, the 5-fold
    cross-validated Spearman correlation of a Ridge probe on the plain embedding of that model, on
    the distilled prefix and on the PCA of the concatenation to the same width; then the best of
    all prefixes, as PrefixRidgeCV chooses it, and baselines that need no model: one-hot encoding
    and the mean of each site. The picture has all, and the score of every prefix.
    """
    if not as_json:
        click.echo(_NOT_ESM2)
    assay = load_if1_ecoli()
    embeddings = ESMEmbedder("demo", verbose=not quiet).transform(assay.data)
    distiller = ReverseDistiller.from_pretrained("demo")
    of_rows = {"sequences": assay.data, "reference": assay.wild_type}
    scores = prefix_scores(distiller, embeddings, assay.target, **of_rows, verbose=not quiet)
    nested = distiller.transform(embeddings)
    probe, best = _best_prefix(nested, assay.target)
    models = dict(zip(distiller.model_names_, distiller.prefix_lengths_.tolist(), strict=True))
    picture = _draw(scores, probe, models, output)

    if as_json:
        report = {
            "note": _NOT_ESM2,
            "assay": "IF1_ECOLI_Kelsic_2016",
            "n_sequences": len(assay.data),
            "scores": scores.to_dict("records"),
            "best_prefix": best,
            "curve": {
                "n_columns": probe.prefixes_.tolist(),
                "score_mean": probe.cv_scores_.max(axis=1).tolist(),
            },
            "picture": None if picture is None else str(picture),
        }
        print_json(report)
        return
    click.echo(
        f"\nIF1_ECOLI_Kelsic_2016: {len(assay.data)} variants of a protein of "
        f"{len(assay.wild_type)} residues.\n"
        "Spearman correlation of a Ridge probe, mean and standard deviation over 5 folds:\n"
    )
    click.echo(_table(scores, best))
    click.echo(f"\nWithout a model: {_without_model(scores)}.")
    if picture is None:
        click.echo(NO_PICTURE)
    else:
        click.echo(f"Picture: {picture}")


def _best_prefix(nested: np.ndarray, y: np.ndarray) -> tuple[PrefixRidgeCV, dict]:
    """Choose among all prefixes, and score the choice.

    Prefix and penalty are chosen anew in the training part of each fold, so that the score is held
    out from the choice as well. The folds are those of the other scores.
    """
    folds = KFold(5, shuffle=True, random_state=0)
    probe = PrefixRidgeCV(scoring="spearman")
    scores = cross_val_score(probe, nested, y, cv=folds, scoring=make_scorer(spearman))
    probe.fit(nested, y)
    return probe, {
        "n_columns": probe.n_prefix_,
        "alpha": probe.alpha_,
        "score_mean": float(scores.mean()),
        "score_std": float(scores.std()),
    }


def _draw(
    scores: pd.DataFrame, probe: PrefixRidgeCV, models: dict[str, int], output: Path
) -> Path | None:
    """Write the picture; None without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    # A figure of its own, so that no window system is asked for.
    figure = Figure(figsize=(11.5, 4.4), layout="constrained")
    figure.suptitle("Demo chain (not ESM-2) on IF1_ECOLI_Kelsic_2016", fontsize="medium")
    baselines, curve = figure.subplots(1, 2)
    PrefixScoreDisplay.from_scores(scores, ax=baselines)
    PrefixCurveDisplay.from_estimator(probe, models=models, ax=curve)
    curve.set_ylabel("Spearman correlation of held-out rows")
    figure.savefig(output, format="png", dpi=150)
    return output.absolute()


def _table(scores: pd.DataFrame, best: dict) -> str:
    """Table with one line per model and one column per representation; last the best prefix."""
    last = {"model": "best prefix", "representation": "distilled", **best}
    of_models = scores[scores["representation"].isin(_REPRESENTATIONS)]
    rows = pd.concat([of_models, pd.DataFrame([last])], ignore_index=True)
    rows["cell"] = [f"{row.score_mean:.3f} ± {row.score_std:.3f}" for row in rows.itertuples()]
    table = rows.pivot(index="model", columns="representation", values="cell")[[*_REPRESENTATIONS]]
    lines = rows[rows["representation"] == "distilled"][["model", "n_columns"]]
    lines = lines.join(table, on="model")
    lines["model"] = lines["model"].map(short_names)
    lines = lines.rename(columns={"n_columns": "columns", **_REPRESENTATIONS})
    return lines.to_string(index=False, na_rep="")


def _without_model(scores: pd.DataFrame) -> str:
    """Scores of the baselines that need no model."""
    found = scores[scores["representation"].isin(LEVELS)]
    return ", ".join(
        f"{LEVELS[row.representation]['label']} {row.score_mean:.3f} ± {row.score_std:.3f}"
        for row in found.itertuples()
    )
