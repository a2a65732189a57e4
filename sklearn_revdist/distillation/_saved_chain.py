"""Saved chains: one safetensors file with arrays and plain metadata, without pickle."""

import hashlib
import json
import os
from dataclasses import fields
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..matrix._layout import Blocks, whole_numbers
from ..utils._files import local_path, replaced
from ..utils._messages import first_line
from ._affine_chain import AffineChain
from ._chain import Level
from ._published import read_published
from ._solved_chain import SolvedChain

# The only key of the file's metadata. Its value is JSON with the version of the format. Fields that
# are not needed for reading may be missing (older versions wrote no checksum) or added.
_KEY = "sklearn_revdist"
_CHECKSUM = "sha256"
_FORMAT = "reverse distillation chain 1"
_ARRAYS = ("components", "coef")
# Only of levels that it has columns for: not of the first, nor where residuals are not joint.
_CARRIED = "carried"
_NUMBERS = tuple(f.name for f in fields(Level) if f.name not in (*_ARRAYS, _CARRIED))
_COUNTS = ("rank", "n_prefix_components")
# Without `memory`, a folder whose pickles would be trusted.
_PARAMETERS = {"dims", "n_components", "n_new", "residual", "regressor", "alpha", "rank"}
_UNREADABLE = (
    *(SafetensorError, ValueError, KeyError, TypeError, AttributeError),
    *(OverflowError, RecursionError),
)
_WRITERS = ("sklearn-revdist", "numpy", "scikit-learn")
_BUNDLED = {"demo": "demo_distiller.safetensors"}


def write_chain(
    path: str | os.PathLike,
    parameters: dict[str, Any],
    blocks: Blocks,
    chain: SolvedChain,
    weight: float | None,
    rows: str | None,
) -> None:
    """Write a solved chain, the parameters it was solved with, and weight and kind of its rows.

    The file is replaced in one step, when it is complete. Unknown values, the weight, the kind or a
    number of a level, are null in it. A chain that is not affine is refused.
    """
    if not isinstance(chain, AffineChain):
        raise ValueError(
            f"A chain with regressor={type(parameters['regressor']).__name__}(...) is not an "
            "affine map, the only kind that the file can hold; save it with joblib."
        )
    widths = _carried_widths(blocks, parameters)
    if [level.carried.shape[1] for level in chain.levels] != widths:
        raise ValueError(
            f"residual={parameters['residual']!r} is not what the chain was solved with; fit it "
            "again before saving it."
        )
    arrays = {"mean": chain.mean}
    for i, level in enumerate(chain.levels, start=1):
        for name in (*_ARRAYS, _CARRIED) if widths[i - 1] else _ARRAYS:
            arrays[f"{name}.{i}"] = np.ascontiguousarray(getattr(level, name))
    description = {
        "format": _FORMAT,
        "versions": {name: metadata.version(name) for name in _WRITERS},
        "parameters": {k: v for k, v in parameters.items() if k in _PARAMETERS},
        "weight": weight,
        "rows": rows,
        "model_names": blocks.names,
        "dims": blocks.dims,
        "levels": [
            {name: _known(getattr(level, name)) for name in _NUMBERS} for level in chain.levels
        ],
    }
    description = json.loads(json.dumps(description, default=_plain, allow_nan=False))
    description[_CHECKSUM] = _checksum(description, arrays)
    header = {_KEY: json.dumps(description)}
    with replaced(local_path(path)) as partial:
        partial.write_bytes(save(arrays, header))


def read_chain(
    name_or_path: str | os.PathLike, variant: str | None = None, revision: str | None = None
) -> tuple[dict[str, Any], Blocks, AffineChain]:
    """Read parameters, blocks and chain from published weights or a file of `write_chain`."""
    published = None
    if name_or_path not in _BUNDLED:
        published = read_published(name_or_path, variant, revision)
    if published is not None:
        return published
    if variant is not None or revision is not None:
        raise ValueError(
            f"{variant=} and {revision=} choose among published weights, but "
            f"{str(name_or_path)!r} is neither a folder of them nor a repository on the hub; "
            "leave both out, or give such a folder or repository."
        )
    return _read(_located(name_or_path))


