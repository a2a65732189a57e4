"""ESMEmbedder: embed protein sequences with a chain of ESM-2 models."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import accumulate, pairwise, starmap
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_scalar

from ..sequences._tokens import RESIDUES, Encoder, as_text, encode_sequences
from ..sequences._windows import limit_length
from ..utils._compat import Interval, StrOptions, _fit_context
from ..utils._files import local_path
from ..utils._fingerprint import fingerprint
from ..utils._models import Model, model_name, resolve_chain
from ._assembly import first_occurrences, means, residue_blocks
from ._store import EmbeddingStore
from ._store_file import SequenceKey, Source

if TYPE_CHECKING:
    from ._inference import EmbeddingRun

FLUSH_SECONDS = 1.0  # a killed process loses this much work, and the batches being computed


class ESMEmbedder(TransformerMixin, BaseEstimator):
    """Embed protein sequences with every model of a chain of ESM-2 models.

    The result is one matrix ``[H1 | H2 | ...]``, a block of columns for each model, which
    :class:`ReverseDistiller` turns into nested embeddings. A row is the mean of a model's
    last representation over the residues of a sequence, without beginning, end and padding.
    It does not depend on which sequences are embedded together.

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

    pooling : {"mean"}, default="mean"
        How the rows of residues become one row.

    device : str, default=None
        Torch device, such as ``"cuda:1"``. None takes CUDA, else MPS, else the CPU, at the
        time of use.

    dtype : {"auto", "fast", "float32", "float16", "bfloat16"}, default="auto"
        Precision of weights and activations. ``"auto"`` is float16 on CUDA, with bfloat16
        for sequences that overflow, and float32 elsewhere. ``"fast"`` is the same, except
        that it is bfloat16 on CPUs with instructions for it (AMX or AVX512-BF16), which
        rounds to three digits (see :ref:`embedding`). The output is always float32.

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
        "pooling": [StrOptions({"mean"})],
        "device": [str, None],
        "dtype": [StrOptions({"auto", "fast", "float32", "float16", "bfloat16"})],
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
        pooling: str = "mean",
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
        self.pooling = pooling
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
        resolve_chain(self.chain)
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
            If a record is empty, has a character that is not a residue, or is too long for
            ``long="error"``; the message names the record and the position. If a
            checkpoint is not that of an ESM-2 model.
        FileNotFoundError
            If there are no weights; the message says where to put them.
        MemoryError
            If a single sequence does not fit into the memory of the GPU.
        OSError, TimeoutError
            If the store cannot be written; a damaged or foreign file is a ValueError.
        """
        chain, tokens = self._check(X)
        first = first_occurrences(tokens)
        distinct = {record: tokens[record] for record in np.unique(first).tolist()}
        keep = self.store is not None
        with EmbeddingStore.create(self.store, exist_ok=True) if keep else nullcontext() as store:
            run, columns = self._run(chain), _columns(chain)
            out = np.empty((len(tokens), sum(map(_width, chain))), dtype=np.float32)
            for entry, block in columns.items():
                for parts in self._means(entry, distinct, run, store):
                    for record, mean in parts.items():
                        out[record, block] = mean
        repeated = first != np.arange(len(first))
        out[repeated] = out[first[repeated]]
        return out

    def iter_residues(
        self, X: Any, *, block_rows: int = 8192
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """Embed sequences residue by residue, in blocks of rows.

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
        chain, tokens = self._check(X)
        check_scalar(block_rows, "block_rows", Integral, min_val=1)
        return residue_blocks(
            self._run(chain), _columns(chain), tokens, self.max_length, block_rows, self._progress
        )

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
        chain = resolve_chain(self.chain)
        names = [f"{model_name(entry)}_{j}" for entry in chain for j in range(_width(entry))]
        return np.array(names, dtype=object)

    def fingerprint(self) -> str:
        """Return a string that changes whenever embeddings or the names of columns would.

        It depends on the content and the names of all models' weights, the precision that `dtype`
        means on this machine, `pooling`, `max_length`, `long` and `unknown`, and on the precision
        of `store`, since rounded embeddings are returned from there. It does not depend on how
        the chain is written, nor on `device`, `batch_tokens` and `verbose`.

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
        self._validate_params()
        chain = resolve_chain(self.chain)
        run = self._run(chain)
        known = self.store is not None and local_path(self.store).exists()
        with EmbeddingStore.create(self.store, exist_ok=True) if known else nullcontext() as store:
            sources = [tuple(self._source(entry, run, store)) for entry in chain]
            kept_as = store.storage_dtype if known else "float32"
        # they are in the names of columns, which a distiller or a file of embeddings keeps
        names = [model_name(entry) for entry in chain]
        settings = self._settings()
        del settings["dtype"]  # the sources contain the precision that it means here
        if self.max_length is None:
            del settings["long"]
        return fingerprint(names, sources, settings, kept_as)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = False
        return tags

    def _check(self, X: Any) -> tuple[tuple[Model | Path, ...], list[NDArray[np.uint8]]]:
        self._validate_params()
        chain = resolve_chain(self.chain)
        tokens = limit_length(encode_sequences(X, self.unknown), self.max_length, self.long)
        return chain, tokens

    def _settings(self) -> dict[str, Any]:
        """Parameters that embeddings depend on, besides the models of the chain."""
        how = ("device", "batch_tokens", "store", "verbose")
        return {k: v for k, v in self.get_params().items() if k not in ("chain", *how)}

    def _run(self, chain: tuple[Model | Path, ...]) -> "EmbeddingRun":
        """Settings for embedding, once the device and all weights have been found."""
        from ._checkpoints import locate
        from ._inference import EmbeddingRun, resolve_batch_tokens, resolve_device, resolve_dtypes

        device = resolve_device(self.device)
        for entry in chain:
            locate(entry)
        dtypes = resolve_dtypes(self.dtype, device)
        return EmbeddingRun(device, dtypes, resolve_batch_tokens(self.batch_tokens, device))

    def _means(
        self,
        entry: Model | Path,
        records: dict[int, NDArray[np.uint8]],
        run: "EmbeddingRun",
        store: EmbeddingStore | None,
    ) -> Iterator[dict[int, NDArray[np.float32]]]:
        """Means over residues, with a store read from it once it has those that were missing."""
        if store is None:
            yield from means(run, entry, records, self.max_length, self._progress)
            return
        source = self._source(entry, run, store)
        keys = {record: self._key(tokens) for record, tokens in records.items()}

        def read(records):
            stored = store.read(source, [keys[record] for record in records])
            return {r: stored[keys[r]] for r in records if keys[r] in stored}

        stored = read(records)
        yield stored
        missing = {record: records[record] for record in records if record not in stored}
        if not missing:
            return
        for new in _gathered(means(run, entry, missing, self.max_length, self._progress)):
            store.write(source, model_name(entry), {keys[r]: new[r] for r in new})
            yield new
        # the store's values count: rounded, or those of another process that was faster
        yield read(missing)

    def _source(
        self, entry: Model | Path, run: "EmbeddingRun", store: EmbeddingStore | None
    ) -> Source:
        """What a model's embeddings depend on, in the store as in fingerprints."""
        from ._checkpoints import checkpoint_files, locate, weights_digest

        digest_of = weights_digest if store is None else store.weights_digest
        return Source(
            weights=digest_of(checkpoint_files(locate(entry))),
            layer=-1,
            pooling=self.pooling,
            dtype="+".join(str(dtype).removeprefix("torch.") for dtype in run.dtypes),
            width=_width(entry),
        )

    def _key(self, tokens: NDArray[np.uint8]) -> SequenceKey:
        whole = self.max_length is None or len(tokens) <= self.max_length
        return SequenceKey(as_text(tokens), 0 if whole else self.max_length)

    def _progress(self, what: str, n_residues: int):
        from ..utils._progress import ProgressBar

        return ProgressBar(
            desc=what, total=n_residues, unit="residue", unit_scale=True, disable=not self.verbose
        )


def _gathered(
    parts: Iterator[dict[int, NDArray[np.float32]]],
) -> Iterator[dict[int, NDArray[np.float32]]]:
    """Merge consecutive parts that arrive within FLUSH_SECONDS."""
    together: dict[int, NDArray[np.float32]] = {}
    start = time.monotonic()
    for part in parts:
        together |= part
        if together and time.monotonic() - start >= FLUSH_SECONDS:
            yield together
            together, start = {}, time.monotonic()
    if together:
        yield together


def _columns(chain: tuple[Model | Path, ...]) -> dict[Model | Path, slice]:
    """Columns of each model in the output."""
    stops = [0, *accumulate(_width(entry) for entry in chain)]
    return dict(zip(chain, starmap(slice, pairwise(stops)), strict=True))


def _width(entry: Model | Path) -> int:
    if isinstance(entry, Model):
        return entry.width
    from ._checkpoints import checkpoint_width, locate

    return checkpoint_width(locate(entry))
