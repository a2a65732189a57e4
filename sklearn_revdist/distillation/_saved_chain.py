"""Saved chains: a solved chain as one safetensors file, arrays and plain metadata, no pickle."""

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

# The file's metadata has this one key; its value is JSON that says the format's version. Whatever
# a program of that version does not need for reading may be missing or more, the checksum of the
# rest and the arrays as well: older programs wrote none.
_KEY = "sklearn_revdist"
_CHECKSUM = "sha256"
_FORMAT = "reverse distillation chain 1"
_ARRAYS = ("components", "coef")
_NUMBERS = tuple(f.name for f in fields(Level) if f.name not in _ARRAYS)
_COUNTS = ("rank", "n_prefix_components")
# Not `memory`, a folder of this machine whose pickles would be trusted.
_PARAMETERS = {"dims", "n_components", "n_new", "regressor", "alpha", "rank"}
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
) -> None:
    """Write a solved chain, the parameters it was solved with and the weight of its rows.

    The file appears under its name in one step, when it is complete. What is not known, the
    weight or a number of a level, is null in it. A chain that is not affine is refused.
    """
    if not isinstance(chain, AffineChain):
        raise ValueError(
            f"A chain with regressor={type(parameters['regressor']).__name__}(...) is no affine "
            "map, which is what the file holds; keep it with joblib."
        )
    arrays = {"mean": chain.mean}
    for i, level in enumerate(chain.levels, start=1):
        for name in _ARRAYS:
            arrays[f"{name}.{i}"] = np.ascontiguousarray(getattr(level, name))
    description = {
        "format": _FORMAT,
        "versions": {name: metadata.version(name) for name in _WRITERS},
        "parameters": parameters,
        "weight": weight,
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
    """Parameters, blocks and chain from published weights or from what `write_chain` wrote."""
    published = None
    if name_or_path not in _BUNDLED:
        published = read_published(name_or_path, variant, revision)
    if published is not None:
        return published
    if variant is not None or revision is not None:
        raise ValueError(
            f"{variant=} and {revision=} choose among published weights, but "
            f"{str(name_or_path)!r} is neither a folder of them nor a repository on the hub; "
            "leave both out, or give what holds them."
        )
    return _read(_located(name_or_path))


def read_description(name_or_path: str | os.PathLike) -> dict[str, Any]:
    """What a file that `read_chain` reads says of the chain beside its arrays."""
    with safe_open(_located(name_or_path), framework="numpy") as file:
        return json.loads(file.metadata()[_KEY])


def _located(name_or_path):
    """Path of a file, or of a bundled one by its name."""
    if name_or_path in _BUNDLED:
        return Path(str(resources.files("sklearn_revdist") / "bundled" / _BUNDLED[name_or_path]))
    path = local_path(name_or_path)
    if not os.path.isfile(path):  # unlike the method, also of names that no file can have
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
                raise ValueError("it is no saved distiller of this version")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        written = description.pop(_CHECKSUM, None)
        if written is not None and written != _checksum(description, arrays):
            raise ValueError("it is damaged: its checksum does not match")
        widths = whole_numbers(description["dims"], "dims")
        blocks = Blocks(tuple(description["model_names"]), tuple(widths))
        levels = [
            Level(
                *(arrays.pop(f"{name}.{i}") for name in _ARRAYS),
                **{name: _number(name, value) for name, value in numbers.items()},
            )
            for i, numbers in enumerate(description["levels"], start=1)
        ]
        mean = arrays.pop("mean")
        _check_shapes(blocks, mean, levels, left_over=arrays)
        if unknown := sorted(description["parameters"].keys() - _PARAMETERS):
            raise ValueError(f"it sets {unknown[0]!r}, which is not up to a file")
        return description["parameters"], blocks, AffineChain(blocks.dims, mean, levels)
    except _UNREADABLE as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as a saved distiller ({first_line(error)}); save it "
            "again with ReverseDistiller.save_pretrained, or fetch it again."
        ) from error


def _checksum(description, arrays):
    """SHA-256 of the description and of the arrays, with their names and shapes."""
    digest = hashlib.sha256(json.dumps(description).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f" {name} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _check_shapes(blocks, mean, levels, left_over):
    """Refuse arrays that do not fit together, before anything is built from them."""
    if left_over or len(levels) != len(blocks.dims) - 1 or len(blocks.names) != len(blocks.dims):
        raise ValueError("its arrays are not those of its models")
    stops = np.cumsum(blocks.dims)
    expected = [(mean, (stops[-1],))]
    n_prefix = blocks.dims[0]
    for level, width, stop in zip(levels, blocks.dims[1:], stops[1:], strict=True):
        n_new = len(level.components)
        expected += [(level.components, (n_new, stop)), (level.coef, (n_prefix, width))]
        n_prefix += n_new
    for array, shape in expected:
        if array.shape != shape or array.dtype != np.float64 or not np.isfinite(array).all():
            raise ValueError("an array has the wrong shape, type or values")


def _plain(value):
    """JSON for NumPy's numbers and for array-likes that are no lists."""
    return np.asarray(value).tolist()


def _number(name, value):
    """What a file says of a level; nan where it is not known."""
    if value is None and name not in _COUNTS:
        return np.nan
    return np.intp(value) if name in _COUNTS else float(value)


def _known(number):
    """The number, or None where it is nan, for which JSON has no word."""
    return None if np.isnan(number) else number
