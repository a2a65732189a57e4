"""Command `revdist models`: which weights are present, and where."""

from collections.abc import Iterator
from pathlib import Path

import click

from ..utils._models import DEMO, ESM2, Model
from ._console import print_json, print_table
from ._options import report_options
from ._weights import about, spelled_size


@click.command()
@report_options("instead of a table")
def models_command(as_json, quiet):
    """List the models, where their weights are and their sizes.

    Missing weights are shown with the path that they would be downloaded to, and with about their
    size. This command downloads nothing; `revdist download` does.
    """
    from ..embedding._checkpoints import download_size

    rows = [(model, *row) for model in DEMO + ESM2 for row in _found(model)]
    if as_json:
        content = [
            {
                "model": model.short,
                "name": model.name,
                "width": model.width,
                "where": where,
                "bytes": size,
                "path": str(path),
            }
            for model, where, size, path in rows
        ]
        print_json({"models": content})
        return
    heads = ("model", "name", "width", "where", "size", "path")
    lines = [heads]
    for model, where, size, path in rows:
        n_bytes = spelled_size(size) if size else f"({about(download_size(model))})"
        of_bundled = model in DEMO and not size
        shown = "" if of_bundled else n_bytes
        lines.append((model.short, model.name, str(model.width), where, shown, str(path)))
    print_table(lines, n_left=len(heads))


def _found(model: Model) -> Iterator[tuple[str, int | None, Path]]:
    """Yield each place of a model's weights with their size, or where they would be."""
    from ..embedding._checkpoints import checkpoint_files, is_complete, places

    found = [place for place in places(model) if is_complete(place.path)]
    for place in found:
        size = sum(file.stat().st_size for file in checkpoint_files(place.path))
        yield place.name, size, place.path
    if not found:
        yield "missing", None, places(model)[:2][-1].path