def read_description(name_or_path: str | os.PathLike) -> dict[str, Any]:
    """Read the metadata of a file of `write_chain`."""
    with safe_open(_located(name_or_path), framework="numpy") as file:
        return json.loads(file.metadata()[_KEY])


def _located(name_or_path):
    """Return the path of a file, or that of a bundled one by its name."""
    if name_or_path in _BUNDLED:
        return Path(str(resources.files("sklearn_revdist") / "bundled" / _BUNDLED[name_or_path]))
    path = local_path(name_or_path)
    if not os.path.isfile(path):  # Path.is_file raises for names that no file can have
        known = ", ".join(map(repr, _BUNDLED))
        raise FileNotFoundError(
            f"No saved distiller at {str(path)!r}; give the path of a file that "
            f"ReverseDistiller.save_pretrained wrote, or the name of a bundled one ({known})."
        )
    return path


def _read(path):
    try:
        with safe_open(path, framework="numpy") as file:
            description = json.loads((file.metadata() or {}).get(_KEY, "{}"))
            if description.get("format") != _FORMAT:
                raise ValueError("it is not a saved distiller of this version")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        written = description.pop(_CHECKSUM, None)
        if written is not None and written != _checksum(description, arrays):
            raise ValueError("it is damaged: its checksum does not match")
        dims = whole_numbers(description["dims"], "dims")
        blocks = Blocks(tuple(description["model_names"]), tuple(dims))
        if unknown := sorted(description["parameters"].keys() - _PARAMETERS):
            raise ValueError(f"it sets the parameter {unknown[0]!r}, which a file must not")
        widths = _carried_widths(blocks, description["parameters"])
        chain = _chain(blocks, widths, description["levels"], arrays)
        return description["parameters"], blocks, chain
    except _UNREADABLE as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as a saved distiller ({first_line(error)}); save it "
            "again with ReverseDistiller.save_pretrained, or fetch it again."
        ) from error


def _carried_widths(blocks, parameters):
    """Return the number of columns that are carried to each level."""
    joint = parameters.get("residual", "model") == "joint"
    return [joint * sum(blocks.dims[1:i]) for i in range(1, len(blocks.dims))]


def _chain(blocks, carried_widths, levels, arrays):
    """Make a chain of the numbers of its levels, and of the arrays of a file."""

    def take(name, *shape):
        array = arrays.pop(name)
        if array.shape != shape or array.dtype != np.float64 or not np.isfinite(array).all():
            raise ValueError("an array has the wrong shape, type or values")
        return array

    stops, n_prefix, made = np.cumsum(blocks.dims), blocks.dims[0], []
    for i, (numbers, n_carried) in enumerate(zip(levels, carried_widths, strict=True), start=1):
        n_new = len(arrays[f"components.{i}"])
        components = take(f"components.{i}", n_new, stops[i])
        coef = take(f"coef.{i}", n_prefix, blocks.dims[i])
        carried = take(f"{_CARRIED}.{i}", n_new, n_carried) if n_carried else np.zeros((n_new, 0))
        numbers = {name: _number(name, value) for name, value in numbers.items()}
        made.append(Level(components, coef, carried, **numbers))
        n_prefix += n_new
    chain = AffineChain(blocks.dims, take("mean", stops[-1]), made)
    if arrays or len(blocks.names) != len(blocks.dims):
        raise ValueError("its arrays do not match its models")
    return chain


def _checksum(description, arrays):
    """Return the SHA-256 of the description and of the arrays, with their names and shapes."""
    digest = hashlib.sha256(json.dumps(description).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f" {name} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _plain(value):
    """Convert NumPy numbers and array-likes for JSON."""
    return np.asarray(value).tolist()


def _number(name, value):
    """Convert a number of a level from JSON; NaN for null."""
    if value is None and name not in _COUNTS:
        return np.nan
    return np.intp(value) if name in _COUNTS else float(value)


def _known(number):
    """Return the number, or None for NaN, which JSON cannot represent."""
    return None if np.isnan(number) else number
