"""Embedding on many workers: parts of equal length, written to files where they are embedded.

A part is named after its number and a digest of all that it depends on, and appears when it is
complete. So workers need to tell nobody what they have done, and whoever starts again goes on.
"""

import hashlib
import json
import os
import threading
import warnings
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval, validate_parameter_constraints

from ..matrix._layout import blocks_of_names
from ..sequences._records import in_parts, read_records
from ..sequences._tokens import Encoder, as_list
from ..sequences._windows import check_lengths, n_processed
from ..tables._files import writing
from ..tables._table import import_parquet
from ..utils._files import local_path, replaced
from ..utils._fingerprint import fingerprint
from ..utils._models import Model, model_name, resolve_chain
from ._embedder import ESMEmbedder

_FORMAT = 1

# Residues that are read at a time, where sequences are looked through.
_RESIDUES = 2**22

# Parts that wait at each thread of the workers, beside the one that it embeds.
_WAITING = 1

# A device has memory for one part at a time, whatever number of threads a worker has.
_one_at_a_time = threading.Lock()


_CONSTRAINTS: dict = {
    "embedder": [ESMEmbedder],
    "folder": [str, os.PathLike],
    "names": ["array-like", None],
    "client": [HasMethods(["submit", "nthreads"]), None],
    "tokens_per_part": [Interval(Integral, 1, None, closed="left")],
}


class _Part(NamedTuple):
    """Consecutive distinct sequences, and the name of the file that their embeddings go to."""

    file: str
    first_row: int
    n_rows: int
    n_residues: int


class _Plan(NamedTuple):
    """What is in which part.

    Attributes
    ----------
    rows : ndarray of shape (n_records,)
        For each record the row of its sequence among the distinct ones.
    parts : list of _Part
    sequences : str
        Digest of all names and sequences.
    """

    rows: NDArray[np.int64]
    parts: list[_Part]
    sequences: str


