"""Published weights: read the reference implementation's files as a solved chain.

There is one file per step, ``<kind>-scaler-<smaller>-<larger>-<variant>.npz``. The kind is ``rd``
or ``naive``. A variant is ``<regressor>-<pca>-<number of sequences>``, as in
``pcr-incremental-1k``, or ``None-incremental-1k`` for the naive kind, which has no regressor. Each
step is affine, so that a chain of steps is a map of the same form as that of a fit.
"""

import os
import re
import zipfile
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np

from ..matrix._layout import Blocks
from ..utils._files import local_path
from ..utils._hub import fetch
from ..utils._messages import first_line
from ..utils._models import ESM2
from ._affine_chain import AffineChain
from ._chain import Level, extend
from ._naive_steps import NaiveSteps, Step

_VARIANT = r"\w+-\w+-[\w.]+"
_FILE = re.compile(rf"(?P<kind>rd|naive)-scaler-\w+-\w+-(?P<variant>{_VARIANT})\.npz")
_READERS = {"rd": "ReverseDistiller", "naive": "NaiveChain"}

# Name of a repository on the hub: owner/name.
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")

# Fields of a level that the files do not hold.
_UNKNOWN = dict.fromkeys(
    ("r2", "explained_variance_ratio", "condition", "alpha", "amplification"), np.nan
)

_KEYS = {
    *("regressor__coef_", "regressor__intercept_", "regressor__n_features_in_"),
    *("regressor__rank_", "regressor__singular_"),
    *("regressor__input_mean_", "regressor__input_components_", "regressor__input_eigenvalues_"),
    *("regressor__output_mean_", "regressor__n_significant_pcs_"),
    *("regressor__johnstone_threshold_", "regressor__sigma_sq_"),
    *("pca__mean_", "pca__components_", "pca__n_components"),
    *("pca__explained_variance_", "pca__explained_variance_ratio_"),
}

# Limits in bytes. A naive step between the two largest models of ESM-2 holds an array of 315 MB in
# float64. Larger files than `_ALWAYS_SMALL` must not be compressed more than numbers can be.
_LARGEST_ARRAY = 2**29
_ALWAYS_SMALL = 2**24
_LARGEST_COMPRESSION = 4


def read_published(
    name_or_path: str | os.PathLike, variant: str | None = None, revision: str | None = None
) -> tuple[dict[str, Any], Blocks, AffineChain] | None:
    """Read parameters, blocks and chain from the files of one variant.

    Parameters
    ----------
    name_or_path : str or path-like
        A folder that holds the steps from 8M upwards, without a gap, or a repository on the hub,
        as ``"owner/name"``, whose files are then fetched. A path that exists takes precedence.
    variant : str, default=None
        Variant to read; None takes the only one in a folder. Required for the hub.
    revision : str, default=None
        Commit to read from the hub; required for the hub.

    Returns
    -------
    parameters : dict
        Parameters of an estimator with the chain.
    blocks : Blocks
    chain : AffineChain
        Its mean is zero for the first model and, for the others, their prediction from zero; what
        only a fit knows of its data is NaN.

    None instead of all if `name_or_path` is neither a folder nor like a repository's name.

    Raises
    ------
    FileNotFoundError
        If nothing has that name, the hub cannot be reached, or the folder has no such files.
    ValueError
        If the commit or the variant is missing or malformed, or a file is damaged or of another
        kind.
    ImportError
        If huggingface_hub is not installed.
    """
    folder = _locate(name_or_path, "rd", variant, revision)
    if folder is None:
        return None
    dims, levels = [], []
    for path in _step_paths(folder, "rd", variant):
        coef, intercept, basis = _read_step(path)
        if not dims:
            dims, mean, to_prefix = [len(coef)], np.zeros(len(coef)), np.eye(len(coef))
        _check_follows(path, len(coef), len(to_prefix))
        components = np.hstack([-basis @ coef.T @ to_prefix, basis])
        carried = np.zeros((len(basis), 0))
        known = {"rank": len(basis), "n_prefix_components": len(coef)}
        levels.append(Level(components, coef, carried, **known, **_UNKNOWN))
        # Where the first model's embedding is zero, so is the prefix: only the intercept remains.
        mean = np.concatenate([mean, intercept])
        to_prefix = extend(to_prefix, components)
        dims.append(coef.shape[1])
    return {"dims": dims}, _blocks(dims), AffineChain(dims, mean, levels)


