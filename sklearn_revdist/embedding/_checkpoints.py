"""Find and read checkpoints, in the formats of fair-esm and Hugging Face (torch)."""

import argparse
import contextlib
import hashlib
import os
import re
import threading
import zipfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ..utils._download import download
from ..utils._file_states import FileState, file_digest, found_once
from ..utils._files import bundled
from ..utils._hub import check_fetched
from ..utils._messages import first_line
from ..utils._models import ESM2, Model
from ..utils._torch_settings import default_settings
from ._hugging_face import check_vocabulary, fair_esm_name, read_config, shards

DOWNLOAD_ADDRESS = "https://dl.fbaipublicfiles.com/fair-esm/models"

_OLDER = {  # models whose tokens may be others, by fair-esm's names of architectures
    "protein_bert_base": "ESM-1",
    "roberta_large": "ESM-1b or ESM-1v",
    "msa_transformer": "the MSA Transformer",
}
_read_lock = threading.Lock()  # torch's list of safe globals belongs to the process
# By path, since what a file is compared with depends on the name it is found under.
_intact: defaultdict[Path, dict[tuple[FileState, ...], None]] = defaultdict(dict)
_shapes: dict[tuple[FileState, ...], tuple[int, int]] = {}


class Checkpoint(NamedTuple):
    """Content of a checkpoint; the tensors stay in the file until they are used."""

    path: Path
    n_layers: int
    width: int
    n_heads: int
    token_dropout: bool
    tensors: dict[str, torch.Tensor]


class Place(NamedTuple):
    """Where the weights of a known model may be: a file, or a Hugging Face folder."""

    name: str
    path: Path


def places(model: Model) -> list[Place]:
    """List where the weights of a known model are looked for, in this order.

    The environment's ``TORCH_HOME``, ``HF_HOME`` and ``HF_HUB_CACHE`` are respected.
    """
    file = f"{model.name}.pt"
    package = Place("package", bundled(file))
    if model not in ESM2:
        return [package]
    return [
        package,
        Place("fair-esm", Path(torch.hub.get_dir(), "checkpoints", file)),
        Place("Hugging Face", _snapshot(_hub_cache() / f"models--facebook--{model.name}")),
    ]


def download_size(model: Model) -> int:
    """About how many bytes are downloaded for a published model.

    There are 12 times the square of the width in each layer, and few other parameters; those of 3B
    and 15B are stored in half precision.
    """
    n_parameters = (12 * model.n_layers + 1) * model.width**2
    return n_parameters * (4 if model.width <= 1280 else 2)


def locate(entry: Model | Path, *, verbose: bool = True) -> Path:
    """Find the checkpoint of a known model, or check that the file or folder `entry` is there.

    A known model is taken from the package itself, else from fair-esm's cache
    (``torch.hub.get_dir()/checkpoints``), else from Hugging Face's, else downloaded into
    fair-esm's cache from its address. A download that breaks off is resumed by the next call; with
    `verbose`, a bar on standard error shows how much of it is there.

    Raises
    ------
    FileNotFoundError
        If there is no such file; the message says where it was looked for and how to put
        it there without a network.
    ValueError
        If a file of a folder has tokens other than ESM-2's. This is checked each time, since
        these files are not part of the digest of the weights.
    """
    if isinstance(entry, Path):
        if not entry.exists():
            raise FileNotFoundError(
                f"There is no checkpoint {str(entry.absolute())!r}; correct the path in chain."
            )
        checkpoint_files(entry)
        check_vocabulary(entry)
        return entry

    for place in places(entry):
        if is_complete(place.path):
            check_vocabulary(place.path)
            return place.path
    if entry not in ESM2:
        raise FileNotFoundError(
            f"The bundled model {entry.short!r} is not at {str(places(entry)[0].path)!r}; "
            "reinstall the package."
        )
    _, cached, snapshot = (place.path for place in places(entry))
    address = f"{DOWNLOAD_ADDRESS}/{entry.name}.pt"
    try:
        download(address, cached, check=read_checkpoint, verbose=verbose)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"No weights of {entry.name}: there is no file {str(cached)!r}, nothing in "
            f"{str(snapshot)!r}, and downloading {address} failed ({first_line(error)}); without a "
            f"network, fetch that file elsewhere and copy it to {str(cached)!r}, or list its own "
            f"path, or that of a folder of facebook/{entry.name} from Hugging Face, in chain."
        ) from error
    return cached


