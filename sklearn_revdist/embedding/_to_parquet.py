"""Embed on many workers, in parts of equal length; each worker writes the files of its parts.

A file appears when it is complete, under a name that holds a digest of all that it depends on. So
workers need not report what they have done, and the same call can be repeated to go on.
"""

import hashlib
import json
import os
import threading
import warnings
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, pairwise
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from ..matrix._layout import blocks_of_names
from ..sequences._records import in_parts, read_records
from ..sequences._tokens import Encoder, as_list
from ..sequences._windows import check_lengths, n_processed
from ..tables._files import writing
from ..tables._table import import_parquet
from ..utils._compat import HasMethods, Interval, validate_parameter_constraints
from ..utils._files import local_path, replaced
from ..utils._fingerprint import fingerprint
from ..utils._parts import Parts
from ._base import BaseEmbedder

_FORMAT = 1

# Residues that are read at a time, when sequences are only looked through.
_RESIDUES = 2**22

# A device has memory for one part at a time, whatever number of threads a worker has.
_one_at_a_time = threading.Lock()


_CONSTRAINTS: dict = {
    "embedder": [BaseEmbedder],
    "folder": [str, os.PathLike],
    "names": ["array-like", None],
    "client": [HasMethods(["submit", "nthreads"]), None],
    "tokens_per_part": [Interval(Integral, 1, None, closed="left")],
}


class _Part(NamedTuple):
    """Consecutive distinct sequences, and the file for their embeddings."""

    path: Path
    first_row: int
    n_rows: int
    n_residues: int


class _Plan(NamedTuple):
    """How the sequences are cut into parts.

    Attributes
    ----------
    rows : ndarray of shape (n_records,)
        For each record the row of its sequence among the distinct ones.
    lengths : ndarray of shape (n_records,)
        Numbers of residues.
    files : Parts
    parts : list of _Part
    sequences : str
        Digest of all names and sequences.
    """

    rows: NDArray[np.int64]
    lengths: NDArray[np.int64]
    files: Parts
    parts: list[_Part]
    sequences: str


def embed_to_parquet(
    embedder: BaseEmbedder,
    sequences: Any,
    folder: str | os.PathLike,
    *,
    names: ArrayLike | None = None,
    client: Any = None,
    tokens_per_part: int = 2**18,
) -> dict[str, Any]:
    """Embed any number of sequences into a folder of Parquet files, on one machine or many.

    The distinct sequences are cut, in their order, into parts of about equally many residues.
    Each worker loads the models once, embeds one part after the other, and writes the files.
    What is written is never embedded again: after an interruption, or the loss of workers, the
    same call goes on.

    Parameters
    ----------
    embedder : ESMEmbedder or TransformersEmbedder
        The chain, and how to embed. The workers need its models.
    sequences : array-like of str, or path
        Protein sequences, or a FASTA, CSV, TSV, Excel or Parquet file, which is read several
        times and never held in memory.
    folder : str or path-like
        Where the files go, made if it is missing; on a file system that all workers share.
    names : array-like of str, default=None
        Names of the sequences, if these are not in a file. Any strings, which may repeat.
    client : distributed.Client, default=None
        Client of the cluster that embeds: one process with one thread for each device. None
        embeds in this process, one part after the other, without dask.
    tokens_per_part : int, default=2**18
        Number of residues in a part; its last sequence may exceed it.

    Returns
    -------
    manifest : dict
        Content of ``manifest.json``: the settings, the numbers of records, of distinct sequences
        and of residues, the widths of the models, and for each part its file, its first row, and
        its numbers of rows and of residues.

    Raises
    ------
    ValueError
        If a sequence is not a protein; the message names the record and the position, and nothing
        has been embedded. If `folder` holds the embeddings of other sequences, or of the same
        sequences with other settings.
    FileNotFoundError
        If a worker does not see `folder`, or its files are not seen here.
    RuntimeError
        If several workers died over one part.
    ImportError
        If pyarrow is not installed; the message names the extra.

    Notes
    -----
    The folder ``embeddings`` holds the parts, ``part-000000-<digest>.parquet`` and so on, with the
    columns ``row`` (counted over all parts), ``name`` (of the first record with this sequence) and
    those of the embeddings. ``records.parquet`` has ``name``, ``row`` and ``length`` (in residues)
    for each record in the order of the input, duplicates included.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from sklearn_revdist import ESMEmbedder, embed_to_parquet
    >>> folder = TemporaryDirectory()
    >>> manifest = embed_to_parquet(ESMEmbedder("demo"), ["MKTAY", "GSHML", "MKTAY"], folder.name)
    >>> manifest["n_records"], manifest["n_sequences"], len(manifest["parts"])
    (3, 2, 1)
    >>> distinct = pd.read_parquet(Path(folder.name, "embeddings"))
    >>> records = pd.read_parquet(Path(folder.name, "records.parquet"))
    >>> distinct.iloc[records["row"]].filter(like="esm2").shape
    (3, 304)
    >>> folder.cleanup()
    """
    # not by the decorator, which would be taken for the caller in warnings
    given = (embedder, folder, names, client, tokens_per_part)
    validate_parameter_constraints(
        _CONSTRAINTS, dict(zip(_CONSTRAINTS, given, strict=True)), "embed_to_parquet"
    )
    import_parquet()  # fails before hours of work
    folder = local_path(folder).absolute()
    records = _reader(sequences, names)
    columns = embedder.get_feature_names_out()
    settings = settings_of(embedder)
    plan = _plan(records, embedder, settings, tokens_per_part, folder / "embeddings")
    manifest = {
        "format": _FORMAT,
        "complete": False,
        **settings,
        "tokens_per_part": tokens_per_part,
        "sequences": plan.sequences,
        "n_records": len(plan.rows),
        "n_sequences": sum(part.n_rows for part in plan.parts),
        "n_residues": sum(part.n_residues for part in plan.parts),
        "columns": dict(zip(*blocks_of_names(columns), strict=True)),
        "parts": [
            {"file": path.name, "first_row": first, "n_rows": n_rows, "n_residues": n_residues}
            for path, first, n_rows, n_residues in plan.parts
        ],
    }
    _check_same(folder, manifest)
    plan.files.folder.mkdir(parents=True, exist_ok=True)
    _write_records(folder / "records.parquet", records, plan)
    _write_manifest(folder, manifest)
    missing = _missing(plan)
    worker = clone(embedder).set_params(verbose=False)
    work = (
        (part, partial(_embed_part, worker, *part_records, part.first_row, part.path))
        for part, *part_records in _records_of(missing, records, plan.rows)
    )
    with embedder._bars()("sequences", manifest["n_residues"]) as bar:
        bar.update(manifest["n_residues"] - sum(part.n_residues for part in missing))
        for part in _here(work) if client is None else _on_workers(client, work):
            bar.update(part.n_residues)
    plan.files.remove_partial()
    manifest["complete"] = True
    _write_manifest(folder, manifest)
    return manifest


