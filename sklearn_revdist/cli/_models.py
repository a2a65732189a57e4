"""Command `revdist models`: which weights are present, and where."""

import click

from ..utils._models import DEMO, ESM2
from ._console import print_table


@click.command()
def models_command():
    """List the models, where their weights are and their sizes.

    Missing weights are shown with the path that they would be downloaded to. This command
    downloads nothing.
    """
    from ..embedding._checkpoints import checkpoint_files, is_complete, places

    rows = []
    for model in DEMO + ESM2:
        names = model.short, model.name, model.width
        found = [place for place in places(model) if is_complete(place.path)]
        for place in found:
            size = sum(file.stat().st_size for file in checkpoint_files(place.path))
            rows.append((*names, place.name, _size(size), place.path))
        if not found:
            rows.append((*names, "missing", "", places(model)[:2][-1].path))
    heads = ("model", "name", "width", "where", "size", "path")
    print_table([[str(cell) for cell in row] for row in (heads, *rows)], n_left=len(heads))


def _size(n_bytes: int) -> str:
    """Size in megabytes or gigabytes."""
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:.1f} GB"