def read_published_naive(
    name_or_path: str | os.PathLike, variant: str | None = None, revision: str | None = None
) -> tuple[dict[str, Any], Blocks, NaiveSteps]:
    """Read parameters, blocks and chain from files of the naive kind, as `read_published`.

    Raises
    ------
    FileNotFoundError
        Also if `name_or_path` is neither a folder nor like a repository's name.
    """
    folder = _locate(name_or_path, "naive", variant, revision)
    if folder is None:
        raise FileNotFoundError(
            f"{str(name_or_path)!r} is not a folder; give the one that holds the published "
            "weights, or a repository on the hub."
        )
    dims, steps = [], []
    for path in _step_paths(folder, "naive", variant):
        step, own_mean = _read_naive_step(path)
        if not dims:
            dims, mean = [len(step.prefix_mean)], step.prefix_mean
        _check_follows(path, len(step.prefix_mean), dims[-1])
        mean = np.concatenate([mean, own_mean])
        steps.append(step)
        dims.append(len(step.basis))
    return {"dims": dims}, _blocks(dims), NaiveSteps(dims, mean, steps)


def _blocks(dims):
    """Return blocks of the first models of the ESM-2 family."""
    return Blocks(tuple(model.name for model in ESM2[: len(dims)]), tuple(dims))


def _locate(name_or_path, kind, variant, revision):
    """Return a local folder, or that of the files fetched from the hub; None if it is neither."""
    path = local_path(name_or_path)
    if os.path.exists(path):  # Path.exists raises for names that no file can have
        if revision is not None:
            raise ValueError(
                f"revision={revision!r} is a commit of a repository on the hub, but {str(path)!r} "
                "exists here and takes precedence; leave `revision` out, or change the working "
                "directory."
            )
        return path if path.is_dir() else None
    if not isinstance(name_or_path, str) or not _REPOSITORY.fullmatch(name_or_path):
        return None
    if revision is None:
        raise FileNotFoundError(
            f"There is no file or folder {name_or_path!r}; correct the path or, for a repository "
            "on the hub, give the commit to read as `revision`."
        )
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise ValueError(
            f"revision={revision!r} is not a full commit hash, and may refer to other weights "
            f"later; give the 40 hexadecimal digits of a commit of {name_or_path!r}."
        )
    if variant is None or not re.fullmatch(_VARIANT, variant):
        example = "None-incremental-1k" if kind == "naive" else "pcr-incremental-1k"
        raise ValueError(
            f"variant={variant!r} does not name files of {name_or_path!r} to fetch; give a "
            f"published variant, as {example!r}."
        )
    filenames = [f"weights/{name}" for name in _file_names(kind, variant)]
    return fetch(name_or_path, revision, filenames)


def _choose_variant(folder, kind, variant):
    """Return the variant to read, of those in the folder."""
    matches = [match for path in folder.iterdir() if (match := _FILE.fullmatch(path.name))]
    variants = sorted({match["variant"] for match in matches if match["kind"] == kind})
    if not variants and matches:
        other = matches[0]["kind"]
        raise FileNotFoundError(
            f"{str(folder)!r} only has files named {other}-scaler-...; read them with "
            f"{_READERS[other]}.from_pretrained."
        )
    if not variants:
        raise FileNotFoundError(
            f"{str(folder)!r} has no files named {kind}-scaler-<smaller>-<larger>-<variant>.npz; "
            "give the folder that holds the published weights."
        )
    if variant is None and len(variants) == 1:
        return variants[0]
    if variant not in variants:
        raise ValueError(
            f"{variant=} is none of the variants in {str(folder)!r}; choose one of "
            f"{', '.join(variants)}."
        )
    return variant


def _file_names(kind, variant):
    """Return the names of the files of all steps of the ESM-2 family."""
    models = [model.short for model in ESM2]
    return [f"{kind}-scaler-{small}-{large}-{variant}.npz" for small, large in pairwise(models)]


