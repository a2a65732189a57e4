"""A store of pooled embeddings: one SQLite file, read and written by many processes."""

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..utils._compat import validate_params
from ..utils._file_states import FileState, file_digest
from ..utils._files import local_path
from ..utils._messages import warn_user
from ._store_file import (
    SequenceKey,
    Source,
    SQLiteFile,
    checksum_of,
    decode,
    encode,
    is_intact,
    make_tables,
    read_header,
    text_digest,
)
from ._store_tables import StoredTables

_KEY = "(weights, layer, pooling, dtype, width)"
_CHUNK = 500  # digests in one statement; SQLite limits the number of parameters


class EmbeddingStore(StoredTables):
    """Pooled embeddings in one SQLite file, each kept under all that it depends on.

    ``ESMEmbedder(store=path)`` makes the file and fills it; this class makes one of half
    the size, and reads what is in it. Many processes may use a store at once. What a process
    stores is there whole or not at all, whenever it is killed, and every embedding has a
    checksum, so that one that was damaged on the disk is noticed and never returned.

    Parameters
    ----------
    path : str or path-like
        An existing store.

    Attributes
    ----------
    path : Path
        Where the store is.

    storage_dtype : {"float32", "float16"}
        Precision in which embeddings are kept.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a store, is damaged, or is of a later version; it is left as it is.

    See Also
    --------
    ESMEmbedder : Its parameter `store` makes and fills a store.

    Notes
    -----
    The user guide describes the tables. The text of every sequence is part of the file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_revdist import EmbeddingStore, ESMEmbedder
    >>> folder = TemporaryDirectory()
    >>> path = f"{folder.name}/embeddings.sqlite"
    >>> H = ESMEmbedder("demo", store=path).transform(["MKTAYIAKQR", "GSHMLEK"])
    >>> with EmbeddingStore(path) as store:
    ...     frame = store.to_frame()
    >>> frame.shape
    (2, 304)
    >>> frame.index.tolist()
    ['MKTAYIAKQR', 'GSHMLEK']
    >>> folder.cleanup()
    """

    @validate_params({"path": [str, os.PathLike]})
    def __init__(self, path: str | os.PathLike):
        self.path = _path_of_file(path)
        if not self.path.is_file():
            raise FileNotFoundError(
                f"There is no store {str(self.path)!r}; ESMEmbedder(store=...) and "
                "EmbeddingStore.create make one."
            )
        self._file = SQLiteFile(self.path, "rw")
        try:
            self.storage_dtype = read_header(self._file)
        except BaseException:
            self.close()
            raise

    @classmethod
    @validate_params({"path": [str, os.PathLike], "exist_ok": ["boolean"]})
    def create(
        cls, path: str | os.PathLike, *, dtype: str = "float32", exist_ok: bool = False
    ) -> Self:
        """Create a store without embeddings, and open it.

        Parameters
        ----------
        path : str or path-like
            A file in a folder that exists.

        dtype : {"float32", "float16"}, default="float32"
            Precision in which embeddings are kept. float16 halves the file; an embedding
            beyond its range is kept in float32.

        exist_ok : bool, default=False
            Whether to open an existing store as it is.

        Returns
        -------
        store : EmbeddingStore

        Raises
        ------
        FileExistsError
            If there is something at `path` and `exist_ok` is false.
        FileNotFoundError
            If the folder does not exist.
        ValueError
            If `path` is not the path of a file, or the file is not a store, is damaged, or is of
            a later version; it is left as it is.
        """
        path = _path_of_file(path)
        if dtype not in ("float32", "float16"):
            raise ValueError(f"dtype must be 'float32' or 'float16', but it is {dtype!r}.")
        if path.exists() and not exist_ok:
            raise FileExistsError(f"{str(path)!r} exists already; choose another path.")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"There is no folder {str(path.parent)!r}; make it first.")
        with closing(SQLiteFile(path, "rwc")) as file:
            make_tables(file, dtype)
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return self.path.stat().st_size

    def weights_digest(self, files: Sequence[Path]) -> str:
        """Compute the SHA-256 of a checkpoint, of each state of its files once for all processes.

        Parameters
        ----------
        files : sequence of Path
            All files of the checkpoint.

        Returns
        -------
        digest : str
            64 hexadecimal digits.

        Raises
        ------
        TypeError
            If `files` is not a list of paths.
        ValueError
            If there are none.
        FileNotFoundError
            If there is no such file.
        """
        if not isinstance(files, Sequence) or not all(isinstance(path, Path) for path in files):
            raise TypeError(f"files={files!r} is not a list of paths; give a checkpoint's files.")
        if not files:
            raise ValueError("files is empty; give a checkpoint's files.")
        from ._checkpoints import weights_digest

        return weights_digest(files, self._file_digest)

    @validate_params({"source": [Source]})
    def read(
        self, source: Source, sequences: Collection[SequenceKey]
    ) -> dict[SequenceKey, NDArray[np.float32]]:
        """Read the embeddings of those sequences that are stored.

        Damaged ones are removed, with a warning, so that they can be stored again.

        Parameters
        ----------
        source : Source
            The way of embedding.
        sequences : collection of SequenceKey
            Sequences as they are embedded.

        Returns
        -------
        embeddings : dict of SequenceKey to ndarray of shape (width,), float32
            Those that are stored.

        Raises
        ------
        TypeError
            If a parameter is of another type.
        """
        _check_keys(sequences, "sequences")
        wanted = {(text_digest(key.text), key.max_length): key for key in sequences}
        digests = list({sha256 for sha256, _ in wanted})
        found: dict[SequenceKey, NDArray[np.float32]] = {}
        damaged: list[tuple] = []
        for start in range(0, len(digests), _CHUNK):
            chunk = digests[start : start + _CHUNK]
            rows = self._file.rows(
                "SELECT embeddings.rowid, sha256, max_length, vector, checksum "
                "FROM embeddings JOIN sequences ON sequences.id = sequence "
                f"WHERE source = (SELECT id FROM sources WHERE {_KEY} = (?, ?, ?, ?, ?)) "
                f"AND sha256 IN ({', '.join('?' * len(chunk))})",
                (*source, *chunk),
            )
            for rowid, sha256, max_length, vector, checksum in rows:
                if (sha256, max_length) not in wanted:
                    continue
                if is_intact(source, max_length, sha256, vector, checksum):
                    found[wanted[sha256, max_length]] = decode(vector, source.width)
                else:
                    damaged.append((rowid, vector, checksum))
        if damaged:
            warn_user(
                f"{len(damaged)} embeddings in {str(self.path)!r} are damaged (their checksums do "
                "not match) and were removed; check the disk.",
                RuntimeWarning,
            )
            with self._file.transaction() as connection:
                connection.executemany(
                    "DELETE FROM embeddings WHERE rowid = ? AND vector IS ? AND checksum IS ?",
                    damaged,
                )
        return found

    @validate_params({"source": [Source], "model": [str], "embeddings": [Mapping]})
    def write(
        self, source: Source, model: str, embeddings: Mapping[SequenceKey, NDArray[np.float32]]
    ) -> None:
        """Store embeddings in one transaction; those already stored are kept.

        Parameters
        ----------
        source : Source
            The way of embedding.
        model : str
            Name of the model, for :meth:`contents`.
        embeddings : mapping of SequenceKey to ndarray of shape (width,)
            Sequences as they were embedded, and their embeddings.

        Raises
        ------
        TypeError
            If a parameter is of another type.
        ValueError
            If an embedding has another width than `source`, or is not finite; nothing is stored.
        """
        _check_keys(embeddings, "embeddings")
        for i, values in enumerate(embeddings.values()):
            is_array = isinstance(values, np.ndarray) and values.dtype.kind == "f"
            if not is_array or values.shape != (source.width,) or not np.isfinite(values).all():
                raise ValueError(
                    f"Number {i} of embeddings (counting from 0) must be an array of "
                    f"{source.width} finite numbers; embed its sequence again."
                )
        sequences, rows = [], []
        for (text, max_length), values in embeddings.items():
            sha256, vector = text_digest(text), encode(values, self.storage_dtype)
            checksum = checksum_of(source, max_length, sha256, vector)
            sequences.append((sha256, text))
            rows.append((max_length, vector, checksum, *source, sha256))
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO sources (weights, layer, pooling, dtype, width, model) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (*source, model),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO sequences (sha256, text) VALUES (?, ?)", sequences
            )
            connection.executemany(
                "INSERT OR IGNORE INTO embeddings (source, sequence, max_length, vector, checksum) "
                "SELECT sources.id, sequences.id, ?, ?, ? FROM sources, sequences "
                f"WHERE {_KEY} = (?, ?, ?, ?, ?) AND sha256 = ?",
                rows,
            )

    def _file_digest(self, path: Path) -> str:
        state = FileState.of(path)
        key = "|".join(map(str, state))
        known = self._file.rows("SELECT sha256 FROM checkpoint_files WHERE state = ?", (key,))
        if known:
            return known[0][0]
        settled = state.is_settled()
        digest = file_digest(path)
        if settled and state == FileState.of(path) and os.access(self.path, os.W_OK):
            with self._file.transaction() as connection:
                connection.execute(
                    "INSERT OR IGNORE INTO checkpoint_files VALUES (?, ?)", (key, digest)
                )
        return digest


def _path_of_file(path):
    """Path of a store, which is not one of SQLite's names for databases in memory."""
    if os.fspath(path) in ("", ":memory:") or os.fspath(path).startswith("file:"):
        raise ValueError(
            f"{os.fspath(path)!r} is not the path of a file, as a store needs; give one, such as "
            "'embeddings.sqlite'."
        )
    return local_path(path).absolute()


def _check_keys(keys, parameter):
    if not isinstance(keys, Collection) or not all(isinstance(key, SequenceKey) for key in keys):
        raise TypeError(
            f"{parameter} must be a collection of sequences as models are shown them; make each "
            "with SequenceKey(text, max_length)."
        )
