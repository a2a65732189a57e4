"""Saved models: one file without pickle, which says what it was trained on."""

import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from ..probes._left_out_voting import LeftOutVotingRegressor
from ..utils._files import local_path, replaced
from ..utils._messages import first_line
from ..utils._optional import import_optional

_skops = partial(import_optional, "skops.io", "Models are kept by skops", "cli", "install it with")

_CARD, _SEQUENCES, _SCHEMA = "card.json", "training_sequences.txt", "schema.json"
_FORMAT = "sklearn_revdist variant model"

# What is kept of a model does not unpack to this many times the size of the file, nor is a card
# larger than this.
_SMALL, _COMPRESSION = 2**24, 200

# What models consist of, besides arrays, numbers, texts and their containers. skops trusts all
# estimators of scikit-learn; some of them read beyond the end of arrays that do not fit together.
_OWN = {
    "functools.partial",  # of the functions below, which are checked as well
    "sklearn.tree._tree.Tree",  # checked as well, since it reads wherever its nodes point
    "sklearn.utils._bunch.Bunch",
    *(
        f"sklearn_revdist.{name}"
        for name in (
            "baselines._composition.KmerComposition",
            "baselines._one_hot.SequenceOneHotEncoder",
            "baselines._site_mean.SiteMean",
            "distillation._affine_chain.AffineChain",
            "distillation._chain.Level",
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
_KNOWN = _OWN | {
    "sklearn.ensemble._forest.RandomForestRegressor",
    "sklearn.tree._classes.DecisionTreeRegressor",
    "sklearn.frozen._frozen.FrozenEstimator",
    "sklearn.pipeline.FeatureUnion",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._encoders.OneHotEncoder",
}
_PLAIN = ("builtins.", "numpy.")  # of these, skops trusts only what is data
# Parameters by which a file could make the reader write somewhere, or run something.
_UNSET = ("memory", "store", "device", "n_jobs")


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
    ValueError
        If the model has an object, or sets a parameter, that :func:`read_model` would refuse.
    """
    skops = _skops()
    if found := _setting(estimator):
        raise ValueError(f"The model sets {found}, which is of this machine; set it to None.")
    with replaced(local_path(path)) as unfinished:
        # skops appends a suffix of its own to none
        with open(unfinished, "wb") as file:
            skops.dump(estimator, file, compression=zipfile.ZIP_DEFLATED)
        if foreign := _foreign_types(unfinished, skops):
            raise ValueError(
                f"The model has an object of type {foreign[0]}, as a distiller with a regressor of "
                "another kind does, and no file of models may; keep it by joblib."
            )
        with zipfile.ZipFile(unfinished, "a", zipfile.ZIP_DEFLATED) as archive:
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
    """Whether a file is a model, by the names of its entries.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    is_model : bool
        False also if the file is not complete.
    """
    path = local_path(path)
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        try:
            names = zipfile.ZipFile(file).namelist()
        except Exception:  # damage has many faces
            return False
    return {_CARD, _SEQUENCES, _SCHEMA} <= set(names)


def read_model(path: str | os.PathLike) -> tuple[Any, dict[str, Any], list[str]]:
    """Read a model; nothing in the file is executed.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    estimator : LeftOutVotingRegressor
    card : dict
    sequences : list of str
        Those of the training.

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
    with _reading(path):
        foreign = _foreign_types(path, skops)
    if foreign:
        raise ValueError(
            f"{str(path)!r} has an object of type {foreign[0]}, which no model of revdist has, so "
            "it was not loaded; use a file that `revdist train` wrote."
        )
    with _reading(path):
        estimator = skops.load(path, trusted=sorted(_OWN))
        _check_trees(estimator)
        setting = _setting(estimator)
    if not isinstance(estimator, LeftOutVotingRegressor):
        raise ValueError(
            f"{str(path)!r} has an estimator of type {type(estimator).__name__}, which is not a "
            "model of variants; use a file that `revdist train` wrote."
        )
    if setting:
        raise ValueError(
            f"{str(path)!r} sets {setting}, which no saved model does, so it was not used; use a "
            "file that `revdist train` wrote."
        )
    return estimator, card, sequences


def _setting(estimator: Any) -> str | None:
    """A parameter of any part that should not be set, with its value."""
    for part in _held(estimator):
        for name in _UNSET if isinstance(part, BaseEstimator) else ():
            if (value := vars(part).get(name)) is not None:
                return f"{name}={value!r} of {type(part).__name__}"
    return None


def _check_trees(estimator: Any) -> None:
    """Refuse trees of which a node points elsewhere than to later nodes and columns of its own."""
    for each in _held(estimator):
        widths = [getattr(each, "n_features_in_", None)]
        if isinstance(each, RandomForestRegressor):
            widths += [tree.n_features_in_ for tree in getattr(each, "estimators_", [])]
        elif isinstance(each, DecisionTreeRegressor) and hasattr(each, "tree_"):
            tree = each.tree_
            inner = np.flatnonzero(tree.children_left >= 0)
            children = np.stack([tree.children_left[inner], tree.children_right[inner]])
            columns = tree.feature[inner]
            fits = tree.node_count > 0 and tree.n_outputs == 1
            fits = fits and ((inner < children) & (children < tree.node_count)).all()
            fits = fits and ((columns >= 0) & (columns < tree.n_features)).all()
            widths.append(tree.n_features if fits else None)
        if len(set(widths)) > 1:
            raise ValueError("a tree of its forest points beyond its nodes or columns")


def _foreign_types(path: Path, skops: Any) -> list[str]:
    """Types that no model has, or that skops does not take for data."""
    types = set()

    def note(node):
        if "__class__" in node:
            types.add(f"{node['__module__']}.{node['__class__']}")

    with zipfile.ZipFile(path) as archive:
        json.loads(archive.read(_SCHEMA), object_hook=note)
    types = {name for name in types - _KNOWN if not name.startswith(_PLAIN)}
    return sorted(types | (set(skops.get_untrusted_types(file=path)) - _OWN))


def _held(value: Any) -> Iterator[Any]:
    """Everything that an object holds, each once."""
    left, known = [value], {}
    while left:
        value = left.pop()
        if id(value) in known or isinstance(value, type):
            continue
        known[id(value)] = value  # which also keeps it, so that no other has its number
        yield value
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list | tuple | set):
            left += value
        elif isinstance(value, partial):
            left += [value.args, value.keywords]
        elif isinstance(value, np.ndarray):
            left += value.ravel().tolist() if value.dtype.hasobject else []
        left += vars(value).values() if hasattr(value, "__dict__") else []


def _read(path) -> tuple[dict[str, Any], list[str]]:
    path = local_path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no model {str(path)!r}; check the path.")
    if not is_model(path):
        raise ValueError(
            f"{str(path)!r} is not a model of variants, or not complete; use a file that `revdist "
            "train` wrote, or copy it again."
        )
    with _reading(path), zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        most = _SMALL + _COMPRESSION * path.stat().st_size
        if unpacked > most or archive.getinfo(_CARD).file_size > _SMALL:
            raise zipfile.BadZipFile("it unpacks to far more than a model does")
        damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged!r} has another checksum")
        card = json.loads(archive.read(_CARD))
        sequences = archive.read(_SEQUENCES).decode("ascii").split("\n")
    if not isinstance(card, dict) or card.pop("format", None) != _FORMAT:
        raise ValueError(
            f"{str(path)!r} is not a model of variants; use a file that `revdist train` wrote."
        )
    return card, sequences


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn all errors, since damage has many faces, into one that says what to do."""
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"{str(path)!r} is damaged ({first_line(error)}); copy it again, or train the model "
            "again."
        ) from error
