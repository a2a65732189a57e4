"""Weights: what commands say about them, and how they get them, before the work begins."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from sklearn.base import BaseEstimator

from ..embedding._base import BaseEmbedder
from ..embedding._entries import ESM2Entry
from ..embedding._scorer import ESMScorer
from ..utils._messages import first_line
from ..utils._models import DEMO, ESM2, Model
from ._console import note
from ._endings import MISSING, OUTPUT, embedding, failure


def spelled_size(n_bytes: float) -> str:
    """Size in megabytes or gigabytes."""
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:.1f} GB"


def about(n_bytes: float) -> str:
    """Size in two digits, as far as it is known before the download."""
    return f"{float(f'{n_bytes / 1e6:.2g}'):g} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:.2g} GB"


def is_here(model: Model) -> bool:
    """Whether all weights of a published or bundled model are on this machine."""
    from ..embedding._checkpoints import is_complete, places

    return any(is_complete(place.path) for place in places(model))


def announced(models: Sequence[Model]) -> list[str]:
    """Say which files would be downloaded, how large they are, and where to."""
    from ..embedding._checkpoints import DOWNLOAD_ADDRESS, download_size, places

    sizes = [download_size(model) for model in models]
    folder = places(models[0])[1].path.parent
    return [
        f"{len(models)} file{'s' * (len(models) > 1)}, about {about(sum(sizes))} in all, from "
        f"{DOWNLOAD_ADDRESS} to {str(folder)!r}:",
        *(
            f"  {model.name}.pt ({model.short}), about {about(size)}"
            for model, size in zip(models, sizes, strict=True)
        ),
    ]


def download(models: Sequence[Model], *, quiet: bool) -> None:
    """Download weights of published models, which has been announced.

    Raises
    ------
    ClickException
        If the disk has not room enough, or a download fails; what is complete stays.
    """
    from ..embedding._checkpoints import download_size, locate, places

    folder = places(models[0])[1].path.parent
    needed = sum(map(download_size, models))
    for model in models:
        try:
            if model is models[0]:
                os.makedirs(folder, exist_ok=True)
                _check_room(folder, needed)
            locate(model, verbose=not quiet)
        except OSError as error:
            raise failure(
                f"The weights of {model.short} ({model.name}.pt) are not on this machine, and "
                f"cannot be downloaded ({first_line(error.__cause__ or error)}); where there is a "
                f"network, `revdist download -m {models[-1].short}` gets them, to be copied to "
                f"{str(folder)!r}; -m demo needs no download.",
                MISSING,
            ) from error


def _check_room(folder: Path, needed: int) -> None:
    """Refuse a download that the disk has no room for."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise failure(
            f"{str(folder)!r} has {spelled_size(free)} free, but the weights take about "
            f"{about(needed)}; make room, or choose another folder by the variable TORCH_HOME.",
            OUTPUT,
        )


def fetch_weights(*embedders: BaseEmbedder, quiet: bool) -> None:
    """Find the weights of all models that embed, and download published ones that are missing."""
    entries = [entry for embedder in embedders for entry in embedder._entries()]
    models = [entry.model for entry in entries if isinstance(entry, ESM2Entry)]
    known = [model for model in (*DEMO, *ESM2) if model in models]
    if missing := [model for model in known if model in ESM2 and not is_here(model)]:
        for line in ("Weights are missing and are downloaded now.", *announced(missing)):
            note(line)
        download(missing, quiet=quiet)
    with embedding():
        for entry in entries:
            entry.files()


def fetch_weights_of(model: BaseEstimator, *, quiet: bool) -> None:
    """Find or download the weights that a model of an assay needs."""
    from ..assays._variant_model import embedders_of

    parts = embedders_of(model)
    embedders = [part._embedder() if isinstance(part, ESMScorer) else part for part in parts]
    fetch_weights(*embedders, quiet=quiet)
