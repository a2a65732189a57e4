"""Command line `revdist`: results on standard output, progress on standard error.

The commands are imported when they run, so that the help is there at once.
"""

import click

from .. import __version__
from ._console import EXIT_CODES, Commands

_COMMANDS = {
    "embed": ("._embed", "embed", "Embed sequences with every model of a chain."),
    "fit": ("._fit", "fit", "Fit a distiller on sequences or on stored embeddings."),
    "transform": ("._transform", "transform", "Nest embeddings with a fitted distiller."),
    "info": ("._info", "info", "Tell what is in a distiller."),
    "evaluate": (
        "._evaluate",
        "evaluate_command",
        "Score plain, distilled and rival embeddings of every size on tasks.",
    ),
    "models": ("._models", "models_command", "List the models and where their weights are."),
    "verify": ("._verify", "verify", "Prove embeddings right on your weights, beside fair-esm."),
    "demo": ("._demo", "demo", "Do all of it offline on what is bundled, in two minutes."),
}


@click.group(cls=Commands, places=_COMMANDS, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="revdist")
def main():
    """Nested protein embeddings by Reverse Distillation.

    A chain of models, small to large, embeds sequences. A distiller, fitted once on natural
    proteins, turns the embeddings into one whose first columns are the smallest model's own and
    whose later columns are what each larger model adds. So any prefix of it is an embedding.

    \b
      revdist embed proteins.fasta -m 650M -o proteins.parquet
      revdist fit natural.fasta -m 650M --sequences 1000 -o distiller.safetensors
      revdist transform distiller.safetensors proteins.parquet -o nested.parquet
      revdist transform distiller.safetensors proteins.parquet -n 35M -o small.parquet

    With -m demo in place of 650M, all this runs offline on tiny models that are bundled.
    """  # noqa: D301
