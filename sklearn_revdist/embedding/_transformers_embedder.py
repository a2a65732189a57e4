"""TransformersEmbedder: embed protein sequences with a chain of models of any family."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils._files import local_path
from ..utils._models import check_distinct, known_model
from ._base import BaseEmbedder
from ._entries import Entry, ESM2Entry
from ._pooling import Pooling, Token, resolve_poolings
from ._transformers import TransformersEntry
from ._vocabulary import Vocabulary

_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


class TransformersEmbedder(BaseEmbedder):
    """Embed protein sequences with every model of a chain of Hugging Face's models.

    It does what :class:`ESMEmbedder` does, with any encoder that the library transformers has and
    whose tokens are residues: ESM C, ProtT5 and Ankh (of which the encoder is used), ProtBert, and
    others. The chain may mix families, so that a distiller nests, say, ESM C in ProtT5. It needs
    the extra ``transformers``.

    The transformer is stateless: ``fit`` only checks its arguments. Models are loaded when
    they are first used, and kept as long as the process runs. Read more in the
    :ref:`User Guide <families>`.

    Parameters
    ----------
    chain : list of str, default=("biohub/ESMC-300M-hf", "biohub/ESMC-600M-hf")
        The models, small ones first: repositories of the hub, as ``"owner/name"``, or folders with
        ``config.json``, a tokenizer and weights in safetensors or PyTorch's format. What is not in
        Hugging Face's cache is downloaded. No code of a repository is executed. Models of ESM-2,
        such as ``"8M"``, ``"facebook/esm2_t6_8M_UR50D"`` or a ``.pt`` file, are computed as by
        :class:`ESMEmbedder`, which is faster.

    layer : int, float or list of these, default=-1
        Which layer of each model, from 0, the input of the first layer. -1 is the last
        representation, after its normalisation. A float from 0 to 1 is a fraction of the depth. A
        list has one for each model.

    pooling : {"mean", "max", "cls", "eos", "sites", "sites_difference"}, array-like of int, \
            callable or list of these, default="mean"
        How the representations of a sequence's tokens become one row, as :class:`ESMEmbedder`
        describes. ``"cls"`` and ``"eos"`` are the rows of the special tokens before and after the
        residues, whatever a model calls them; models of the T5 family have none before.

    reference : str, default=None
        The wild type that ``"sites"`` and ``"sites_difference"`` compare with; sequences have its
        length.

    device : str, default=None
        Torch device, such as ``"cuda:1"``. None takes CUDA, else MPS, else the CPU, at the
        time of use.

    dtype : {"auto", "fast", "float32", "float16", "bfloat16"}, default="auto"
        Precision of weights and activations, as :class:`ESMEmbedder` describes. ``"auto"`` is
        float16 on CUDA, with bfloat16 for sequences that overflow, and float32 elsewhere. The
        output is always float32.

    batch_tokens : int, default=None
        Number of tokens, with padding, that are embedded at a time. It limits memory. None is 2048
        on the CPU and 16384 elsewhere.

    max_length : int, default=None
        Number of residues beyond which a sequence is treated according to `long`. None embeds
        sequences whole; one that is longer than a model's table of positions is an error.

    long : {"window", "truncate", "error"}, default="window"
        How to treat sequences longer than `max_length`: average over overlapping windows, embed
        the first `max_length` residues and warn, or raise ValueError.

    unknown : {"error", "mask", "X", "keep"}, default="error"
        How to treat the ambiguous residues ``X B Z U O J``, and ``*`` inside a sequence: raise
        ValueError, use the mask token, the token X, or the model's own token for each. A token
        that a model does not have is an error. ProtT5 was trained with ``"X"``.

    store : str or path-like, default=None
        A SQLite file that keeps the results of :meth:`transform`, created if there is none; it may
        be that of an :class:`ESMEmbedder`.

    verbose : bool, default=False
        Whether to show progress on standard error.

    See Also
    --------
    ESMEmbedder : Embeddings of ESM-2, without this extra.
    ReverseDistiller : Nested embeddings from the matrix that this transformer returns.

    Notes
    -----
    In a batch, sequences are padded to the longest of them, so that a row depends on its
    neighbours by rounding errors. Every layer is computed, also above `layer`. A distiller
    recognises the models by the names of columns, so in a pipeline call
    ``set_output(transform="pandas")``.

    Examples
    --------
    >>> from sklearn_revdist import TransformersEmbedder
    >>> embedder = TransformersEmbedder(["demo-48", "demo-160"])
    >>> embedder.get_feature_names_out()[[0, 48]].tolist()
    ['esm2_t3_100K_demo_0', 'esm2_t6_2M_demo_0']
    """

    _parameter_constraints: dict = {
        "chain": [list, tuple],
        **BaseEmbedder._parameter_constraints,
    }

    def __init__(
        self,
        chain: Sequence[str] = ("biohub/ESMC-300M-hf", "biohub/ESMC-600M-hf"),
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

    def _entries(self) -> list[Entry]:
        if not self.chain:
            raise ValueError("chain is empty; name at least one model.")
        entries = [_entry(i, source) for i, source in enumerate(self.chain)]
        check_distinct([entry.name for entry in entries])
        return entries

    def _checker(self) -> Callable[[Sequence[NDArray[np.uint8]], int], None]:
        check = super()._checker()
        poolings = resolve_poolings(self.pooling, self.reference, self.unknown)
        vocabularies = {
            entry.name: entry.vocabulary()
            for entry in self._entries()
            if isinstance(entry, TransformersEntry)
        }
        for name, vocabulary in vocabularies.items():
            _check_tokens(poolings, name, vocabulary)

        def check_all(tokens: Sequence[NDArray[np.uint8]], first: int) -> None:
            check(tokens, first)
            for name, vocabulary in vocabularies.items():
                for record, sequence in enumerate(tokens, start=first):
                    vocabulary.check(sequence, record, name)

        return check_all


def _entry(i: int, source: str | os.PathLike) -> Entry:
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"chain[{i}] must be a repository or the path of a folder, but it is of type "
            f"{type(source).__name__}."
        )
    model = known_model(source)
    if model is not None:
        return ESM2Entry(model)
    path = local_path(source)
    if path.suffix == ".pt":
        return ESM2Entry(path)
    if isinstance(source, Path) or path.is_dir():
        return TransformersEntry(path if path.name not in ("", "..") else path.resolve())
    if not _REPOSITORY.fullmatch(os.fspath(source)):
        raise ValueError(
            f"chain[{i}]={os.fspath(source)!r} is neither a repository of Hugging Face, as in "
            "'biohub/ESMC-300M-hf', nor a folder that is there; correct it."
        )
    return TransformersEntry(os.fspath(source))


def _check_tokens(poolings: Sequence[Pooling], name: str, vocabulary: Vocabulary) -> None:
    """Refuse to pool by a special token that a model does not have."""
    for pooling in poolings:
        if not isinstance(pooling, Token):
            continue
        where = "after" if pooling.token else "before"
        if not len(vocabulary.after if pooling.token else vocabulary.before):
            raise ValueError(
                f"pooling={pooling.name!r} takes the row of the token {where} the residues, which "
                f"{name} does not have; choose another pooling."
            )
