"""Saved models: one file without pickle, which says what it was trained on."""

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator

from ..utils._files import local_path, replaced
from ..utils._messages import first_line
from ._variant_model import parameters_of

_CARD, _SEQUENCES = "card.json", "training_sequences.txt"
_FORMAT = "sklearn_revdist variant model"
_MOST_BYTES = 2**30  # of a card, or of the sequences

# What estimators of this package in a model consist of; of scikit-learn and NumPy, skops knows.
_OWN = {
    "functools.partial",  # of the functions below, which are checked as well
    "sklearn.utils._bunch.Bunch",
    *(
        f"sklearn_revdist.{name}"
        for name in (
            "baselines._composition.KmerComposition",
            "baselines._one_hot.SequenceOneHotEncoder",
            "baselines._site_mean.SiteMean",
            "distillation._affine_chain.AffineChain",
            "distillation._reverse_distiller.ReverseDistiller",
            "embedding._embedder.ESMEmbedder",
            "embedding._scorer.ESMScorer",
            "embedding._transformers_embedder.TransformersEmbedder",
            "probes._group_ridge_cv.GroupRidgeCV",
            "probes._prefix_ridge._solve_triangle",
            "probes._prefix_ridge._whiten",
            "probes._uncertainty.Uncertainty",
            "probes._left_out_voting.LeftOutVotingRegressor",
        )
    ),
}
# Parameters by which a file could make the reader write somewhere, or run something.
_UNSET = ("memory", "store", "device", "n_jobs")


class SavedModel(NamedTuple):
    """What is in a file.

    Attributes
    ----------
    estimator : LeftOutVotingRegressor
    card : dict
    sequences : list of str
        Those of the training.
    """

    estimator: Any
    card: dict[str, Any]
    sequences: list[str]


def write_model(
    path: str | os.PathLike,
    estimator: BaseEstimator,
    card: Mapping[str, Any],
    sequences: Sequence[str],
) -> None:
    """Write a model; on an error, what was at the path stays.

    Parameters
    ----------
    path : str or path-like
    estimator : LeftOutVotingRegressor
        Fitted.
    card : dict
        What is to be known of it, as JSON has it.
    sequences : sequence of str
        Those of the training.

    Raises
    ------
    ImportError
        If skops is not installed.
    OSError
        If the file cannot be written.
    """
    skops = _skops()
    with replaced(local_path(path)) as partial:
        # skops appends a suffix of its own to none
        with open(partial, "wb") as file:
            skops.dump(estimator, file, compression=zipfile.ZIP_DEFLATED)
        with zipfile.ZipFile(partial, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_CARD, json.dumps({"format": _FORMAT, **card}, indent=2))
            archive.writestr(_SEQUENCES, "\n".join(sequences))


def read_card(path: str | os.PathLike) -> dict[str, Any]:
    """Read what is to be known of a model, without the model.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    card : dict

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is not a model.
    """
    return _read(path)[0]


def is_model(path: str | os.PathLike) -> bool:
    """Whether a file is a model, by its first entries."""
    path = local_path(path)
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {_CARD, _SEQUENCES} <= set(archive.namelist())


def read_model(path: str | os.PathLike) -> SavedModel:
    """Read a model; nothing in the file is executed.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    model : SavedModel

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If skops is not installed.
    ValueError
        If the file is damaged, is not a model, or has types that no model of this package has.
    """
    card, sequences = _read(path)
    skops = _skops()
    path = local_path(path)
    try:
        unknown = skops.get_untrusted_types(file=path)
    except Exception as error:
        raise _damaged(path, error) from error
    foreign = sorted(set(unknown) - _OWN)
    if foreign:
        raise ValueError(
            f"{str(path)!r} has an object of type {foreign[0]}, which no model of revdist has, so "
            "it was not loaded; use a file that `revdist train` wrote."
        )
    try:
        estimator = skops.load(path, trusted=unknown)
        parameters = list(parameters_of(estimator))
    except Exception as error:
        raise _damaged(path, error) from error
    for name, value in parameters:
        if name.rpartition("__")[2] in _UNSET and value is not None:
            raise ValueError(
                f"{str(path)!r} sets {name}={value!r}, which no saved model does, so it was not "
                "used; use a file that `revdist train` wrote."
            )
    return SavedModel(estimator, card, sequences)


def _read(path) -> tuple[dict[str, Any], list[str]]:
    path = local_path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no model {str(path)!r}; check the path.")
    if not is_model(path):
        raise ValueError(
            f"{str(path)!r} is not a model of variants; use a file that `revdist train` wrote."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            if damaged is not None:
                raise zipfile.BadZipFile(f"{damaged!r} has another checksum")
            if max(archive.getinfo(name).file_size for name in (_CARD, _SEQUENCES)) > _MOST_BYTES:
                raise zipfile.BadZipFile("it unpacks to more than a gigabyte")
            card = json.loads(archive.read(_CARD))
            sequences = archive.read(_SEQUENCES).decode("ascii").split("\n")
    except Exception as error:  # damage has many faces
        raise _damaged(path, error) from error
    if not isinstance(card, dict) or card.get("format") != _FORMAT:
        raise ValueError(
            f"{str(path)!r} is not a model of variants; use a file that `revdist train` wrote."
        )
    return card, sequences


def _damaged(path: Path, error: BaseException) -> ValueError:
    return ValueError(
        f"{str(path)!r} is damaged ({first_line(error)}); copy it again, or train the model again."
    )


def _skops() -> Any:
    """Import skops.io; its error says how to install it."""
    try:
        import skops.io as skops
    except ImportError as error:
        raise ImportError(
            "Models are kept by skops, which is not installed; install it with "
            '`pip install "sklearn-revdist[cli]"`.'
        ) from error
    return skops
