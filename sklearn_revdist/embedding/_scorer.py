"""ESMScorer: score variants by how likely ESM-2 models find them, without labels."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..sequences._tokens import MASK, Encoder, encode_reference, encode_sequences
from ..utils._compat import _fit_context
from ..utils._fingerprint import fingerprint
from ._assembly import key_of, pooled_rows, records_of_sequences, residue_blocks
from ._base import StoreUser
from ._embedder import ESMEmbedder
from ._entries import Block
from ._pooling import Masked, Residues

if TYPE_CHECKING:
    from ._esm2 import Head

KINDS = ("masked_marginals", "wild_type_marginals", "pseudo_log_likelihood")
_AT_A_TIME = 2**14  # masked sequences


_MASKED = Residues("masked", "masked", Masked())


class ESMScorer(StoreUser):
    """Score variants of a protein by how likely each model of a chain finds them.

    A score is a difference of log-likelihoods, natural logarithms, of the variant and the wild
    type [1]_; above zero the model finds the variant more likely. It needs no measurements. There
    is one column for each model and kind, so the transformer may stand beside
    :class:`ESMEmbedder` in a :class:`~sklearn.pipeline.FeatureUnion`.

    Parameters
    ----------
    chain : str or list of str, default="650M"
        As for :class:`ESMEmbedder`: a string is the chain up to that model.

    kinds : list of str, default=("masked_marginals",)
        One or more of:

        - ``"masked_marginals"``: at each mutated position the log-ratio of the variant's and the
          wild type's residue, where the wild type is masked there; summed over positions. It takes
          one pass for each position that is mutated in any variant.
        - ``"wild_type_marginals"``: the same without a mask. It takes a single pass.
        - ``"pseudo_log_likelihood"``: the sum over all positions of the log-probability of the
          residue where it is masked, of the variant less that of `reference`, if that is given.
          It allows insertions and deletions, and takes a pass for each residue of each variant.

    reference : str, default=None
        The wild type. Marginals need it, and compare sequences of its length.

    device : str, default=None
        Torch device, as for :class:`ESMEmbedder`.

    dtype : {"auto", "fast", "float32", "float16", "bfloat16"}, default="auto"
        Precision of the model, as for :class:`ESMEmbedder`. The head computes in float32,
        logarithms in float64.

    batch_tokens : int, default=None
        Number of residues at a time, as for :class:`ESMEmbedder`.

    max_length : int, default=None
        Residues that a model sees at a time: of a longer protein, that many around the position.
        None is all.

    unknown : {"error", "mask", "X", "keep"}, default="error"
        How to treat ambiguous residues, as for :class:`ESMEmbedder`; a mask is an error.

    store : str or path-like, default=None
        A store of embeddings, which may be that of an :class:`ESMEmbedder`: what has been computed
        is kept in it, except pseudo-log-likelihoods in a store of float16, which would round them.

    verbose : bool, default=False
        Whether to show progress on standard error.

    See Also
    --------
    ESMEmbedder : Embeddings of the same models.

    References
    ----------
    .. [1] Meier, J. et al. (2021). Language models enable zero-shot prediction of the effects of
       mutations on protein function. Advances in Neural Information Processing Systems 34.

    Examples
    --------
    >>> from sklearn_revdist import ESMScorer
    >>> scorer = ESMScorer("demo", reference="MKTAYIAKQR")
    >>> scorer.transform(["MKTAYIAKQR", "MKTAYIWKQR"]).shape
    (2, 3)
    >>> scorer.get_feature_names_out()[0]
    'esm2_t3_100K_demo_masked_marginals'
    """

    _parameter_constraints: dict = {
        "kinds": [list, tuple],
        **{
            name: constraint
            for name, constraint in ESMEmbedder._parameter_constraints.items()
            if name not in ("layer", "pooling", "long")
        },
    }

    def __init__(
        self,
        chain: str | Sequence[str] = "650M",
        *,
        kinds: Sequence[str] = ("masked_marginals",),
        reference: str | None = None,
        device: str | None = None,
        dtype: str = "auto",
        batch_tokens: int | None = None,
        max_length: int | None = None,
        unknown: str = "error",
        store: str | os.PathLike | None = None,
        verbose: bool = False,
    ):
        self.chain = chain
        self.kinds = kinds
        self.reference = reference
        self.device = device
        self.dtype = dtype
        self.batch_tokens = batch_tokens
        self.max_length = max_length
        self.unknown = unknown
        self.store = store
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check parameters and sequences; nothing is learnt and no model is loaded.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Sequences of variants.

        y : None
            Ignored.

        Returns
        -------
        self : ESMScorer
            The scorer itself.
        """
        self._check(Encoder(self.unknown).encode(X))
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Score variants.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Sequences of variants: a list, an array, a Series or a DataFrame of one column.

        Returns
        -------
        scores : ndarray of shape (n_sequences, n_models * n_kinds), float64
            The kinds of each model side by side, in the chain's order.

        Raises
        ------
        TypeError
            If `X` is not an array-like, or a record is not a string.
        ValueError
            If a parameter is not valid, a record is not a protein or has a mask, or has another
            length than `reference` under marginals; the message names the record. If a checkpoint
            has no head.
        FileNotFoundError
            If there are no weights; the message says where to put them.
        """
        from ._esm2 import Head

        self._validate_params()
        tokens = encode_sequences(X, self.unknown)
        blocks, reference = self._check(tokens)
        records = records_of_sequences(tokens)
        distinct = {first: tokens[first] for first in records}
        scores = np.empty((len(tokens), len(blocks) * len(self.kinds)))
        embedder = self._embedder()
        with self._open_store() as store:
            for i, (block, entry) in enumerate(zip(blocks, embedder._entries(), strict=True)):
                head = Head(entry.checkpoint())
                for j, kind in enumerate(self.kinds):
                    of_kind = getattr(self, f"_{kind}")(block, head, distinct, reference, store)
                    for first, score in of_kind.items():
                        scores[records[first], i * len(self.kinds) + j] = score
        return scores

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Name the output's columns: the model's name, an underscore and the kind.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of shape (n_models * n_kinds,), object
            Such as ``esm2_t6_8M_UR50D_masked_marginals``.
        """
        names = [block.name for block in self._embedder()._blocks()]
        return np.array([f"{name}_{kind}" for name in names for kind in self.kinds], dtype=object)

    def fingerprint(self) -> str:
        """Return a string that changes whenever scores or the names of columns would.

        Returns
        -------
        fingerprint : str
            64 hexadecimal digits.

        Raises
        ------
        ValueError, FileNotFoundError
            As :meth:`ESMEmbedder.fingerprint` does.
        """
        self._validate_params()
        embedder = self._embedder().set_params(max_length=self.max_length)
        return fingerprint(embedder, list(self.kinds), self.reference)

    def _embedder(self) -> ESMEmbedder:
        """The embedder of sequences that are short enough."""
        names = ("device", "dtype", "batch_tokens", "unknown", "store", "verbose")
        return ESMEmbedder(self.chain, **{name: getattr(self, name) for name in names})

    def _check(self, tokens: list) -> tuple[list[Block], NDArray[np.uint8] | None]:
        """Blocks and the reference's tokens, once all is known to fit."""
        kinds = list(self.kinds)
        wrong = [kind for kind in kinds if kind not in KINDS]
        if wrong or not kinds or len(set(kinds)) < len(kinds):
            raise ValueError(
                f"kinds={kinds!r} must be one or more of {', '.join(map(repr, KINDS))}, each once; "
                "change it."
            )
        marginals = [kind for kind in kinds if kind != "pseudo_log_likelihood"]
        reference = None
        if self.reference is not None:
            reference = encode_reference(self.reference, self.unknown)
        elif marginals:
            raise ValueError(
                f"kinds={kinds!r} compare with the wild type, which is missing; give its sequence "
                "(`reference`)."
            )
        for record, sequence in enumerate(tokens):
            if (sequence == MASK).any():
                raise ValueError(
                    f"Record {record} (counting from 0) has a mask, of which there is no "
                    "likelihood; give a residue, or leave it out."
                )
            if marginals and len(sequence) != len(reference):
                raise ValueError(
                    f"Record {record} (counting from 0) has {len(sequence)} residues, but the "
                    f"wild type has {len(reference)}; score insertions and deletions by "
                    "kinds=['pseudo_log_likelihood'] alone."
                )
        blocks = self._embedder()._blocks()
        return [block._replace(poolings=(_MASKED,)) for block in blocks], reference

    def _masked_marginals(self, block, head, variants, reference, store):
        mutated = np.flatnonzero((np.stack([*variants.values()]) != reference).any(axis=0))
        masked = {i: self._mask(reference, i) for i in mutated.tolist()}
        logs = self._log_probabilities(block, head, masked, store) if masked else {}
        return {r: _ratio(variant, reference, logs) for r, variant in variants.items()}

    def _wild_type_marginals(self, block, head, variants, reference, store):
        run = self._embedder().set_params(max_length=self.max_length)._run([block])
        ((rows, _),) = residue_blocks(run, [block], [reference], len(reference))
        logs = dict(enumerate(head.log_probabilities(rows)))
        return {r: _ratio(variant, reference, logs) for r, variant in variants.items()}

    def _pseudo_log_likelihood(self, block, head, variants, reference, store):
        sequences, of_reference = dict(variants), None
        if reference is not None:
            alike = (r for r, tokens in variants.items() if np.array_equal(tokens, reference))
            of_reference = next(alike, -1)
            sequences[of_reference] = reference
        found = self._likelihoods(block, head, sequences, store)
        origin = 0.0 if reference is None else found[of_reference]
        return {record: found[record] - origin for record in variants}

    def _likelihoods(self, block, head, sequences, store):
        """Pseudo-log-likelihood of each sequence."""
        run = self._embedder()._run([block])
        keys = {r: key_of(tokens, self.max_length) for r, tokens in sequences.items()}
        found = {}
        if store is not None and store.storage_dtype == "float16":
            store = None  # hundreds, of which differences of less than one count
        if store is not None:
            (source,) = block.sources(run, store)
            source = source._replace(pooling="pseudo_log_likelihood", width=1)
            stored = store.read(source, list(keys.values()))
            found = {r: float(stored[key][0]) for r, key in keys.items() if key in stored}
        missing = [r for r in sequences if r not in found]
        while missing:
            part, n_masked = [], 0
            while missing and (not part or n_masked + len(sequences[missing[0]]) <= _AT_A_TIME):
                n_masked += len(sequences[missing[0]])
                part.append(missing.pop(0))
            masked = {
                (r, i): self._mask(sequences[r], i) for r in part for i in range(len(sequences[r]))
            }
            logs = self._log_probabilities(block, head, masked, None)
            new = {
                r: np.float32(sum(logs[r, i][token] for i, token in enumerate(sequences[r])))
                for r in part
            }
            if store is not None:
                rows = {keys[r]: score.reshape(1) for r, score in new.items()}
                store.write(source, block.name, rows)
            found |= {r: float(score) for r, score in new.items()}
        return found

    def _mask(self, tokens: NDArray[np.uint8], position: int) -> NDArray[np.uint8]:
        """The sequence, or the window around the position, with a mask at the position."""
        masked = tokens.copy()
        masked[position] = MASK
        if self.max_length is None or len(tokens) <= self.max_length:
            return masked
        start = np.clip(position - self.max_length // 2, 0, len(tokens) - self.max_length)
        return masked[start : start + self.max_length]

    def _log_probabilities(self, block: Block, head: "Head", masked: dict, store) -> dict:
        """Log-probabilities of all tokens at the masked position of each sequence."""
        run = self._embedder()._run([block])
        rows: dict[int, NDArray] = {}
        for part in pooled_rows(run, block, dict(enumerate(masked.values())), store):
            rows |= part
        stacked = np.stack([rows[i].reshape(-1) for i in range(len(masked))])
        return dict(zip(masked, head.log_probabilities(stacked), strict=True))


def _ratio(variant, reference, logs) -> float:
    """Sum over mutated positions of the log-ratio of the variant's and the reference's residue."""
    at = np.flatnonzero(variant != reference).tolist()
    return float(sum(logs[i][variant[i]] - logs[i][reference[i]] for i in at))
