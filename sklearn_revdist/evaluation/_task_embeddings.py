"""Embed the rows of a task, after checking that a distiller was fitted on the same models."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ..distillation._reverse_distiller import ReverseDistiller
from ..embedding._base import BaseEmbedder
from ..matrix._layout import blocks_of_names
from ..matrix._residue_moments import residue_columns
from ..tasks._task import Task

# Number of sequences embedded at a time. If interrupted, the store has those before.
_EMBEDDED_AT_A_TIME = 2000


def check_models(task: Task, embedder: Any, distiller: ReverseDistiller) -> Sequence[str] | None:
    """Refuse a distiller that was fitted on other models, or other layers of them.

    Parameters
    ----------
    task, embedder, distiller
        As for :func:`evaluate`.

    Returns
    -------
    names : sequence of str or None
        Columns of the task's embeddings; None if the embedder has no names for them.
    """
    if not hasattr(embedder, "get_feature_names_out"):
        return None
    embedder = comparing(embedder, task)
    of_residues = task.residue is not None
    names = residue_columns(embedder) if of_residues else embedder.get_feature_names_out()
    blocks = blocks_of_names(names)
    if blocks and hasattr(distiller, "model_names_"):
        fitted, widths = tuple(distiller.model_names_), tuple(distiller.dims_.tolist())
        unnamed = fitted == tuple(f"block{i}" for i in range(len(fitted)))
        if blocks != (blocks.names if unnamed else fitted, widths):
            raise ValueError(
                f"The distiller was fitted on {', '.join(fitted)}, but the embeddings of "
                f"{task.name!r} are of {', '.join(blocks.names)}; give the same models, layers and "
                "poolings."
            )
    return names


def embed_task(task: Task, embedder: Any) -> NDArray[np.float32]:
    """Embed the rows of a task, proteins or residues.

    Parameters
    ----------
    task : Task
    embedder : ESMEmbedder
        Or any object with `transform` and, for residues, `iter_residues`.

    Returns
    -------
    X : ndarray of shape (n_rows, n_features)

    Raises
    ------
    ValueError
        If the embedder leaves residues out.
    """
    proteins, embedder = task.sequences, comparing(embedder, task)
    if task.residue is None:
        parts = [
            np.asarray(embedder.transform(proteins[start : start + _EMBEDDED_AT_A_TIME]))
            for start in range(0, len(proteins), _EMBEDDED_AT_A_TIME)
        ]
        return np.concatenate(parts)[task.protein]
    starts = np.cumsum([0, *map(len, proteins)])
    wanted = starts[task.protein] + task.residue
    order = wanted.argsort(kind="stable")
    wanted = wanted[order]
    parts, n_rows = [], 0
    for block, _ in embedder.iter_residues(proteins):
        first, stop = np.searchsorted(wanted, [n_rows, n_rows + len(block)])
        parts.append(block[wanted[first:stop] - n_rows])
        n_rows += len(block)
    if n_rows != starts[-1]:
        raise ValueError(
            f"{task.name!r} has {starts[-1]} residues, but the embedder gave {n_rows} rows; set "
            'its `long` to "window".'
        )
    X = np.empty((len(order), parts[0].shape[1]), dtype=parts[0].dtype)
    X[order] = np.concatenate(parts)
    return X


def comparing(embedder: Any, task: Task) -> Any:
    """Return an embedder that compares with the task's wild type if it is given no reference."""
    if not isinstance(embedder, BaseEmbedder) or embedder.reference or not task.wild_type:
        return embedder
    return clone(embedder).set_params(reference=task.wild_type)
