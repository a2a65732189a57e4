"""Where models' weights are, and reading them: fair-esm's checkpoint files (torch)."""

import argparse
import contextlib
import os
import tempfile
import threading
from importlib import resources
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError

import torch

from ._models import ESM2, Model

DOWNLOAD_ADDRESS = "https://dl.fbaipublicfiles.com/fair-esm/models"

_PREFIXES = ("encoder.sentence_encoder.", "encoder.")
_read_lock = threading.Lock()  # torch's list of safe globals belongs to the process


class Checkpoint(NamedTuple):
    """Content of a checkpoint file; the tensors stay in the file until they are used."""

    path: Path
    n_layers: int
    width: int
    n_heads: int
    token_dropout: bool
    tensors: dict[str, torch.Tensor]


def locate(entry: Model | Path) -> Path:
    """Path of the checkpoint of a known model, or of the file that `entry` names.

    A known model is taken from the package itself, else from fair-esm's cache
    (``torch.hub.get_dir()/checkpoints``), else downloaded into that cache from fair-esm's
    address, whole or not at all.

    Raises
    ------
    FileNotFoundError
        If there is no such file; the message says where it was looked for and how to put
        it there without a network.
    """
    if isinstance(entry, Path):
        if not entry.is_file():
            raise FileNotFoundError(
                f"There is no checkpoint file {str(entry.absolute())!r}; correct the path in chain."
            )
        return entry

    bundled = Path(str(resources.files(__package__).joinpath("bundled", f"{entry.name}.pt")))
    if bundled.is_file():
        return bundled
    if entry not in ESM2:
        raise FileNotFoundError(
            f"The bundled model {entry.short!r} is not at {str(bundled)!r}; reinstall the package."
        )
    cached = Path(torch.hub.get_dir(), "checkpoints", f"{entry.name}.pt")
    if not cached.is_file():
        address = f"{DOWNLOAD_ADDRESS}/{entry.name}.pt"
        try:
            _download(address, cached)
        except (OSError, ValueError) as error:
            raise FileNotFoundError(
                f"No weights of {entry.name}: there is no file {str(bundled)!r} or "
                f"{str(cached)!r}, and downloading {address} failed ({error}); without a network, "
                f"fetch that file elsewhere and copy it to {str(cached)!r}, or list the file's own "
                "path in chain."
            ) from error
    return cached


def _download(address: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=target.stem, dir=target.parent) as folder:
        partial = Path(folder, target.name)
        try:
            torch.hub.download_url_to_file(address, str(partial))
        except HTTPError as error:
            error.close()  # it holds the connection, which torch leaves open
            raise
        read_checkpoint(partial)  # a connection that breaks off is not noticed by torch
        os.replace(partial, target)


def read_checkpoint(path: Path, expected: Model | None = None) -> Checkpoint:
    """Shape and tensors of the model in a checkpoint file.

    Nothing in the file is executed, and tensors are mapped, not read.

    Parameters
    ----------
    path : Path
    expected : Model, default=None
        The known model that the file is to hold.

    Raises
    ------
    ValueError
        If the file is not a checkpoint of an ESM-2 model, or of another than `expected`.
    """
    content = _load(path)
    try:
        shape = vars(content["cfg"]["model"])
        checkpoint = Checkpoint(
            path=path,
            n_layers=int(shape["encoder_layers"]),
            width=int(shape["encoder_embed_dim"]),
            n_heads=int(shape["encoder_attention_heads"]),
            token_dropout=bool(shape["token_dropout"]),
            tensors={_strip_prefix(name): tensor for name, tensor in content["model"].items()},
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{str(path)!r} is not a checkpoint of an ESM-2 model in fair-esm's format: "
            f"{type(error).__name__} ({error}) while reading its 'cfg' and 'model'."
        ) from error
    if expected is not None and checkpoint[1:4] != expected[2:]:
        raise ValueError(
            f"{str(path)!r} holds a model of {checkpoint.n_layers} layers, width "
            f"{checkpoint.width} and {checkpoint.n_heads} heads, but {expected.name} has "
            f"{expected.n_layers}, {expected.width} and {expected.n_heads}; replace the file."
        )
    return checkpoint


def _load(path: Path) -> dict:
    path.open("rb").close()  # a file that cannot be opened is not a damaged one
    with _read_lock, contextlib.ExitStack() as stack:
        if argparse.Namespace not in torch.serialization.get_safe_globals():
            stack.enter_context(torch.serialization.safe_globals([argparse.Namespace]))
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except MemoryError:
            raise
        except Exception as error:  # a damaged or foreign file makes torch raise anything
            raise ValueError(
                f"{str(path)!r} is not a checkpoint that can be read safely; it is damaged, "
                "incomplete or of another kind, so replace it by a .pt file of fair-esm's format."
            ) from error


def _strip_prefix(name: str) -> str:
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name
