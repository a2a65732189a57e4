"""ESMEmbedder: embed protein sequences with a chain of ESM-2 models."""

import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import chain as flatten
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import check_scalar

from ..sequences._tokens import RESIDUES, Encoder, encode_sequences
from ..sequences._windows import limit_length
from ..utils._compat import Interval, StrOptions, _fit_context
from ..utils._files import local_path
from ..utils._fingerprint import fingerprint
from ..utils._models import model_name
from ._assembly import records_of_sequences, residue_blocks
from ._blocks import Block, columns_of, resolve_blocks
from ._pooling import check_poolings, resolve_poolings
from ._store import EmbeddingStore
from ._stored import pooled_rows

if TYPE_CHECKING:
    from ._inference import EmbeddingRun


class ESMEmbedder(TransformerMixin, BaseEstimator):
    """Embed protein sequences with every model of a chain of ESM-2 models.

    The result is one matrix ``[H1 | H2 | ...]``, a block of columns for each model, which
    :class:`ReverseDistiller` turns into nested embeddings. A row is the mean of a model's
    last representation over the residues of a sequence, without beginning, end and padding, or
    what `layer` and `pooling` ask for. It does not depend on which sequences are embedded together.

    The transformer is stateless: ``fit`` only checks its arguments. Models are loaded when
    they are first used, and kept as long as the process runs, so copies of an embedder
    share them. ESM-2 is described in [1]_; read more in the :ref:`User Guide <embedding>`.

    Parameters
    ----------
    chain : str or list of str, default="650M"
        A string names all models of the family up to that one: ``"650M"`` is 8M, 35M, 150M
        and 650M, ``"demo"`` the small chain that comes with the package, which is not a
        substitute for ESM-2. A list names each model: ``["8M", "650M"]``, or the path of a
        ``.pt`` file in fair-esm's format or of a Hugging Face folder (``config.json`` and
        ``model.safetensors``). Weights of ESM-2 are taken from fair-esm's cache, else
        from Hugging Face's, else downloaded into the former.

    layer : int, float or list of these, default=-1
        Which layer of each model. A whole number counts as fair-esm's ``repr_layers``: 0 is the
        input of the first layer, the number of layers is the last representation, after its
        normalisation, and -1 is the last, too. A float from 0 to 1 is a fraction of the depth, for
        chains of models of unequal depth. A list has one for each model. Layers above are not
        computed. A distiller must be fitted on the same layers.

    pooling : {"mean", "max", "cls", "eos", "sites", "sites_difference"}, array-like of int, \
            callable or list of these, default="mean"
        How the representations of a sequence's tokens become one row:

        - ``"mean"`` and ``"max"`` are over its residues, ``"cls"`` and ``"eos"`` are the rows of
          the tokens before and after them.
        - ``"sites"`` is the mean over the positions at which the sequence differs from `reference`;
          of `reference` itself, over all.
        - ``"sites_difference"`` is that less the mean over the same positions of `reference`.
        - An array holds positions, counting from 1, over which the mean is taken.
        - A callable takes an array of shape (n_residues, width), float32, and returns one of shape
          (width,), as in ``lambda rows: rows.std(axis=0)``.
        - Several, in a list, are concatenated within the block of each model.

    reference : str, default=None
        The wild type that ``"sites"`` and ``"sites_difference"`` compare with; sequences have its
        length.

    device : str, default=None
        Torch device, such as ``"cuda:1"``. None takes CUDA, else MPS, else the CPU, at the
        time of use.

    dtype : {"auto", "float32", "float16", "bfloat16"}, default="auto"
        Precision of weights and activations. ``"auto"`` is float16 on CUDA, with bfloat16
        for sequences that overflow, and float32 elsewhere. The output is always float32.

    batch_tokens : int, default=None
        Number of residues, with a beginning and end for each sequence, that are embedded at a
        time, on the CPU by each of torch's threads. It limits memory. A longer sequence is
        embedded alone. If the memory of a GPU does not suffice, the number is halved until it
        does. None is 2048 on the CPU, which is the fastest there, and 16384 elsewhere.

    max_length : int, default=None
        Number of residues beyond which a sequence is treated according to `long`. None
        embeds sequences of any length whole; ESM-2 has no limit, but it was trained on at
        most 1022 residues.

    long : {"window", "truncate", "error"}, default="window"
        How to treat sequences longer than `max_length`:

        - ``"window"`` embeds windows of `max_length` residues that are spread evenly over
          the sequence and share at least half of their residues with the next one. A
          residue's representation is the average over the windows that contain it, with
          weights that grow linearly from a window's ends to its middle.
        - ``"truncate"`` embeds the first `max_length` residues and warns.
        - ``"error"`` raises ValueError.

    unknown : {"error", "mask", "X", "keep"}, default="error"
        How to treat the ambiguous residues ``X B Z U O J``, and ``*`` inside a sequence:

        - ``"error"`` raises ValueError.
        - ``"mask"`` uses ESM-2's mask token.
        - ``"X"`` uses its token for any residue.
        - ``"keep"`` uses its token for each of them, as fair-esm does; ``J`` and ``*``, for
          which it has none, are errors.

        Gaps (``-`` and ``.``), as in an alignment, are always an error, like every other
        character that is not an amino acid; :func:`read_fasta` removes gaps.

    store : str or path-like, default=None
        A SQLite file that keeps the results of :meth:`transform`, created if there is none
        (see :class:`EmbeddingStore`). A sequence that is in it, embedded with the same
        weights, precision and windows, is not embedded again, and a model of which nothing
        is missing is not loaded. Many processes may share the file. What a process has
        embedded is kept, also when it is killed.

    verbose : bool, default=False
        Whether to show progress on standard error.

    See Also
    --------
    ReverseDistiller : Nested embeddings from the matrix that this transformer returns.
    read_fasta : Names and sequences of a FASTA file.
    EmbeddingStore : The file that `store` names.

    Notes
    -----
    Letters may be in either case, whitespace around a sequence is ignored, and ``<mask>``
    inside a sequence is one masked residue. A ``*`` at its end, the stop codon of a
    translation, is dropped with a warning that counts the sequences. Sequences that look like
    nucleotides are embedded as the amino acids that their letters stand for, with a warning.

    References
    ----------
    .. [1] Lin, Z. et al. (2023). Evolutionary-scale prediction of atomic-level protein
       structure with a language model. Science 379, 1123-1130.

    Examples
    --------
    >>> from sklearn_revdist import ESMEmbedder
    >>> embedder = ESMEmbedder("demo")
    >>> embedder.get_feature_names_out()[[0, 48, -1]].tolist()
    ['esm2_t3_100K_demo_0', 'esm2_t4_500K_demo_0', 'esm2_t6_2M_demo_159']
    >>> embedder.transform(["MKTAYIAKQR", "GSHMLE<mask>K"]).shape
    (2, 304)
    """

    _parameter_constraints: dict = {
        "chain": [str, list, tuple],
        "layer": [
            Interval(Integral, None, None, closed="neither"),
            Interval(Real, 0, 1, closed="both"),
            "array-like",
        ],
        "pooling": [str, callable, "array-like"],
        "reference": [str, None],
        "device": [str, None],
        "dtype": [StrOptions({"auto", "float32", "float16", "bfloat16"})],
        "batch_tokens": [Interval(Integral, 1, None, closed="left"), None],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "long": [StrOptions({"window", "truncate", "error"})],
        "unknown": [StrOptions(set(RESIDUES))],
        "store": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        chain: str | Sequence[str] = "650M",
        *,
        layer: int | float | Sequence[int | float] = -1,
        pooling: Any = "mean",
        reference: str | None = None,
        device: str | None = None,
        dtype: str = "auto",
        batch_tokens: int | None = None,
        max_length: int | None = None,
        long: str = "window",
        unknown: str = "error",
        store: str | os.PathLike | None = None,
        verbose: bool = False,
    ):
        self.chain = chain
        self.layer = layer
        self.pooling = pooling
        self.reference = reference
        self.device = device
        self.dtype = dtype
        self.batch_tokens = batch_tokens
        self.max_length = max_length
        self.long = long
        self.unknown = unknown
        self.store = store
        self.verbose = verbose

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
        self : ESMEmbedder
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
        tokens = self._check(X, blocks)
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
        if layers is not None and (not isinstance(layers, list | tuple) or not layers):
            raise ValueError(
                f"layers={layers!r} is not a list of one or more layers; give one, as in [0.5, -1]."
            )
        blocks = self._blocks(layers)
        if layers is None:
            blocks = [block._replace(layers=tuple(range(block.depth + 1))) for block in blocks]
        tokens = self._check(X, blocks)
        out = [
            np.empty((len(block.layers), len(tokens), block.n_columns), dtype=np.float32)
            for block in blocks
        ]
        for i, records, rows in self._rows(blocks, tokens):
            out[i][:, records] = rows
        return {model_name(block.entry): rows for block, rows in zip(blocks, out, strict=True)}

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
        tokens = alike._check(X, blocks)
        check_scalar(block_rows, "block_rows", Integral, min_val=1)
        columns = columns_of(block.width for block in blocks)
        of_models = {
            block.entry: (block.layers[0], of_model)
            for block, of_model in zip(blocks, columns, strict=True)
        }
        run = self._run(blocks)
        return residue_blocks(run, of_models, tokens, self.max_length, block_rows, self._progress)

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
        names = [(block.name(block.layers[0]), block.n_columns) for block in self._blocks()]
        return np.array([f"{name}_{j}" for name, n in names for j in range(n)], dtype=object)

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
        names = [block.name(block.layers[0]) for block in blocks]
        long = None if self.max_length is None else self.long
        return fingerprint(names, sources, self.max_length, long, self.unknown, kept_as)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = False
        return tags

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
        return resolve_blocks(self.chain, given, poolings)

    def _check(self, X: Any, blocks: list[Block]) -> list[NDArray[np.uint8]]:
        """Tokens of the sequences, once they are known to fit all parameters."""
        whole = encode_sequences(X, self.unknown)
        tokens = limit_length(whole, self.max_length, self.long)
        check_poolings(blocks[0].poolings, whole, tokens)
        return tokens

    def _rows(
        self, blocks: list[Block], tokens: list[NDArray[np.uint8]]
    ) -> Iterator[tuple[int, list[int], NDArray[np.float32]]]:
        """Yield the number of a block, records of one sequence, and their common row.

        The row is of shape (n_layers, 1, n_columns).
        """
        records = records_of_sequences(tokens)
        distinct = {first: tokens[first] for first in records}
        keep = self.store is not None
        with EmbeddingStore.create(self.store, exist_ok=True) if keep else nullcontext() as store:
            run = self._run(blocks)
            for i, block in enumerate(blocks):
                shape = len(block.layers), 1, block.n_columns
                parts = pooled_rows(run, block, distinct, self.max_length, store, self._progress)
                for first, rows in flatten.from_iterable(part.items() for part in parts):
                    yield i, records[first], rows.reshape(shape)

    def _run(self, blocks: list[Block]) -> "EmbeddingRun":
        """Settings for embedding, once the device and all weights have been found."""
        from ._checkpoints import locate
        from ._inference import EmbeddingRun, resolve_batch_tokens, resolve_device, resolve_dtypes

        device = resolve_device(self.device)
        for block in blocks:
            locate(block.entry)
        dtypes = resolve_dtypes(self.dtype, device)
        return EmbeddingRun(device, dtypes, resolve_batch_tokens(self.batch_tokens, device))

    def _progress(self, what: str, n_residues: int):
        from ..utils._progress import ProgressBar

        return ProgressBar(
            desc=what, total=n_residues, unit="residue", unit_scale=True, disable=not self.verbose
        )