def _reader(sequences, names) -> Callable[[], Iterator[tuple[str, str]]]:
    """Make a function that reads names and sequences from the beginning."""
    if isinstance(sequences, str | os.PathLike):
        if names is not None:
            raise ValueError("The file has the names; leave `names` out, or give the sequences.")
        path = local_path(sequences)
        if path.exists() and not path.is_file():
            raise ValueError(
                f"{str(path)!r} is not a file that can be read twice; write the sequences to one."
            )
        return partial(read_records, path)
    texts = as_list(sequences)
    if not all(isinstance(text, str) for text in texts):
        Encoder("X").encode(texts)  # raises the error that says so
    labels = [""] * len(texts) if names is None else [str(name) for name in names]
    if len(labels) != len(texts):
        raise ValueError(
            f"names has {len(labels)} entries for {len(texts)} sequences; give one for each."
        )
    return lambda: zip(labels, texts, strict=True)


def settings_of(embedder: BaseEmbedder) -> dict[str, Any]:
    """All that embeddings depend on beside the sequences.

    Of published models of ESM-2 the name alone: workers may have weights that this process does
    not have. Of others the digest of the weights.

    Returns
    -------
    settings : dict
        ``chain`` has the digest or None by name, and ``embedder`` the parameters.
    """
    from ._checkpoints import weights_digest

    blocks = embedder._blocks(identify=True)
    entries = [block.entry for block in blocks]
    chain = {e.name: None if e.is_published else weights_digest(e.files()) for e in entries}
    how = {
        "layers": [block.layers[0] for block in blocks],
        "pooling": [pooling.key for pooling in blocks[0].poolings],
        **{name: getattr(embedder, name) for name in ("dtype", "max_length", "long", "unknown")},
    }
    return {"chain": chain, "embedder": how}


