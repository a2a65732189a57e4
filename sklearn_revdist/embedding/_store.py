"""A store of pooled embeddings: one SQLite file that many processes may share."""

import os
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils._param_validation import validate_params

from ..tables._files import writing
from ..tables._table import Batch, Table, batch_rows
from ..utils._file_states import FileState, file_digest
from ..utils._files import local_path
from ._sqlite import SQLiteFile, damaged
from ._store_format import (
    Shown,
    Source,
    checksum_of,
    decode,
    encode,
    is_intact,
    make_tables,
    read_header,
    text_digest,
)

_KEY = "(weights, layer, pooling, dtype, width)"
_TEXTS = {"model", "weights", "pooling", "dtype"}  # columns of contents(); others are numbers
_CHUNK = 500  # rows read in one statement, so that no writer waits long


class EmbeddingStore:
    """Pooled embeddings in one SQLite file, each kept under all that it depends on.

    ``ESMEmbedder(store=path)`` makes the file and fills it; this class makes one of half
    the size, and looks into it. Many processes may use a store at once. What a process
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
        If the file is no store, is damaged, or is of a later version; it is left as it is.

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

    @validate_params({"path": [str, os.PathLike]}, prefer_skip_nested_validation=True)
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
    @validate_params(
        {"path": [str, os.PathLike], "exist_ok": ["boolean"]}, prefer_skip_nested_validation=True
    )
    def create(
        cls, path: str | os.PathLike, *, dtype: str = "float32", exist_ok: bool = False
    ) -> Self:
        """Make a store without embeddings, and open it.

        Parameters
        ----------
        path : str or path-like
            A file in a folder that exists.

        dtype : {"float32", "float16"}, default="float32"
            Precision in which embeddings are kept. float16 halves the file; an embedding
            beyond its range is kept in float32.

        exist_ok : bool, default=False
            Whether an existing store is opened as it is.

        Returns
        -------
        store : EmbeddingStore

        Raises
        ------
        FileExistsError
            If there is something at `path` and `exist_ok` is false.
        FileNotFoundError
            If there is no such folder.
        ValueError
            If the path is that of no file, or the file is no store, is damaged, or is of a later
            version; it is left as it is.
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

    def contents(self) -> pd.DataFrame:
        """What is in the store.

        Returns
        -------
        contents : DataFrame
            A row for each way of embedding: ``model``, ``weights`` (SHA-256 of the
            checkpoint), ``layer`` (counted from the end), ``pooling``, ``dtype`` (of the
            computation), ``width``, ``max_length`` (of windows; 0 for sequences embedded
            whole), the number of sequences ``n_sequences`` and the size of their
            embeddings in ``bytes``.
        """
        return self._groups().drop(columns="source")

    def to_frame(self, **which: Any) -> pd.DataFrame:
        """All embeddings, or some of them, as a table.

        ``anndata.AnnData(store.to_frame())`` has a sequence in each row.

        Parameters
        ----------
        **which : value or list of values
            What to take, by columns of :meth:`contents`, as in ``model="esm2_t6_8M_UR50D"``
            or ``max_length=[0, 1022]``.

        Returns
        -------
        frame : DataFrame of float32
            A row for each sequence, which is its index, in the order of storing. The
            columns of each model are named as :class:`ESMEmbedder` names them; NaN where a
            model has not embedded a sequence.

        Raises
        ------
        TypeError
            If :meth:`contents` has no such column, or a value is of another type than it.
        ValueError
            If a model has several embeddings of one sequence, as in two precisions, or if
            embeddings are damaged.
        """
        groups = self._chosen(which)
        frame, n_read = self._frame(groups, self._ids(groups))
        self._check_all_read(groups, n_read)
        return frame

    def _chosen(self, which: Mapping[str, Any]) -> pd.DataFrame:
        groups = self._groups()
        columns = groups.columns.drop("source")
        for key, value in which.items():
            if key not in columns:
                raise TypeError(
                    f"contents() has no column {key!r} to choose by; take one of "
                    f"{', '.join(columns)}."
                )
            is_many = isinstance(value, Collection) and not isinstance(value, str | Mapping)
            values = list(value) if is_many else [value]
            kind = str if key in _TEXTS else Integral
            if not all(isinstance(one, kind) for one in values):
                raise TypeError(
                    f"{key}={value!r} is neither one of {key!r} in contents() nor a list of them; "
                    f"give {'texts' if kind is str else 'whole numbers'}."
                )
            groups = groups[groups[key].isin(values)]
        return groups

    def _frame(self, groups: pd.DataFrame, ids: range) -> tuple[pd.DataFrame, int]:
        """Embeddings of the sequences with these numbers, and how many they are."""
        models = groups.groupby("model", sort=False)
        blocks = [self._block(model, group, ids) for model, group in models]
        if not blocks:
            return pd.DataFrame(), 0
        found = sorted(set().union(*(block.index for block in blocks)))
        texts = dict(
            self._file.rows(
                "SELECT id, text FROM sequences WHERE id >= ? AND id < ?", (ids.start, ids.stop)
            )
        )
        # not by concat, which in pandas 2 warns of blocks without rows
        frame = pd.DataFrame(
            np.hstack([block.reindex(found).to_numpy(np.float32) for block in blocks]),
            index=pd.Index([texts[i] for i in found], name="sequence"),
            columns=[name for block in blocks for name in block.columns],
        )
        return frame, sum(map(len, blocks))

    def _check_all_read(self, groups: pd.DataFrame, n_read: int) -> None:
        """Refuse a file in which damage to an index hides rows of the table."""
        n_missing = groups["n_sequences"].sum() - n_read
        if n_missing > 0:
            raise ValueError(damaged(self.path, f"{n_missing} embeddings are not found"))

    @validate_params({"path": [str, os.PathLike]}, prefer_skip_nested_validation=True)
    def export(self, path: str | os.PathLike, **which: Any) -> None:
        """Write :meth:`to_frame` to a file of another format.

        Parameters
        ----------
        path : str or path-like
            Its suffix says the format: ``.parquet``, with a column ``sequence`` and one for
            each number, or ``.h5`` (HDF5), with the datasets ``sequence``, ``columns`` and
            ``embeddings``. An existing file is replaced.

        **which : value or list of values
            What to take, as for :meth:`to_frame`.

        Raises
        ------
        ImportError
            If a package is missing that the format needs; the message names the extra.
        ValueError
            If the suffix is another, nothing is chosen, or as for :meth:`to_frame`.
        """
        path = local_path(path)
        if path.suffix not in (".parquet", ".h5"):
            raise ValueError(f"{str(path)!r} ends in neither .parquet nor .h5; choose one.")
        table = self.as_table(**which)
        with writing(path, table.columns) as write:
            for batch in table.batches():
                write(batch.labels, batch.rows)

    def as_table(self, **which: Any) -> Table:
        """The same as :meth:`to_frame`, a batch of rows at a time.

        Parameters
        ----------
        **which : value or list of values
            What to take, as for :meth:`to_frame`.

        Returns
        -------
        table : Table
            Number of rows, names of columns, and batches of both.
        """
        groups = self._chosen(which)
        if groups.empty:
            raise ValueError(
                f"The store {str(self.path)!r} has no such embeddings; see its contents()."
            )
        models = groups.drop_duplicates("model").itertuples()
        columns = [f"{group.model}_{j}" for group in models for j in range(group.width)]
        keys = ", ".join(f"({group.source}, {group.max_length})" for group in groups.itertuples())
        where = f"WHERE (source, max_length) IN (VALUES {keys})"
        ((n_rows,),) = self._file.rows(f"SELECT count(DISTINCT sequence) FROM embeddings {where}")

        def batches():
            ids, step, n_read = self._ids(groups), batch_rows(len(columns)), 0
            for start in range(0, len(ids), step):
                frame, n_rows = self._frame(groups, ids[start : start + step])
                n_read += n_rows
                yield Batch({"sequence": frame.index.to_numpy(dtype=object)}, frame.to_numpy())
            self._check_all_read(groups, n_read)

        return Table(n_rows, columns, len(columns), batches)

    def _ids(self, groups: pd.DataFrame) -> range:
        """Numbers of the sequences, up to the last that is in one of those groups."""
        ((last_text,),) = self._file.rows("SELECT max(id) FROM sequences")
        lasts = [
            self._file.rows("SELECT max(sequence) FROM embeddings WHERE source = ?", (source,))
            for source in groups["source"].unique().tolist()
        ]
        last = max((last or 0 for ((last,),) in lasts), default=0)
        return range(1, 1 + min(last, last_text or 0))  # one alone may be a damaged number

    def weights_digest(self, files: Sequence[Path]) -> str:
        """SHA-256 of a checkpoint's files, kept in the store for each state of a file.

        Parameters
        ----------
        files : sequence of Path
            All that the weights depend on.

        Returns
        -------
        digest : str
            64 hexadecimal digits.

        Raises
        ------
        TypeError
            If `files` are no list of paths.
        ValueError
            If there are none.
        FileNotFoundError
            If there is no such file.
        """
        if not isinstance(files, Sequence) or not all(isinstance(path, Path) for path in files):
            raise TypeError(f"files={files!r} are no list of paths; give a checkpoint's files.")
        if not files:
            raise ValueError("files has no path; give a checkpoint's files.")
        from ._checkpoints import weights_digest

        return weights_digest(files, self._file_digest)

    @validate_params({"source": [Source]}, prefer_skip_nested_validation=True)
    def read(
        self, source: Source, sequences: Collection[Shown]
    ) -> dict[Shown, NDArray[np.float32]]:
        """Embeddings of those sequences that are stored.

        Damaged ones are removed, with a warning, so that they can be stored again.

        Parameters
        ----------
        source : Source
            The way of embedding.
        sequences : collection of Shown
            Sequences as the model was shown them.

        Returns
        -------
        embeddings : dict of Shown to ndarray of shape (width,), float32
            Those that are there.

        Raises
        ------
        TypeError
            If a parameter is of another type.
        """
        _check_shown(sequences, "sequences")
        wanted = {(text_digest(shown.text), shown.max_length): shown for shown in sequences}
        digests = list({sha256 for sha256, _ in wanted})
        found: dict[Shown, NDArray[np.float32]] = {}
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
            warnings.warn(
                f"{len(damaged)} embeddings in {str(self.path)!r} are damaged (their checksums do "
                "not match) and were removed; check the disk.",
                RuntimeWarning,
                stacklevel=3,  # the decorator is between
            )
            with self._file.transaction() as connection:
                connection.executemany(
                    "DELETE FROM embeddings WHERE rowid = ? AND vector IS ? AND checksum IS ?",
                    damaged,
                )
        return found

    @validate_params(
        {"source": [Source], "model": [str], "embeddings": [Mapping]},
        prefer_skip_nested_validation=True,
    )
    def write(
        self, source: Source, model: str, embeddings: Mapping[Shown, NDArray[np.float32]]
    ) -> None:
        """Store embeddings in one transaction; what is there already is kept.

        Parameters
        ----------
        source : Source
            The way of embedding.
        model : str
            Name of the model, for :meth:`contents`.
        embeddings : mapping of Shown to ndarray of shape (width,)
            Sequences as the model was shown them, and their embeddings.

        Raises
        ------
        TypeError
            If a parameter is of another type.
        ValueError
            If an embedding is not as wide as `source` says, or not finite. Nothing is stored then.
        """
        _check_shown(embeddings, "embeddings")
        for i, values in enumerate(embeddings.values()):
            is_array = isinstance(values, np.ndarray) and values.dtype.kind == "f"
            if not is_array or values.shape != (source.width,) or not np.isfinite(values).all():
                raise ValueError(
                    f"Number {i} of embeddings (counting from 0) must be an array of "
                    f"{source.width} finite numbers; embed its sequence again."
                )
        sequences, rows = [], []
        for shown, values in embeddings.items():
            sha256, vector = text_digest(shown.text), encode(values, self.storage_dtype)
            checksum = checksum_of(source, shown.max_length, sha256, vector)
            sequences.append((sha256, shown.text))
            rows.append((shown.max_length, vector, checksum, *source, sha256))
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

    def _groups(self) -> pd.DataFrame:
        columns = ("source", "model", *Source._fields, "max_length")
        rows = self._file.rows(
            f"SELECT {', '.join(columns)}, count(*), sum(length(vector)) "
            "FROM embeddings NOT INDEXED LEFT JOIN sources ON sources.id = source "
            "GROUP BY source, max_length ORDER BY source, max_length"
        )
        if any(None in row for row in rows):
            raise ValueError(damaged(self.path, "the source of some embeddings is missing"))
        return pd.DataFrame(rows, columns=[*columns, "n_sequences", "bytes"])

    def _block(self, model: str, groups: pd.DataFrame, ids: range) -> pd.DataFrame:
        """Embeddings of one model, by the number of the sequence."""
        width = int(groups["width"].iloc[0])
        index, vectors = [], []
        for group in groups.itertuples():
            source = Source(*(getattr(group, field) for field in Source._fields))
            for sequence, sha256, text, vector, checksum in self._scan(group, ids):
                intact = is_intact(source, group.max_length, sha256, vector, checksum)
                if not intact or text_digest(str(text)) != sha256:
                    raise ValueError(
                        damaged(self.path, f"the embedding of sequence {sequence} by {model}")
                    )
                index.append(sequence)
                vectors.append(decode(vector, width))
        if len(set(index)) < len(index):
            raise ValueError(
                f"{str(self.path)!r} has several embeddings of one sequence by {model}; choose by "
                "the columns of contents(), as in to_frame(dtype='float32', max_length=0)."
            )
        columns = [f"{model}_{j}" for j in range(width)]
        values = np.array(vectors, dtype=np.float32).reshape(-1, width)
        return pd.DataFrame(values, index=index, columns=columns)

    def _scan(self, group: Any, ids: range) -> Iterator[tuple]:
        last = ids.start - 1
        while rows := self._file.rows(
            "SELECT sequence, sha256, text, vector, checksum "
            "FROM embeddings JOIN sequences ON sequences.id = sequence "
            "WHERE source = ? AND max_length = ? AND sequence > ? AND sequence < ? "
            f"ORDER BY sequence LIMIT {_CHUNK}",
            (group.source, group.max_length, last, ids.stop),
        ):
            yield from rows
            last = rows[-1][0]

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
    """Where a store is; SQLite has names for databases in memory, which are none."""
    if os.fspath(path) in ("", ":memory:") or os.fspath(path).startswith("file:"):
        raise ValueError(
            f"{os.fspath(path)!r} is no path of a file, which a store is; name one, as in "
            "'embeddings.sqlite'."
        )
    return local_path(path).absolute()


def _check_shown(sequences, parameter):
    """Refuse what is no collection of sequences as models are shown them."""
    if not isinstance(sequences, Collection) or not all(isinstance(s, Shown) for s in sequences):
        raise TypeError(
            f"{parameter} must be a collection of sequences as models are shown them; make each "
            "with Shown(text, max_length)."
        )
