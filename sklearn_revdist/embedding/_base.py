"""BaseEmbedder: from sequences to rows of pooled or residue representations of each model."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain as flatten
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_scalar

from ..sequences._tokens import RESIDUES, Encoder, encode_sequences
from ..sequences._transformer import SequenceTransformer
from ..sequences._windows import limit_length
from ..utils._compat import Interval, RealNotInt, StrOptions, _fit_context
from ..utils._files import local_path
from ..utils._fingerprint import fingerprint
from ..utils._messages import warn_user
from ._assembly import pooled_rows, records_of_sequences, residue_blocks
from ._entries import Block, Entry, columns_of, resolve_blocks
from ._pooling import resolve_poolings
from ._store import EmbeddingStore

if TYPE_CHECKING:
    from ..utils._progress import ProgressBar
    from ._inference import EmbeddingRun


class StoreUser(SequenceTransformer):
    """Base class of transformers that keep embeddings in the file that their `store` names.

    A relative path stays as it was given, so that a saved pipeline also works on a machine without
    the folder. A pickle remembers the file that it meant.
    """

    store: Any

    def _open_store(self) -> AbstractContextManager[EmbeddingStore | None]:
        """Open the store, if there is one to use, and make it if there is no such file."""
        if self.store is None:
            return nullcontext()
        meant, path = self.__dict__.pop("_meant_store", None), local_path(self.store).absolute()
        if meant not in (None, str(path)) and not path.exists():
            warn_user(
                f"store={str(self.store)!r} is relative and meant {meant!r} where this "
                f"{type(self).__name__} was saved; here it is {str(path)!r}, a new file, so that "
                "sequences are embedded again; set `store` to the absolute path to use the former."
            )
        return EmbeddingStore.create(self.store, exist_ok=True)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if self.store is not None and not local_path(self.store).is_absolute():
            state.setdefault("_meant_store", str(local_path(self.store).absolute()))
        return state


class BaseEmbedder(StoreUser, ABC):
    """What embedders do with their parameters, which a subclass documents and sets."""

    chain: Any
    layer: Any
    pooling: Any
    reference: str | None
    device: str | None
    dtype: str
    batch_tokens: int | None
    max_length: int | None
    long: str
    unknown: str
    store: str | os.PathLike | None
    verbose: bool

    _parameter_constraints: dict = {
        "layer": [
            Interval(Integral, None, None, closed="neither"),
            Interval(RealNotInt, 0, 1, closed="both"),
            "array-like",
        ],
        "pooling": [str, callable, "array-like"],
        "reference": [str, None],
        "device": [str, None],
        "dtype": [StrOptions({"auto", "fast", "float32", "float16", "bfloat16"})],
        "batch_tokens": [Interval(Integral, 1, None, closed="left"), None],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "long": [StrOptions({"window", "truncate", "error"})],
        "unknown": [StrOptions(set(RESIDUES))],
        "store": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check parameters and sequences; nothing is learnt and no model is loaded.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Protein sequences: a list, an array, a Series or a DataFrame of one column.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The embedder itself.
        """
        self._blocks()
        Encoder(self.unknown).encode(X)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Embed sequences.

        Sequences that occur several times are embedded once.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Protein sequences: a list, an array, a Series or a DataFrame of one column.

        Returns
        -------
        embeddings : ndarray of shape (n_sequences, n_features), float32
            The blocks of the chain's models side by side, in the chain's order.

        Raises
        ------
        TypeError
            If `X` is not an array-like, or a record is not a string; the path of a file is
            neither.
        ValueError
            If a record is empty, has a character that is not a residue, is too long for
            ``long="error"``, or does not fit `pooling`; the message names the record and the
            position. If a model does not have `layer`, or a checkpoint is not that of an ESM-2
            model.
        FileNotFoundError
            If there are no weights; the message says where to put them.
        MemoryError
            If a single sequence does not fit into the memory of the GPU.
        OSError, TimeoutError
            If the store cannot be written; a damaged or foreign file is a ValueError.
        """
        blocks = self._blocks()
        tokens = self._check(X)
        columns = columns_of(block.n_columns for block in blocks)
        out = np.empty((len(tokens), columns[-1].stop), dtype=np.float32)
        for i, records, rows in self._rows(blocks, tokens):
            out[records, columns[i]] = rows[0]
        return out

    def transform_layers(
        self, X: Any, layers: Sequence[Any] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Embed sequences by several layers of each model, in one pass through it.

        With `store`, all of it is kept, so that a search over `layer` finds what it needs there:
        each sequence is embedded once, and each model loaded once.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Protein sequences, as for :meth:`transform`.

        layers : list, default=None
            Each entry is a `layer`, as the parameter takes it. None is every layer of each model,
            from 0, its input.

        Returns
        -------
        embeddings : dict of str to ndarray of shape (n_layers, n_sequences, n_columns), float32
            For each model, by its name. The rows of a layer are the model's block in what
            :meth:`transform` returns.

        Raises
        ------
        TypeError, ValueError, FileNotFoundError, MemoryError, OSError, TimeoutError
            As :meth:`transform` does.

        Examples
        --------
        >>> from sklearn_revdist import ESMEmbedder
        >>> found = ESMEmbedder("demo").transform_layers(["MKTAYIAKQR", "GSHMLEK"], [0.5, -1])
        >>> {model: rows.shape for model, rows in found.items()}  # doctest: +NORMALIZE_WHITESPACE
        {'esm2_t3_100K_demo': (2, 2, 48), 'esm2_t4_500K_demo': (2, 2, 96),
         'esm2_t6_2M_demo': (2, 2, 160)}
        """
        blocks = self._layers(layers)
        tokens = self._check(X)
        out = [
            np.empty((len(block.layers), len(tokens), block.n_columns), dtype=np.float32)
            for block in blocks
        ]
        for i, records, rows in self._rows(blocks, tokens):
            out[i][:, records] = rows
        return {block.name: rows for block, rows in zip(blocks, out, strict=True)}

    def layer_numbers(self, layers: Sequence[Any] | None = None) -> dict[str, list[int]]:
        """Number of each layer that :meth:`transform_layers` returns, by model.

        Parameters
        ----------
        layers : list, default=None
            As for :meth:`transform_layers`.

        Returns
        -------
        numbers : dict of str to list of int
            From 0, the input of the first layer.
        """
        return {block.name: list(block.layers) for block in self._layers(layers)}

    def iter_residues(
        self, X: Any, *, block_rows: int = 8192
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """Embed sequences residue by residue, in blocks of rows; `pooling` has no part in it.

        Memory holds a few blocks, or batches, or the longest sequence at a time, whatever the
        number of sequences. The models of the chain take turns.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Protein sequences, as for :meth:`transform`. Sequences that occur several times
            are returned several times.

        block_rows : int, default=8192
            Number of rows in a block; the last one may have fewer.

        Yields
        ------
        rows : ndarray of shape (n_rows, n_features), float32
            Representations of consecutive residues, the models' blocks side by side.

        index : ndarray of shape (n_rows,), int64
            For each row the index of its sequence in `X`; it never decreases.

        Raises
        ------
        TypeError, ValueError, FileNotFoundError, MemoryError
            As :meth:`transform` does.
        """
        alike = clone(self).set_params(pooling="mean")
        blocks = alike._blocks()
        tokens = alike._check(X)
        check_scalar(block_rows, "block_rows", Integral, min_val=1)
        return residue_blocks(self._run(blocks), blocks, tokens, block_rows)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Name the output's columns: the model's name, an underscore and a number.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of shape (n_features,), object
            Only models that are given by a path need their weights for this.
        """
        widths = self.model_widths().items()
        return np.array([f"{name}_{j}" for name, n in widths for j in range(n)], dtype=object)

    def model_widths(self) -> dict[str, int]:
        """Count the columns of each model, for :class:`ReverseDistiller` to tell them apart.

        Returns
        -------
        widths : dict of str to int
            By the name that precedes the number in the names of the model's columns. As
            ``ReverseDistiller(dims=embedder.model_widths())`` it stands for the names of the
            columns, which arrays do not have.
        """
        return {block.columns: block.n_columns for block in self._blocks()}

    def residue_feature_names(self) -> NDArray[np.object_]:
        """Name the columns of :meth:`iter_residues`, as those of a mean over residues.

        Returns
        -------
        names : ndarray of shape (n_features,), object
        """
        return clone(self).set_params(pooling="mean").get_feature_names_out()

    def fingerprint(self) -> str:
        """Return a string that changes whenever embeddings or the names of columns would.

        It depends on the content and the names of all models' weights, the precision that `dtype`
        means on this machine, `layer`, `pooling`, `reference` where that is compared with,
        `max_length`, `long` and `unknown`, and on the precision of `store`, since rounded
        embeddings are returned from there. It does not depend on how the chain or a layer is
        written, nor on `device`, `batch_tokens` and `verbose`.

        Returns
        -------
        fingerprint : str
            64 hexadecimal digits.

        Raises
        ------
        ValueError
            If a parameter is not valid, or a file is not that of an ESM-2 model or not a store.
        FileNotFoundError
            If there are no weights, and they cannot be downloaded.

        Notes
        -----
        Weights are read for it once for each state of their files: once for all processes that
        share a `store`, else once in each process.
        """
        blocks = self._blocks(identify=True)
        run = self._run(blocks)
        known = self.store is not None and local_path(self.store).exists()
        with EmbeddingStore.create(self.store, exist_ok=True) if known else nullcontext() as store:
            sources = [tuple(s) for block in blocks for s in block.sources(run, store)]
            kept_as = store.storage_dtype if known else "float32"
        # they are in the names of columns, which a distiller or a file of embeddings keeps
        names = [block.columns for block in blocks]
        long = None if self.max_length is None else self.long
        return fingerprint(names, sources, self.max_length, long, self.unknown, kept_as)

    def _blocks(
        self, layers: Sequence[Any] | None = None, *, identify: bool = False
    ) -> list[Block]:
        """What each model contributes, after a check of all parameters."""
        self._validate_params()
        identify = identify or self.store is not None
        poolings = resolve_poolings(self.pooling, self.reference, self.unknown, identify=identify)
        given = {"layer": self.layer}
        if layers is not None:
            given = {f"layers[{i}]": layer for i, layer in enumerate(layers)}
        return resolve_blocks(self._entries(), given, poolings)

    @abstractmethod
    def _entries(self) -> Sequence[Entry]:
        """Entries of the chain."""

    def _layers(self, layers: Sequence[Any] | None) -> list[Block]:
        """Blocks of several layers; None is every layer."""
        if layers is None:
            blocks = self._blocks()
            return [block._replace(layers=tuple(range(block.depth + 1))) for block in blocks]
        if not isinstance(layers, list | tuple) or not layers:
            raise ValueError(
                f"layers={layers!r} is not a list of one or more layers; give one, as in [0.5, -1]."
            )
        return self._blocks(layers)

    def _check(self, X: Any) -> list[NDArray[np.uint8]]:
        """Tokens of the sequences, once they are known to fit all parameters."""
        tokens = encode_sequences(X, self.unknown)
        self._checker()(tokens, 0)
        return limit_length(tokens, self.max_length, self.long)

    def _checker(self) -> Callable[[Sequence[NDArray[np.uint8]], int], None]:
        """Make a function that refuses sequences that cannot be embedded.

        It takes the tokens of some sequences, and the number of the first, for messages.
        """
        poolings = resolve_poolings(self.pooling, self.reference, self.unknown)
        cut = self.max_length if self.long == "truncate" else None

        def check(tokens: Sequence[NDArray[np.uint8]], first: int) -> None:
            for at in [pooling.at for pooling in poolings if pooling.at]:
                for record, whole in enumerate(tokens, start=first):
                    at.check(whole, whole[:cut], record)

        return check

    def _rows(
        self, blocks: list[Block], tokens: list[NDArray[np.uint8]]
    ) -> Iterator[tuple[int, list[int], NDArray[np.float32]]]:
        """Yield the number of a block, records of one sequence, and their common row.

        The row is of shape (n_layers, 1, n_columns).
        """
        records = records_of_sequences(tokens)
        distinct = {first: tokens[first] for first in records}
        with self._open_store() as store:
            run = self._run(blocks)
            for i, block in enumerate(blocks):
                shape = len(block.layers), 1, block.n_columns
                parts = pooled_rows(run, block, distinct, store)
                for first, rows in flatten.from_iterable(part.items() for part in parts):
                    yield i, records[first], rows.reshape(shape)

    def _run(self, blocks: list[Block]) -> "EmbeddingRun":
        """Settings for embedding, once the device and all weights have been found."""
        from ._inference import EmbeddingRun, resolve_batch_tokens, resolve_device, resolve_dtypes

        device = resolve_device(self.device)
        for block in blocks:
            block.entry.files()
        dtypes = resolve_dtypes(self.dtype, device)
        batch_tokens = resolve_batch_tokens(self.batch_tokens, device)
        return EmbeddingRun(device, dtypes, batch_tokens, self.max_length, self._bars())

    def _bars(self) -> Callable[[str, int], "ProgressBar"]:
        """Make a function of a name and a number of residues that makes a progress bar."""
        from ._inference import progress_bars

        return progress_bars(self.dtype, self.device, self.verbose)
