"""Published weights: the reference implementation's files as a solved chain.

A folder holds one file a step, ``rd-scaler-<smaller>-<larger>-<variant>.npz``, and a variant is
``<regressor>-<pca>-<number of sequences>``, as in ``pcr-incremental-1k``. Each step is affine, so
the chain of them is the same block lower triangular map that a fit gives.
"""

import re
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ._blocks import Blocks
from ._chain import Level, extend
from ._models import ESM2

_FILE = re.compile(r"rd-scaler-\w+-\w+-(?P<variant>\w+-\w+-[\w.]+)\.npz")

_KEYS = {
    *("regressor__coef_", "regressor__intercept_", "regressor__n_features_in_"),
    *("regressor__rank_", "regressor__singular_"),
    *("regressor__input_mean_", "regressor__input_components_", "regressor__input_eigenvalues_"),
    *("regressor__output_mean_", "regressor__n_significant_pcs_"),
    *("regressor__johnstone_threshold_", "regressor__sigma_sq_"),
    *("pca__mean_", "pca__components_", "pca__n_components"),
    *("pca__explained_variance_", "pca__explained_variance_ratio_"),
}

# A step between the two largest models of ESM-2, in float64, holds arrays of 105 MB.
_LARGEST_ARRAY = 2**28


def read_published(
    folder: Path, variant: str | None = None
) -> tuple[Blocks, NDArray[np.float64], list[Level]]:
    """Blocks, mean and levels from the files of one variant in a folder.

    Parameters
    ----------
    folder : Path
        Holds the steps from 8M upwards, without a gap.
    variant : str, default=None
        Which files to take; None takes the only variant there is.

    Returns
    -------
    blocks : Blocks
    mean : ndarray of shape (n_features,), float64
        Zero for the first model; for others, what their steps predict there.
    levels : list of Level
        What only a fit knows of its data is nan.

    Raises
    ------
    FileNotFoundError
        If the folder has no such files.
    ValueError
        If it has several variants and none is named, or a file is damaged or of another kind.
    """
    variant = _choose_variant(folder, variant)
    names, dims, levels = [ESM2[0].name], [], []
    mean, to_prefix = np.zeros(0), np.zeros((0, 0))
    for small, large in pairwise(ESM2):
        path = folder / f"rd-scaler-{small.short}-{large.short}-{variant}.npz"
        if not path.is_file():
            break
        coef, intercept, basis = _read_step(path)
        if not dims:
            dims.append(len(coef))
            mean, to_prefix = np.zeros(len(coef)), np.eye(len(coef))
        if len(coef) != len(to_prefix):
            raise ValueError(
                f"{str(path)!r} takes {len(coef)} columns, but the steps before it give "
                f"{len(to_prefix)}; take all files from one release."
            )
        components = np.hstack([-basis @ coef.T @ to_prefix, basis])
        levels.append(
            Level(
                components=components,
                coef=coef,
                r2=np.nan,
                explained_variance_ratio=np.nan,
                rank=len(basis),
                condition=np.nan,
                alpha=np.nan,
                n_prefix_components=len(coef),
                amplification=np.nan,
            )
        )
        # The prefix is zero where the first model's embedding is, so only the intercept stays.
        mean = np.concatenate([mean, intercept])
        to_prefix = extend(to_prefix, components)
        names.append(large.name)
        dims.append(coef.shape[1])
    if not levels:
        raise FileNotFoundError(
            f"{str(folder)!r} has no file of the step from 8M to 35M of the variant {variant!r}; "
            "fetch all steps of a variant into one folder."
        )
    return Blocks(tuple(names), tuple(dims)), mean, levels


def _choose_variant(folder, variant):
    matches = (_FILE.fullmatch(path.name) for path in folder.iterdir())
    variants = sorted({match["variant"] for match in matches if match})
    if not variants:
        raise FileNotFoundError(
            f"{str(folder)!r} has no files named rd-scaler-<smaller>-<larger>-<variant>.npz; give "
            "the folder that holds the published weights."
        )
    if variant is None and len(variants) > 1:
        raise ValueError(
            f"{str(folder)!r} has several variants; choose one of {', '.join(variants)} with "
            "`variant`."
        )
    if variant is not None and variant not in variants:
        raise ValueError(
            f"{str(folder)!r} has no variant {variant!r}; choose one of {', '.join(variants)}."
        )
    return variant or variants[0]


def _read_step(path):
    """Coefficients (n_prefix, width), intercept (width,) and basis (n_new, width) of a step.

    The prediction is ``prefix @ coef``, and the new columns are the residual from it and from
    the intercept, which includes the mean of the residuals, along the basis.
    """
    arrays = _read_arrays(path)
    try:
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
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(
            f"{str(path)!r} is no step of a published chain ({error}); fetch it again."
        ) from error
    return coef, intercept + residual_mean, basis


def _read_arrays(path):
    """The numbers of an npz file as float64; nothing in it is executed."""
    try:
        with zipfile.ZipFile(path) as archive:
            largest = max((member.file_size for member in archive.infolist()), default=0)
        if largest > _LARGEST_ARRAY:
            raise ValueError(f"an array of {largest} bytes is larger than any model's")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file.files}
    except (zipfile.BadZipFile, zipfile.LargeZipFile, ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as published weights ({error}); fetch it again."
        ) from error
    if unknown := sorted(arrays.keys() - _KEYS):
        raise ValueError(
            f"{str(path)!r} holds {unknown[0]!r}, which published weights do not have; fetch it "
            "again."
        )
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise ValueError(
                f"{str(path)!r} holds in {name!r} something else than finite numbers; fetch it "
                "again."
            )
    return {name: array.astype(np.float64) for name, array in arrays.items()}
