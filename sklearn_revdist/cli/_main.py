"""Command line `revdist`: results on standard output, progress on standard error.

The commands are imported when they run, so that the help is there at once.
"""

import click

from .. import __version__
from ._console import Commands
from ._endings import EXIT_CODES

_COMMANDS = {
    "embed": "Embed sequences with every model of a chain.",
    "fit": "Fit a distiller on sequences or on stored embeddings.",
    "transform": "Nest embeddings with a fitted distiller.",
    "search": "Find the nearest sequences of a database by their embeddings.",
    "annotate": "Transfer labels from the nearest sequences of a database.",
    "info": "Show what is in a distiller or a model.",
    "train": "Train a model on a spreadsheet of measured variants.",
    "predict": "Predict new variants by a trained model, ranked.",
    "evaluate": "Score plain, distilled and baseline embeddings of every size on tasks.",
    "layers": "Score every layer of every model on tasks.",
    "score": "Score variants by how likely the models find them, without labels.",
    "models": "List the models and where their weights are.",
    "download": "Download the weights of models.",
    "verify": "Compare embeddings on your weights with those of fair-esm.",
    "demo": "Try everything offline on bundled data, in two minutes.",
}


@click.group(
    cls=Commands,
    lines=_COMMANDS,
    epilog=EXIT_CODES,
    context_settings={"show_default": True, "help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-V", "--version", prog_name="revdist")
def main():
    """Nested protein embeddings by Reverse Distillation.

    A chain of models, small to large, embeds sequences. A distiller, fitted once on natural
    proteins, turns their embeddings into one: its first columns are those of the smallest model,
    and the later columns are what each larger model adds. So any prefix of it is an embedding.

    \b
      revdist embed proteins.fasta -m 650M -o proteins.parquet
      revdist fit natural.fasta -m 650M --sequences 1000 -o distiller.safetensors
      revdist transform distiller.safetensors proteins.parquet -o nested.parquet
      revdist transform distiller.safetensors proteins.parquet -n 35M -o small.parquet

    With -m demo in place of -m 650M all this runs offline, on tiny models that are bundled.
    """  # noqa: D301
