"""Command `revdist download`: the weights of a chain, before they are needed."""

from pathlib import Path

import click

from ..embedding._embedder import ESMEmbedder
from ..utils._models import ESM2, Model
from ._chains import chain_of
from ._console import note, print_json, print_table
from ._model_options import chain_option
from ._options import report_options
from ._weights import about, announced, download, is_here


@click.command()
@chain_option(families=False)
@click.option("--dry-run", is_flag=True, help="Only say what would be downloaded.")
@report_options("instead of a table")
def download_command(models, alone, dry_run, as_json, quiet):
    """Download the weights of a chain into the cache that fair-esm uses, too.

    Weights that are there already, also in the cache of Hugging Face, are not downloaded again. A
    download that breaks off is resumed when the command is repeated. The folder is hub/checkpoints
    in that of the variable TORCH_HOME, by default ~/.cache/torch. To use weights on a machine
    without a network, copy the files to that folder there.

    \b
      revdist download -m 650M --dry-run
      revdist download -m 650M
      revdist download -m 8M -m 650M
    """  # noqa: D301
    from ..embedding._checkpoints import download_size, is_complete, places

    chain = _published(chain_of(models, alone=alone, families=False))
    missing = [model for model in chain if not is_here(model)]
    if missing:
        for line in announced(missing)[: 1 if dry_run else None]:  # the files are in the table, too
            note(line)
    if missing and not dry_run:
        download(missing, quiet=quiet)
    rows = []
    for model in chain:
        found = next((place.path for place in places(model) if is_complete(place.path)), None)
        status = "downloaded" if model in missing else "already here"
        rows.append(
            {
                "model": model.short,
                "status": "missing" if found is None else status,
                "about_bytes": download_size(model) if model in ESM2 else None,
                "path": str(places(model)[1].path if found is None else found),
            }
        )
    if as_json:
        print_json({"models": rows})
        return
    lines = []
    for row in rows:
        size = "" if row["about_bytes"] is None else about(row["about_bytes"])
        lines.append((row["model"], size, row["status"], row["path"]))
    print_table(lines, n_left=4)


def _published(chain: str | list[str | Path]) -> list[Model]:
    """Models of a chain, which have all been published or bundled."""
    models = [entry.model for entry in ESMEmbedder(chain)._entries()]
    if own := next((model for model in models if isinstance(model, Path)), None):
        raise click.UsageError(f"{str(own)!r} is a checkpoint of your own; name a model of ESM-2.")
    return [model for model in models if isinstance(model, Model)]