def _step_paths(folder, kind, variant):
    """Return the paths of the steps in the folder, after checking that none is missing."""
    paths = [folder / name for name in _file_names(kind, _choose_variant(folder, kind, variant))]
    exists = [path.is_file() for path in paths]
    n_steps = sum(exists)
    if not n_steps or not all(exists[:n_steps]):
        raise FileNotFoundError(
            f"{str(folder)!r} has no file {paths[exists.index(False)].name!r}; fetch all steps of "
            "a variant into one folder."
        )
    return paths[:n_steps]


def _check_follows(path, n_taken, n_given):
    """Refuse a step that does not take the columns that the step before it gives."""
    if n_taken != n_given:
        raise ValueError(
            f"{str(path)!r} takes {n_taken} columns, but the steps before it give {n_given}; take "
            "all files from one release."
        )


def _read_step(path):
    """Return coefficients (n_prefix, width), intercept (width,) and basis (n_new, width) of a step.

    New columns are ``(own - prefix @ coef - intercept) @ basis.T``; the intercept includes the mean
    of the residuals.
    """
    with _arrays_of_step(path) as arrays:
        basis, residual_mean = arrays["pca__components_"], arrays["pca__mean_"]
        coef, intercept = arrays["regressor__coef_"].T, arrays["regressor__intercept_"]
        if "regressor__input_components_" in arrays:
            axes = arrays["regressor__input_components_"][:, : len(coef)]
            coef = axes @ coef
            intercept = intercept + arrays["regressor__output_mean_"]
            intercept = intercept - arrays["regressor__input_mean_"] @ coef
        width = basis.shape[1]
        if coef.shape[1] != width or intercept.shape != (width,) or residual_mean.shape != (width,):
            raise ValueError("shapes do not fit together")
    return coef, intercept + residual_mean, basis


def _read_naive_step(path):
    """Return a step, and the centre of the larger model's columns."""
    with _arrays_of_step(path) as arrays:
        basis, mean = arrays["pca__components_"], arrays["pca__mean_"]
        width = int(arrays["pca__n_components"])
        n_prefix = basis.shape[1] - width
        if basis.shape != (width, *mean.shape) or n_prefix < 1:
            raise ValueError("shapes do not fit together")
        ratio = float(arrays["pca__explained_variance_ratio_"].sum())
    return Step(mean[:n_prefix], basis, ratio), mean[n_prefix:]


@contextmanager
def _arrays_of_step(path):
    """Yield the arrays of an npz file as float64; nothing in it is executed."""
    # A damaged file makes zipfile, zlib and NumPy raise anything.
    with _refused(path, "cannot be read as published weights", Exception):
        with zipfile.ZipFile(path) as archive:
            _check_members(archive.infolist())
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file.files}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise ValueError(
                f"{str(path)!r} holds values in {name!r} that are not finite numbers; fetch it "
                "again."
            )
    misfits = KeyError, IndexError, TypeError, ValueError
    with _refused(path, "is not a step of a published chain", misfits):
        yield {name: array.astype(np.float64, copy=False) for name, array in arrays.items()}


@contextmanager
def _refused(path, why, errors):
    """Turn errors into one that names the file."""
    try:
        yield
    except errors as error:
        message = f"{str(path)!r} {why} ({first_line(error)}); fetch it again."
        raise ValueError(message) from error


def _check_members(members):
    """Refuse unknown arrays and those that would fill the memory, before unpacking any."""
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name not in _KEYS:
            raise ValueError(f"it holds {name!r}, which is not an array of published weights")
        if member.file_size > _LARGEST_ARRAY:
            raise ValueError(f"an array of {member.file_size} bytes is larger than any model's")
    unpacked, packed = (
        sum(getattr(member, size) for member in members) for size in ("file_size", "compress_size")
    )
    if len(members) > len(_KEYS) or unpacked > _ALWAYS_SMALL + _LARGEST_COMPRESSION * packed:
        raise ValueError(f"{len(members)} arrays of {unpacked} bytes are packed into {packed}")