def embed_to_parquet(
    embedder: ESMEmbedder,
    sequences: Any,
    folder: str | os.PathLike,
    *,
    names: ArrayLike | None = None,
    client: Any = None,
    tokens_per_part: int = 2**18,
) -> dict[str, Any]:
    """Embed any number of sequences into a folder of Parquet files, on one machine or many.

    The distinct sequences are cut, in their order, into parts of equally many residues. Workers
    embed one part after the other, each loads the models once, and write the files themselves.
    What is written is never embedded again: after an interruption, or the loss of workers, the
    same call goes on.

    Parameters
    ----------
    embedder : ESMEmbedder
        Says the chain and how to embed. Its models have to be where the workers are.
    sequences : array-like of str, or path
        Protein sequences, or a FASTA, CSV, TSV, Excel or Parquet file, which is read twice and
        never held in memory.
    folder : str or path-like
        Where the files go, made if there is none; on a file system that all workers share.
    names : array-like of str, default=None
        Names of the sequences; those in a file are taken from there. Any text, and they may
        repeat.
    client : distributed.Client, default=None
        Of the cluster that embeds: one process with one thread for each device. None embeds in
        this process, one part after the other, without dask.
    tokens_per_part : int, default=2**18
        Number of residues in a part, but for the length of its last sequence.

    Returns
    -------
    manifest : dict
        What ``manifest.json`` holds: the settings, the numbers of records, of distinct sequences
        and of residues, the widths of the models, and file, first row and numbers of rows and of
        residues of each part.

    Raises
    ------
    ValueError
        If a sequence is no protein; the message names the record and the position, and nothing
        has been embedded. If `folder` holds the embeddings of other sequences, or of the same with
        other settings.
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
    those of the embeddings. ``records.parquet`` has ``name`` and ``row`` for each record in the
    order of the input, duplicates included.

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
    # not by the decorator, which would be taken for the caller that warnings are told of
    given = (embedder, folder, names, client, tokens_per_part)
    validate_parameter_constraints(
        _CONSTRAINTS, dict(zip(_CONSTRAINTS, given, strict=True)), "embed_to_parquet"
    )
    import_parquet()  # its absence is told before hours of work
    folder = local_path(folder).absolute()
    records = _reader(sequences, names)
    columns = embedder.get_feature_names_out()
    settings = _settings(embedder)
    plan = _plan(records, embedder, settings, tokens_per_part)
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
        "parts": [part._asdict() for part in plan.parts],
    }
    _check_same(folder, manifest)
    (folder / "embeddings").mkdir(parents=True, exist_ok=True)
    _write_records(folder / "records.parquet", records, plan.rows)
    _write_manifest(folder, manifest)
    missing = _missing(folder / "embeddings", plan.parts)
    work = (
        (part, partial(_embed_part, clone(embedder).set_params(verbose=False), *part_records))
        for part, *part_records in _in_files(records, plan, missing, folder / "embeddings")
    )
    with embedder._progress("sequences", manifest["n_residues"]) as bar:
        bar.update(manifest["n_residues"] - sum(part.n_residues for part in missing))
        for part in _here(work) if client is None else _on_workers(client, work):
            bar.update(part.n_residues)
    for path in (folder / "embeddings").glob("part-*.partial"):
        path.unlink()  # of workers that died
    manifest["complete"] = True
    _write_manifest(folder, manifest)
    return manifest


def _reader(sequences, names) -> Callable[[], Iterator[tuple[str, str]]]:
    """Function that goes through names and sequences from their beginning."""
    if isinstance(sequences, str | os.PathLike):
        if names is not None:
            raise ValueError("The file has the names; leave `names` out, or give the sequences.")
        path = local_path(sequences)
        if path.exists() and not path.is_file():
            raise ValueError(
                f"{str(path)!r} is no file that can be read twice; write the sequences to one."
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


def _settings(embedder):
    """All that embeddings depend on beside the sequences, as far as it is known without weights."""
    chain = {model_name(entry): _weights(entry) for entry in resolve_chain(embedder.chain)}
    return {"chain": chain, "embedder": embedder._settings()}


def _weights(entry):
    """Digest of weights that are told by their path; a model of the family is told by its name.

    Workers may have the weights of that, and whoever asks them none.
    """
    if isinstance(entry, Model):
        return None
    from ._checkpoints import checkpoint_files, locate, weights_digest

    return weights_digest(checkpoint_files(locate(entry)))


def _plan(records, embedder, settings, tokens_per_part):
    digests, lengths, told = bytearray(), array("q"), hashlib.blake2b(digest_size=16)
    encoder = Encoder(embedder.unknown)
    for _, names, part in in_parts(records(), _RESIDUES):
        for tokens in encoder.encode(part):
            digests += hashlib.blake2b(tokens.tobytes(), digest_size=16).digest()
            lengths.append(len(tokens))
        told.update(json.dumps(names).encode())
    told.update(digests)
    encoder.warn(stacklevel=4)
    lengths = np.array(lengths)
    check_lengths(lengths, embedder.max_length, embedder.long)
    rows = _first_rows(digests)
    n_tokens = n_processed(lengths[_is_first(rows)], embedder.max_length, embedder.long)
    before = np.cumsum(n_tokens) - n_tokens
    _, starts = np.unique(before // tokens_per_part, return_index=True)
    digest = fingerprint(_FORMAT, settings, tokens_per_part, told.hexdigest())[:16]
    parts = [
        _Part(
            f"part-{number:06d}-{digest}.parquet",
            start,
            stop - start,
            int(n_tokens[start:stop].sum()),
        )
        for number, (start, stop) in enumerate(
            zip(starts.tolist(), [*starts[1:].tolist(), len(n_tokens)], strict=True)
        )
    ]
    return _Plan(rows, parts, told.hexdigest())


def _first_rows(digests):
    """For each record the number of its sequence among the distinct ones, in their order."""
    # Halves are numbers, which pandas tells apart in a tenth of the memory of a dict of bytes.
    halves = np.frombuffer(bytes(digests), dtype="<u8").reshape(-1, 2)
    (left, _), (right, distinct) = (pd.factorize(half) for half in halves.T)
    return pd.factorize(left.astype(np.int64) * len(distinct) + right)[0].astype(np.int64)


def _is_first(rows):
    """Whether a record is the first with its sequence."""
    return np.diff(np.maximum.accumulate(rows), prepend=-1) > 0


def _check_same(folder, manifest):
    """Whether what is in the folder, if anything, is a beginning of the same."""
    path = folder / "manifest.json"
    if not path.exists():
        return
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        same = {name: there[name] == manifest[name] for name in manifest if name != "complete"}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{str(path)!r} is no manifest of embeddings ({error!r}); give another folder."
        ) from error
    if not all(same.values()):
        other = next(name for name in same if not same[name])
        raise ValueError(
            f"{str(folder)!r} holds the embeddings of another call, with other {other!r} in its "
            "manifest.json; give another folder, or remove this one."
        )


def _write_records(path, records, rows):
    """Name and row of each record, unless they are there."""
    if path.exists():
        return
    import pyarrow

    parquet = import_parquet()
    schema = pyarrow.schema([("name", pyarrow.string()), ("row", pyarrow.int64())])
    with replaced(path) as partial_path, parquet.ParquetWriter(partial_path, schema) as writer:
        for first, names, _ in in_parts(records(), _RESIDUES):
            numbers = rows[first : first + len(names)]
            writer.write_table(pyarrow.table([names, numbers], schema=schema))


def _write_manifest(folder, manifest):
    with replaced(folder / "manifest.json") as path:
        path.write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _missing(folder, parts):
    """Parts that are not there, or are damaged."""
    parquet = import_parquet()
    # listed once, since a name that was looked for in vain may be remembered as missing
    there = set(os.listdir(folder))

    def is_whole(part):
        try:
            return parquet.read_metadata(folder / part.file).num_rows == part.n_rows
        except (OSError, ValueError):  # ArrowInvalid is the latter
            return False

    return [part for part in parts if part.file not in there or not is_whole(part)]


def _in_files(records, plan, parts, folder):
    """For each of some parts: itself, names, sequences, first row and path."""
    first = iter(_is_first(plan.rows))
    distinct = (record for record, is_first in zip(records(), first, strict=True) if is_first)
    row = 0
    for part in parts:
        for _ in range(part.first_row - row):
            next(distinct)
        names, sequences = zip(*(next(distinct) for _ in range(part.n_rows)), strict=True)
        row = part.first_row + part.n_rows
        yield part, list(names), list(sequences), part.first_row, folder / part.file


def _embed_part(embedder, names, sequences, first_row, path):
    """Embed sequences and write them to a file; on a worker."""
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"A worker does not see the folder {str(path.parent)!r}; give one on a file system "
            "that all workers share."
        )
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of long sequences, which was told of all
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
    """Parts as they are done, a few at a time for each worker, in whatever order."""
    from distributed import as_completed

    done, waiting = as_completed(), {}

    def finished():
        future = next(done)
        return _finished(future, *waiting.pop(future))

    try:
        for part, embed in work:
            future = client.submit(embed, pure=False, key=f"{part.file}-{os.urandom(4).hex()}")
            waiting[future] = part, embed.args[-1]
            done.add(future)
            if len(waiting) > (1 + _WAITING) * sum(client.nthreads().values()):
                yield finished()
        while waiting:
            yield finished()
    finally:
        client.cancel(list(waiting))


def _finished(future, part, path):
    from distributed import KilledWorker

    try:
        future.result()
    except KilledWorker as error:
        raise RuntimeError(
            f"Several workers died over the sequences {part.first_row} to "
            f"{part.first_row + part.n_rows - 1} (distinct ones, counting from 0), most likely out "
            "of memory; set a lower batch_tokens or max_length, give workers more memory, and call "
            "again, which goes on."
        ) from error
    if not path.exists():
        raise FileNotFoundError(
            f"A worker has written {str(path)!r}, which is not seen here; give a folder on a file "
            "system that is shared."
        )
    return part
