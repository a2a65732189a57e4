"""Command line: `revdist`. Results go to standard output, progress to standard error."""

import json
import os
from pathlib import Path

import click
import pandas as pd

from . import __version__
from ._datasets import load_if1_ecoli
from ._display import PrefixScoreDisplay
from ._embedder import ESMEmbedder
from ._evaluation import prefix_scores
from ._reverse_distiller import ReverseDistiller

_NOT_ESM2 = (
    "The demo chain is not ESM-2: it is three tiny models of the same architecture, trained by "
    "this project's own script, to show the mechanics."
)
_REPRESENTATIONS = {
    "plain": "plain",
    "distilled": "distilled",
    "concat_pca": "PCA of concatenation",
}


def _in_a_writable_folder(_context, _parameter, path: Path) -> Path:
    """Refuse an output that could not be written, before the work."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise click.BadParameter(f"there is no folder {str(folder)!r}; make it first.")
    if not os.access(folder, os.W_OK):
        raise click.BadParameter(f"the folder {str(folder)!r} is not writable; choose another.")
    return path


@click.group()
@click.version_option(__version__, prog_name="revdist")
def main():
    """Nested protein embeddings by Reverse Distillation."""


@main.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    default="demo.png",
    show_default=True,
    callback=_in_a_writable_folder,
    help="Where to write the picture, a PNG.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def demo(output, as_json):
    """Embed, distill and score the bundled assay with the bundled demo chain.

    Needs neither a network nor a GPU. Prints, for every prefix of the nested embedding, the
    5-fold cross-validated Spearman correlation of a Ridge probe on the plain embedding of that
    model, on the distilled prefix and on the PCA of the concatenation to the same width, and
    draws a picture of it.
    """
    click.echo(_NOT_ESM2, err=as_json)
    assay = load_if1_ecoli()
    embeddings = ESMEmbedder("demo", verbose=True).transform(assay.data)
    distiller = ReverseDistiller.from_pretrained("demo")
    scores = prefix_scores(distiller, embeddings, assay.target, verbose=True)
    finding = _finding(scores)
    picture = _draw(scores, output)

    if as_json:
        report = {
            "note": _NOT_ESM2,
            "assay": "IF1_ECOLI_Kelsic_2016",
            "n_sequences": len(assay.data),
            "scores": scores.to_dict("records"),
            "finding": finding,
            "picture": None if picture is None else str(picture),
        }
        click.echo(json.dumps(report, indent=2))
        return
    click.echo(
        f"\nIF1_ECOLI_Kelsic_2016: {len(assay.data)} variants of a protein of "
        f"{len(assay.wild_type)} residues.\n"
        "Spearman correlation of a Ridge probe, mean and standard deviation over 5 folds:\n"
    )
    click.echo(_table(scores))
    click.echo("\n" + click.wrap_text(finding))
    if picture is None:
        click.echo(
            'No picture without matplotlib; for one, run `pip install "sklearn-revdist[plot]"`.'
        )
    else:
        click.echo(f"Picture: {picture}")


def _draw(scores: pd.DataFrame, output: Path) -> Path | None:
    """Write the picture; None where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    # A figure of its own, so that no window system is asked for.
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    ax = figure.add_subplot()
    PrefixScoreDisplay.from_scores(scores, ax=ax)
    ax.set_title("Demo chain (not ESM-2) on IF1_ECOLI_Kelsic_2016", fontsize="medium")
    figure.savefig(output, format="png", dpi=150)
    return output.absolute()


def _table(scores: pd.DataFrame) -> str:
    """One line a model, one column a representation."""
    cells = scores.assign(
        cell=[
            f"{mean:.3f} ± {std:.3f}"
            for mean, std in zip(scores["score_mean"], scores["score_std"], strict=True)
        ]
    ).pivot(index="model", columns="representation", values="cell")
    lines = scores[scores["representation"] == "distilled"][["model", "n_columns"]]
    lines = lines.join(cells[list(_REPRESENTATIONS)], on="model")
    return lines.rename(columns={"n_columns": "columns", **_REPRESENTATIONS}).to_string(index=False)


def _finding(scores: pd.DataFrame) -> str:
    """What the scores say, in words that follow from them."""
    means = scores.pivot(index="model", columns="representation", values="score_mean")
    means = means.loc[scores["model"].unique()]
    steps = means.diff().iloc[1:]
    words = {
        name: "rises with every model"
        if (steps[name] > 0).all()
        else "does not rise with every model"
        for name in ("distilled", "plain")
    }
    last = means.iloc[-1]
    at_last = scores[scores["model"] == means.index[-1]].set_index("representation")
    width, spread = at_last.loc["distilled", "n_columns"], at_last["score_std"].max()
    gaps = "; ".join(
        f"distilled {_against(last['distilled'] - last[rival])} {_REPRESENTATIONS[rival]}"
        for rival in ("plain", "concat_pca")
    )
    return (
        f"The distilled score {words['distilled']}, the plain one {words['plain']}. "
        f"At {width} columns: {gaps} (folds scatter by up to {spread:.3f})."
    )


def _against(gap: float) -> str:
    if round(gap, 3) == 0:
        return "equals"
    return f"is {abs(gap):.3f} {'above' if gap > 0 else 'below'}"