def checkpoint_files(path: Path) -> list[Path]:
    """List the files of a checkpoint: a ``.pt`` file, or a folder's configuration and weights.

    Raises
    ------
    FileNotFoundError
        If the folder lacks a file.
    ValueError
        If the folder's index is damaged.
    """
    if not path.is_dir():
        return [path]
    config, whole, index = (
        path / name for name in ("config.json", "model.safetensors", "model.safetensors.index.json")
    )
    in_parts = index.is_file() and not whole.is_file()
    files = [config, *(shards(index) if in_parts else [whole])]
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(
                f"{str(path)!r} has no file {file.name!r}, which a Hugging Face checkpoint in "
                "safetensors format needs; copy it there."
            )
    return files


def is_complete(path: Path) -> bool:
    """Whether there is a checkpoint with all its files."""
    try:
        return path.exists() and bool(checkpoint_files(path))
    except (FileNotFoundError, ValueError):
        return False


def weights_digest(files: Sequence[Path], digest_of: Callable[[Path], str] = file_digest) -> str:
    """Identify a checkpoint by the content of its files.

    Parameters
    ----------
    files : sequence of Path
        Those that :func:`checkpoint_files` lists.
    digest_of : callable
        Returns the SHA-256 of a file.

    Returns
    -------
    digest : str
        SHA-256 in hexadecimal digits; for several files that of their digests.
    """
    digests = [digest_of(file) for file in files]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def checkpoint_shape(path: Path) -> tuple[int, int]:
    """Number of layers of the model in a checkpoint, and width of its embeddings.

    It is read once for each state of the files. The weights are not read, so damage to them is
    only found when they are loaded.

    Raises
    ------
    ValueError
        If it is not a checkpoint of an ESM-2 model.
    """

    def read():
        checkpoint = _read(path, check=False)
        return checkpoint.n_layers, checkpoint.width

    return found_once(_shapes, checkpoint_files(path), read)


