"""What a store gives out as tables: its contents, and embeddings as a frame or in files."""

import os
from collections.abc import Collection, Iterator, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..tables._files import writing
from ..tables._table import Batch, Table, batch_rows
from ..utils._compat import validate_params
from ..utils._files import local_path
from ..utils._models import block_name, known_model
from ._entries import columns_of
from ._store_file import Source, SQLiteFile, damaged, decode, is_intact, text_digest

_GROUP = ("model", *Source._fields, "max_length")
_CONTENTS = (*_GROUP, "n_sequences", "bytes")
_TEXTS = {"model", "weights", "pooling", "dtype"}  # columns of contents(); others are numbers
_MEANS = {"mean", "sites", "positions"}  # poolings that keep the names of residues
_CHUNK = 500  # rows read in one statement, so that no writer waits long


class StoredTables:
    """The methods of a store that read its embeddings as tables."""

    path: Path
    _file: SQLiteFile

    def contents(self) -> pd.DataFrame:
        """Summarise what is in the store.

        Returns
        -------
        contents : DataFrame
            A row for each way of embedding: ``model``, ``weights`` (SHA-256 of the
            checkpoint), ``layer`` (counted from the end), ``pooling``, ``dtype`` (of the
            computation), ``width``, ``max_length`` (of windows; 0 for sequences embedded
            whole), the number of sequences ``n_sequences`` and the size of their
            embeddings in ``bytes``.
        """
        return self._groups().drop(columns=["block", "source", "last"])

    def to_frame(self, **which: Any) -> pd.DataFrame:
        """Read all embeddings, or some of them, into a data frame.

        ``anndata.AnnData(store.to_frame())`` has a sequence in each row.

        Parameters
        ----------
        **which : value or list of values
            Which embeddings, by columns of :meth:`contents`, as in ``model="esm2_t6_8M_UR50D"``
            or ``max_length=[0, 1022]``.

        Returns
        -------
        frame : DataFrame of float32
            A row for each sequence, which is its index, in the order of storing. The
            columns of each model, layer and pooling are named as by :class:`ESMEmbedder`, layers
            of models of unknown depth from the end (``layer-2``); NaN where there is no embedding
            of a sequence.

        Raises
        ------
        TypeError
            If :meth:`contents` has no such column, or a value is of another type than the column.
        ValueError
            If a layer has several embeddings of one sequence, as in two precisions, or if
            embeddings are damaged.
        """
        frames = list(self._frames(self._chosen(which)))
        return frames[0] if frames else pd.DataFrame()

    @validate_params({"path": [str, os.PathLike]})
    def export(self, path: str | os.PathLike, **which: Any) -> None:
        """Write :meth:`to_frame` to a file of another format.

        Parameters
        ----------
        path : str or path-like
            Its suffix decides on the format: ``.parquet``, with a column ``sequence`` and one for
            each number, or ``.h5`` (HDF5), with the datasets ``sequence``, ``columns`` and
            ``embeddings``. An existing file is replaced.

        **which : value or list of values
            Which embeddings, as for :meth:`to_frame`.

        Raises
        ------
        ImportError
            If a package that the format needs is missing; the message names the extra.
        ValueError
            If the suffix is another, there are no such embeddings, or as for :meth:`to_frame`.
        """
        path = local_path(path)
        if path.suffix not in (".parquet", ".h5"):
            raise ValueError(f"{str(path)!r} ends in neither .parquet nor .h5; choose one.")
        table = self.as_table(**which)
        with writing(path, table.columns) as write:
            for batch in table.batches():
                write(batch.labels, batch.rows)

    def as_table(self, **which: Any) -> Table:
        """Read the same as :meth:`to_frame`, a batch of rows at a time.

        Parameters
        ----------
        **which : value or list of values
            Which embeddings, as for :meth:`to_frame`.

        Returns
        -------
        table : Table
            Number of rows, names of columns, and batches of rows.
        """
        groups = self._chosen(which)
        if groups.empty:
            raise ValueError(
                f"The store {str(self.path)!r} has no such embeddings; see its contents()."
            )
        columns = _columns(groups)
        keys = ", ".join(f"({group.source}, {group.max_length})" for group in groups.itertuples())
        where = f"WHERE (source, max_length) IN (VALUES {keys})"
        ((n_rows,),) = self._file.rows(f"SELECT count(DISTINCT sequence) FROM embeddings {where}")

        def batches():
            for frame in self._frames(groups, batch_rows(len(columns))):
                yield Batch({"sequence": frame.index.to_numpy(dtype=object)}, frame.to_numpy())

        return Table(n_rows, columns, len(columns), batches)

    def _chosen(self, which: Mapping[str, Any]) -> pd.DataFrame:
        """Ways of embedding that `which` asks for, one per row."""
        groups = self._groups()
        for key, value in which.items():
            if key not in _CONTENTS:
                raise TypeError(
                    f"contents() has no column {key!r} to choose by; take one of "
                    f"{', '.join(_CONTENTS)}."
                )
            is_many = isinstance(value, Collection) and not isinstance(value, str | Mapping)
            values = list(value) if is_many else [value]
            kind = str if key in _TEXTS else Integral
            if not all(isinstance(one, kind) for one in values):
                raise TypeError(
                    f"{key}={value!r} is neither one of {key!r} in contents() nor a list of them; "
                    f"give {'strings' if kind is str else 'whole numbers'}."
                )
            groups = groups[groups[key].isin(values)]
        return groups

    def _groups(self) -> pd.DataFrame:
        rows = self._file.rows(
            f"SELECT {', '.join(_GROUP)}, count(*), sum(length(vector)), "
            "source, max(CAST(sequence AS INTEGER)) "
            "FROM embeddings NOT INDEXED LEFT JOIN sources ON sources.id = source "
            "GROUP BY source, max_length ORDER BY source, max_length"
        )
        if any(None in row for row in rows):
            raise ValueError(damaged(self.path, "the source of some embeddings is missing"))
        groups = pd.DataFrame(rows, columns=[*_CONTENTS, "source", "last"])
        return groups.assign(block=[_block_name(group) for group in groups.itertuples()])

    def _frames(self, groups: pd.DataFrame, step: int | None = None) -> Iterator[pd.DataFrame]:
        """Read embeddings, those of `step` consecutive sequences at a time, or all at once."""
        ((last,),) = self._file.rows("SELECT max(id) FROM sequences")
        # the last number in one table alone may be a damaged one
        ids = range(1, 1 + min(last or 0, max(groups["last"].tolist(), default=0)))
        step, n_read = step or max(1, len(ids)), 0
        for start in range(0, len(ids), step):
            frame, n_rows = self._frame(groups, ids[start : start + step])
            n_read += n_rows
            yield frame
        # damage to an index hides rows of a table
        if (n_missing := groups["n_sequences"].sum() - n_read) > 0:
            raise ValueError(damaged(self.path, f"{n_missing} embeddings are not found"))

    def _frame(self, groups: pd.DataFrame, ids: range) -> tuple[pd.DataFrame, int]:
        """Embeddings of the sequences with these numbers, and how many there are."""
        columns = _columns(groups)
        widths = groups.drop_duplicates("block").set_index("block")["width"]
        places = dict(zip(widths.index, columns_of(widths), strict=True))
        texts: dict[int, str] = {}
        rows: dict[int, np.ndarray] = {}
        n_read = 0
        for group in groups.itertuples():
            source = Source(*(getattr(group, field) for field in Source._fields))
            at = places[group.block]
            for sequence, sha256, text, vector, checksum in self._scan(group, ids):
                intact = is_intact(source, group.max_length, sha256, vector, checksum)
                if not intact or text_digest(str(text)) != sha256:
                    what = f"the embedding of sequence {sequence} by {group.block}"
                    raise ValueError(damaged(self.path, what))
                row = rows.setdefault(sequence, np.full(len(columns), np.nan, dtype=np.float32))
                if not np.isnan(row[at]).all():
                    raise ValueError(
                        f"{str(self.path)!r} has several embeddings of one sequence by "
                        f"{group.block}; choose by the columns of contents(), as in "
                        "to_frame(dtype='float32', max_length=0)."
                    )
                row[at] = decode(vector, group.width)
                texts[sequence] = text
                n_read += 1
        found = sorted(rows)
        values = np.array([rows[i] for i in found], dtype=np.float32).reshape(-1, len(columns))
        index = pd.Index([texts[i] for i in found], name="sequence")
        return pd.DataFrame(values, index, columns), n_read

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


def _block_name(group: Any) -> str:
    """Name of a model's columns, with its layer and pooling, as the embedder gives it."""
    known, layer = known_model(group.model), None
    if group.layer != -1:
        layer = group.layer + known.n_layers + 1 if known else group.layer
    kind = group.pooling.partition(" ")[0]
    return block_name(group.model, layer, [] if kind in _MEANS else [kind])


def _columns(groups: pd.DataFrame) -> list[str]:
    """Name the columns of all blocks."""
    blocks = groups.drop_duplicates("block").itertuples()
    return [f"{group.block}_{j}" for group in blocks for j in range(group.width)]