def _plan(records, embedder, settings, tokens_per_part, folder):
    digests, lengths, hashed = bytearray(), array("q"), hashlib.blake2b(digest_size=16)
    encoder, check = Encoder(embedder.unknown), embedder._checker()
    for first, names, part in in_parts(records(), _RESIDUES):
        encoded = encoder.encode(part)
        check(encoded, first)
        for tokens in encoded:
            digests += hashlib.blake2b(tokens.tobytes(), digest_size=16).digest()
            lengths.append(len(tokens))
        hashed.update(json.dumps(names).encode())
    hashed.update(digests)
    encoder.warn()
    lengths = np.array(lengths)
    check_lengths(lengths, embedder.max_length, embedder.long)
    rows = _first_rows(digests)
    n_tokens = n_processed(lengths[_is_first(rows)], embedder.max_length, embedder.long)
    before = np.cumsum(n_tokens) - n_tokens
    _, starts = np.unique(before // tokens_per_part, return_index=True)
    sequences = hashed.hexdigest()
    digest = fingerprint(_FORMAT, settings, tokens_per_part, sequences)[:16]
    files = Parts(folder, digest, ".parquet")
    parts = [
        _Part(files.path(number), start, stop - start, int(n_tokens[start:stop].sum()))
        for number, (start, stop) in enumerate(pairwise([*starts.tolist(), len(n_tokens)]))
    ]
    return _Plan(rows, lengths, files, parts, sequences)


def _first_rows(digests):
    """For each record the number of its sequence among the distinct ones, in their order."""
    # As pairs of numbers they take a tenth of the memory of a dict of bytes.
    halves = np.frombuffer(bytes(digests), dtype="<u8").reshape(-1, 2)
    (left, _), (right, distinct) = (pd.factorize(half) for half in halves.T)
    return pd.factorize(left.astype(np.int64) * len(distinct) + right)[0].astype(np.int64)


def _is_first(rows):
    """Whether a record is the first with its sequence."""
    return np.diff(np.maximum.accumulate(rows), prepend=-1) > 0


def _check_same(folder, manifest):
    """Refuse a folder with the embeddings of another call."""
    path = folder / "manifest.json"
    if not path.exists():
        return
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        others = [name for name in manifest if name != "complete" and there[name] != manifest[name]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{str(path)!r} is not a manifest of embeddings ({error!r}); give another folder."
        ) from error
    if others:
        raise ValueError(
            f"{str(folder)!r} holds the embeddings of another call, with other {others[0]!r} in "
            "its manifest.json; give another folder, or remove this one."
        )


def _write_records(path, records, plan):
    """Write the name, the row and the length of each record, unless they are there."""
    if path.exists():
        return
    import pyarrow

    parquet = import_parquet()
    whole = pyarrow.int64()
    schema = pyarrow.schema([("name", pyarrow.string()), ("row", whole), ("length", whole)])
    with replaced(path) as partial_path, parquet.ParquetWriter(partial_path, schema) as writer:
        for first, names, _ in in_parts(records(), _RESIDUES):
            part = slice(first, first + len(names))
            columns = [names, plan.rows[part], plan.lengths[part]]
            writer.write_table(pyarrow.table(columns, schema=schema))


def _write_manifest(folder, manifest):
    with replaced(folder / "manifest.json") as path:
        path.write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _missing(plan):
    """Parts that are not there, or are damaged."""
    parquet = import_parquet()
    there = set(plan.files.numbers())

    def is_whole(part):
        try:
            return parquet.read_metadata(part.path).num_rows == part.n_rows
        except (OSError, ValueError):  # ArrowInvalid is a ValueError
            return False

    return [part for i, part in enumerate(plan.parts) if i not in there or not is_whole(part)]


def _records_of(parts, records, rows):
    """Yield some parts with their names and sequences."""
    first = iter(_is_first(rows))
    distinct = (record for record, is_first in zip(records(), first, strict=True) if is_first)
    row = 0
    for part in parts:
        skipped = part.first_row - row
        taken = list(islice(distinct, skipped, skipped + part.n_rows))
        names, sequences = map(list, zip(*taken, strict=True))
        yield part, names, sequences
        row = part.first_row + part.n_rows


def _embed_part(embedder, names, sequences, first_row, path):
    """Embed sequences and write the embeddings to a file, on a worker."""
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"A worker does not see the folder {str(path.parent)!r}; give one on a file system "
            "that all workers share."
        )
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of long sequences, which were counted
        rows = embedder.transform(sequences)
        columns = embedder.get_feature_names_out()
    labels = {
        "row": np.arange(first_row, first_row + len(rows)),
        "name": np.array(names, dtype=object),
    }
    with writing(path, columns) as write:
        write(labels, rows)


def _here(work):
    for part, embed in work:
        embed()
        yield part


def _on_workers(client, work):
    """Yield parts as they are done, in any order; one waits for each thread that embeds one."""
    from distributed import as_completed

    done, waiting = as_completed(), {}

    def finished():
        future = next(done)
        return _finished(future, waiting.pop(future))

    try:
        for part, embed in work:
            future = client.submit(embed, pure=False, key=f"{part.path.name}-{os.urandom(4).hex()}")
            waiting[future] = part
            done.add(future)
            if len(waiting) > 2 * sum(client.nthreads().values()):
                yield finished()
        while waiting:
            yield finished()
    finally:
        client.cancel(list(waiting))


def _finished(future, part):
    from distributed import KilledWorker

    try:
        future.result()
    except KilledWorker as error:
        raise RuntimeError(
            f"Several workers died while they embedded the sequences {part.first_row} to "
            f"{part.first_row + part.n_rows - 1} (distinct ones, counting from 0), most likely out "
            "of memory; set a lower batch_tokens or max_length, or give workers more memory, and "
            "call again, which goes on."
        ) from error
    if not part.path.exists():
        raise FileNotFoundError(
            f"A worker has written {str(part.path)!r}, which is not seen here; give a folder on a "
            "file system that all workers share."
        )
    return part