def _hub_cache() -> Path:
    """Hugging Face's cache, where its library looks for it."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("HF_HOME", os.path.join(cache, "huggingface"))
    hub = os.environ.get("HF_HUB_CACHE", os.path.join(home, "hub"))
    return Path(os.path.expandvars(hub)).expanduser()


def _snapshot(repository: Path) -> Path:
    """The revision `main` of a repository in the cache, else another that is complete."""
    snapshots = repository / "snapshots"
    revisions = sorted(path.name for path in snapshots.glob("*"))
    with contextlib.suppress(OSError, UnicodeDecodeError):
        revisions.insert(0, (repository / "refs" / "main").read_text(encoding="ascii").strip())
    complete = (snapshots / name for name in revisions if is_complete(snapshots / name))
    return next(complete, repository)


def read_checkpoint(path: Path, expected: Model | None = None) -> Checkpoint:
    """Read a model's shape and its tensors, named as in fair-esm.

    Nothing in its files is executed, and tensors are mapped into memory, not read. Checksums, where
    there are any, are compared once for each state of a file.

    Parameters
    ----------
    path : Path
        A ``.pt`` file in fair-esm's format, or a Hugging Face folder with ``config.json`` and
        ``model.safetensors``, or its parts and their index.
    expected : Model, default=None
        The known model that the file should hold.

    Raises
    ------
    ValueError
        If the file is not a checkpoint of an ESM-2 model, or of another than `expected`.
    """
    checkpoint = _read(path, check=True)
    if expected is not None and checkpoint[1:4] != expected[2:]:
        raise ValueError(
            f"{str(path)!r} holds a model of {checkpoint.n_layers} layers, width "
            f"{checkpoint.width} and {checkpoint.n_heads} heads, but {expected.name} has "
            f"{expected.n_layers}, {expected.width} and {expected.n_heads}; replace the file."
        )
    return checkpoint


def _read(path: Path, check: bool) -> Checkpoint:
    """Read a checkpoint, with `check` after its checksums have been compared."""
    with default_settings(torch.device("cpu")):
        return _read_hugging_face(path, check) if path.is_dir() else _read_fair_esm(path, check)


def _read_fair_esm(path: Path, check: bool) -> Checkpoint:
    content = _load(path, check)
    if isinstance(content, dict) and "cfg" not in content:
        architecture = str(getattr(content.get("args"), "arch", None))
        if architecture in _OLDER:
            raise ValueError(
                f"{str(path)!r} is not a checkpoint of an ESM-2 model but of "
                f"{_OLDER[architecture]} (architecture {architecture!r}); name a file of ESM-2."
            )
    keys = ("encoder_layers", "encoder_embed_dim", "encoder_attention_heads")
    try:
        shape = vars(content["cfg"]["model"])
        prefix = re.compile(r"^encoder\.(sentence_encoder\.)?")
        tensors = {prefix.sub("", name): tensor for name, tensor in content["model"].items()}
        return _checkpoint(path, shape, keys, tensors)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{str(path)!r} is not a checkpoint of an ESM-2 model in fair-esm's format: "
            f"{type(error).__name__} ({first_line(error)}) while reading its 'cfg' and 'model'."
        ) from error


def _read_hugging_face(path: Path, check: bool) -> Checkpoint:
    config_file, *files = checkpoint_files(path)
    for file in (config_file, *files) if check else ():
        found_once(_intact[file], [file], partial(check_fetched, file))
    config = read_config(config_file)
    tensors = {}
    for file in files:
        try:
            tensors |= load_file(file)
        except (SafetensorError, OSError) as error:
            raise ValueError(
                f"{str(file)!r} is not a safetensors file, or damaged ({first_line(error)}); "
                "replace it."
            ) from error
    tensors = {fair_esm_name(name): tensor for name, tensor in tensors.items()}
    keys = ("num_hidden_layers", "hidden_size", "num_attention_heads")
    try:
        checkpoint = _checkpoint(path, config, keys, tensors)
        frequencies = _rotary_frequencies(checkpoint, float(config.get("rope_theta") or 10_000))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{str(config_file)!r} does not give the shape of an ESM-2 model: "
            f"{type(error).__name__} ({first_line(error)}); replace the file."
        ) from error
    return checkpoint._replace(tensors=frequencies | tensors)


def _checkpoint(
    path: Path, shape: Mapping[str, Any], keys: Sequence[str], tensors: dict[str, torch.Tensor]
) -> Checkpoint:
    """Refuse a shape that does not fit the tensors, such as one larger than its file."""
    n_layers, width, n_heads = (int(shape[key]) for key in keys)
    if (
        not 1 <= n_layers <= len(tensors)
        or not any(width in tensor.shape for tensor in tensors.values())
        or n_heads < 1
        or width % n_heads
    ):
        raise ValueError(
            f"{n_layers} layers, {width} columns and {n_heads} heads do not fit its tensors"
        )
    return Checkpoint(path, n_layers, width, n_heads, bool(shape["token_dropout"]), tensors)


def _rotary_frequencies(checkpoint: Checkpoint, base: float) -> dict[str, torch.Tensor]:
    """Frequencies of every layer: those that all layers share in the file, else computed.

    Versions of transformers write them for each layer, once, or not at all. Where they are
    missing, transformers computes them like this.
    """
    names = ("rotary_embeddings.inv_freq", "layers.*.self_attn.rot_emb.inv_freq")
    frequencies = next((checkpoint.tensors[n] for n in names if n in checkpoint.tensors), None)
    if frequencies is None:
        d = checkpoint.width // checkpoint.n_heads
        frequencies = 1.0 / base ** (torch.arange(0, d, 2, dtype=torch.float32, device="cpu") / d)
    return {
        f"layers.{i}.self_attn.rot_emb.inv_freq": frequencies for i in range(checkpoint.n_layers)
    }


def _load(path: Path, check: bool) -> dict:
    path.open("rb").close()  # a file that cannot be opened is not a damaged one
    with _read_lock, contextlib.ExitStack() as stack:
        if argparse.Namespace not in torch.serialization.get_safe_globals():
            stack.enter_context(torch.serialization.safe_globals([argparse.Namespace]))
        try:
            _check_stored(path)
            if check:
                found_once(_intact[path], [path], partial(_check_crc, path))
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except MemoryError:
            raise
        except Exception as error:  # a damaged or foreign file makes torch raise anything
            raise ValueError(
                f"{str(path)!r} is not a checkpoint that can be read safely; it is damaged, "
                "incomplete or of another kind, so replace it by a .pt file of fair-esm's format."
            ) from error


def _check_stored(path: Path) -> None:
    """Refuse parts that would take more memory than the file's size."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    if not stored or sum(member.file_size for member in members) > path.stat().st_size:
        raise ValueError("its parts are not stored one after the other, as torch stores them")


def _check_crc(path: Path) -> None:
    """Compare the file's parts with their checksums, which torch does not do."""
    with zipfile.ZipFile(path) as archive:
        if (damaged := archive.testzip()) is not None:
            raise ValueError(f"the checksum of {damaged!r} does not match")
