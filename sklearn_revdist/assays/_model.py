"""VariantModel: a model of an assay, kept in a file, whose predictions say how sure they are."""

import os
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from ..distillation._reverse_distiller import ReverseDistiller
from ..embedding._base import BaseEmbedder
from ..embedding._embedder import ESMEmbedder
from ..sequences._tokens import Encoder, as_text
from ..utils._compat import validate_params
from ..utils._fingerprint import fingerprint
from ._assay import Assay
from ._comparison import PREDICTED, predict_intervals, stored
from ._familiarity import familiarity
from ._saved_model import read_model, write_model
from ._variant_model import default_features, embedders_of, make_variant_model, parameters_of

_LIBRARIES = ("sklearn-revdist", "numpy", "scipy", "scikit-learn", "torch", "skops")


class VariantModel:
    r"""A model of an assay that predicts new variants, and can be saved.

    Make it with :meth:`train` or :meth:`load`. Read more in the :ref:`User Guide <assays>`.

    Parameters
    ----------
    estimator : LeftOutVotingRegressor
        As :func:`make_variant_model` makes it, fitted.
    card : dict
        What is to be known of the model: ``assay``, ``target``, ``n_variants``, ``wild_type``,
        ``wild_type_target``, ``features``, ``embedders`` (name and fingerprint of the weights of
        each), ``data`` (hash of sequences and measurements), ``versions``, and what is added.
    sequences : list of str
        Sequences of the training.

    See Also
    --------
    read_assay : Reads a spreadsheet.
    compare_features : Cross-validates a model, beside its baselines.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_revdist import ESMEmbedder, VariantModel, read_assay
    >>> rows = ["K2R,1.5", "K2A,1.1", "T3S,0.1", "T3A,0.2", "A4G,0.5", "A4S,0.6", "Y5F,1.9"]
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "assay.csv")
    ...     _ = path.write_text("\n".join(["mutant,activity", *rows]))
    ...     assay = read_assay(path, "activity", reference="MKTAY")

    >>> model = VariantModel.train(assay, ESMEmbedder("demo-48"))
    >>> predicted = model.predict(["MRTAF", "MKWAY"])
    >>> predicted.columns.tolist()[:4]
    ['predicted', 'std', 'lower_90', 'upper_90']
    >>> predicted["unlike"].tolist()[0]
    '2 substitutions (training: at most 1)'
    """

    def __init__(self, estimator: BaseEstimator, card: dict[str, Any], sequences: list[str]):
        self.estimator = estimator
        self.card = card
        self.sequences = sequences

    @classmethod
    @validate_params(
        {
            "assay": [Assay],
            "embedder": [BaseEmbedder, None],
            "features": ["array-like", None],
            "distiller": [ReverseDistiller, None],
        },
    )
    def train(
        cls,
        assay: Assay,
        embedder: BaseEmbedder | None = None,
        *,
        features: Sequence[str] | None = None,
        distiller: ReverseDistiller | None = None,
    ) -> Self:
        """Fit a model to all variants of an assay.

        Parameters
        ----------
        assay : Assay
            As :func:`read_assay` returns it.
        embedder : ESMEmbedder or TransformersEmbedder, default=None
            As for :func:`make_variant_model`.
        features : sequence of str, default=None
            As for :func:`make_variant_model`.
        distiller : ReverseDistiller, default=None
            As for :func:`make_variant_model`.

        Returns
        -------
        model : VariantModel

        Raises
        ------
        ValueError
            If a feature cannot be computed.
        """
        embedder = ESMEmbedder("650M") if embedder is None else clone(embedder)
        if not isinstance(embedder.chain, str):  # in a file, paths are texts
            chain = [os.fspath(x) if isinstance(x, os.PathLike) else x for x in embedder.chain]
            embedder.set_params(chain=chain)
        with stored([embedder], embedder.store):
            estimator = make_variant_model(
                embedder, features=features, reference=assay.wild_type, distiller=distiller
            )
            estimator.fit(assay.sequences, assay.target)
        for part in embedders_of(estimator):
            part.set_params(store=None, device=None, verbose=False)
        if features is None:
            features = default_features(embedder, assay.wild_type, distiller)
        card = {
            "assay": assay.name,
            "target": assay.target_name,
            "n_variants": len(assay.target),
            "wild_type": assay.wild_type,
            "wild_type_target": assay.wild_type_target,
            "features": list(features),
            "embedders": _weights_of(estimator),
            "data": fingerprint(assay.sequences, assay.target),
            "versions": {name: version(name) for name in _LIBRARIES},
        }
        return cls(estimator, card, sorted(set(assay.sequences)))

    @validate_params(
        {"store": [str, os.PathLike, None], "device": [str, None], "verbose": ["verbose"]}
    )
    def predict(
        self,
        sequences: Sequence[str],
        *,
        store: str | os.PathLike | None = None,
        device: str | None = None,
        verbose: bool = False,
    ) -> pd.DataFrame:
        """Predict sequences, and say in what they are unlike the training.

        A variant of the training has nearly the value measured there. If each variant was measured
        once, noise cannot be told from effects, so `std` of these is too small.

        Parameters
        ----------
        sequences : sequence of str
            Of the wild type's length, if the model has one.
        store : str or path-like, default=None
            A store of embeddings, as for :class:`ESMEmbedder`.
        device : str, default=None
            Torch device, as for :class:`ESMEmbedder`.
        verbose : bool, default=False
            Whether to show progress on standard error.

        Returns
        -------
        predictions : DataFrame
            One row per sequence, in their order: ``predicted``; ``std``, the standard deviation of
            a new measurement; ``lower_90`` and ``upper_90``, the ends of an interval that holds 90
            % of new measurements of variants like those of the training; ``substitutions``, the
            number of residues that differ from the wild type, and ``identity``, the share of them
            that the closest training sequence has as well (with a wild type only); ``unlike``, in
            what the sequence is unlike all of the training, empty if in nothing.

        Raises
        ------
        ValueError
            If a sequence is not a protein, or has another length than the wild type; the message
            names its number. If the weights at hand are not those of the training.
        FileNotFoundError
            If there are no weights.
        """
        wild_type = self.card["wild_type"]
        encoder = Encoder(self.unknown)
        tokens = encoder.encode(sequences)
        encoder.warn()
        if wild_type is not None:
            for record, residues in enumerate(tokens):
                if len(residues) != len(wild_type):
                    raise ValueError(
                        f"Record {record} (counting from 0) has {len(residues)} residues, but the "
                        f"wild type of the model has {len(wild_type)}; the model compares residues "
                        "by position, so give variants of its length."
                    )
        self._check_weights()
        texts = np.array(list(map(as_text, tokens)), dtype=object)
        parts = embedders_of(self.estimator)
        with stored(parts, store, device=device, verbose=verbose):
            predicted = predict_intervals(self.estimator, texts)
        table = pd.DataFrame(predicted, columns=PREDICTED)
        encode = Encoder(self.unknown).encode
        notes = familiarity(
            _letters(tokens),
            predicted[:, 1],
            _letters(encode(self.sequences)),
            None if wild_type is None else _letters(encode([wild_type]))[0],
            self.estimator._left_out_std,
            self.card.get("first_position", 1),
        )
        return table.join(notes)

    @validate_params({"path": [str, os.PathLike]})
    def save(self, path: str | os.PathLike) -> None:
        """Write the model to one file, without pickle; it holds the training sequences.

        Parameters
        ----------
        path : str or path-like
            Path of the file; it is replaced in one step.

        Raises
        ------
        ImportError
            If skops is not installed (extra `cli`).
        OSError
            If the file cannot be written; what was there stays.
        ValueError
            If the model has a part that :meth:`load` would refuse, such as a distiller with a
            regressor of another kind.
        """
        write_model(path, self.estimator, self.card, self.sequences)

    @classmethod
    @validate_params({"path": [str, os.PathLike]})
    def load(cls, path: str | os.PathLike) -> Self:
        """Read a model; nothing in the file is executed, and no weights are read.

        Parameters
        ----------
        path : str or path-like
            Path of a file that :meth:`save`, or `revdist train`, wrote.

        Returns
        -------
        model : VariantModel

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ImportError
            If skops is not installed (extra `cli`).
        ValueError
            If the file is damaged, is not a model, or has types that no model has.
        """
        return cls(*read_model(path))

    @property
    def unknown(self) -> str:
        """Policy on ambiguous residues, which all parts of the estimator share."""
        parameters = parameters_of(self.estimator)
        return next(value for name, value in parameters if name.endswith("__unknown"))

    def _check_weights(self):
        """Refuse weights other than those of the training."""
        for name, digest in _weights_of(self.estimator).items():
            if self.card["embedders"].get(name) != digest:
                raise ValueError(
                    f"The model was trained on embeddings of {name} by other weights than those "
                    "at hand; use the same checkpoints, or train it again."
                )


def _letters(encoded) -> list[str]:
    """Sequences as the model sees them, one letter for each residue; "<" is a mask."""
    return [as_text(tokens).replace("<mask>", "<") for tokens in encoded]


def _weights_of(estimator) -> dict[str, str]:
    """Fingerprint of what each embedder computes, whatever the machine's precision."""
    found = {}
    for part in embedders_of(estimator):
        plain = clone(part).set_params(dtype="float32", device="cpu", store=None)
        chain = part.chain if isinstance(part.chain, str) else "+".join(map(str, part.chain))
        found[f"{type(part).__name__} {chain}"] = plain.fingerprint()
    return found
