"""ESMEmbedder: embed protein sequences with a chain of ESM-2 models."""

import os
from collections.abc import Sequence
from typing import Any

from ..utils._models import resolve_chain
from ._base import BaseEmbedder
from ._entries import ESM2Entry


class ESMEmbedder(BaseEmbedder):
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

    dtype : {"auto", "fast", "float32", "float16", "bfloat16"}, default="auto"
        Precision of weights and activations. ``"auto"`` is float16 on CUDA, with bfloat16
        for sequences that overflow, and float32 elsewhere. ``"fast"`` is the same, except
        that it is bfloat16 on CPUs with instructions for it (AMX or AVX512-BF16), which
        rounds to three digits (see :ref:`gpu`). The output is always float32.

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
        embedded is kept, also when it is killed. A relative path is that in the working directory
        of the time of use; a loaded pipeline warns if it is a new file there.

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
        **BaseEmbedder._parameter_constraints,
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

    def _entries(self) -> list[ESM2Entry]:
        return [ESM2Entry(model) for model in resolve_chain(self.chain)]
