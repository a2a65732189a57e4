"""Model-free baselines: inputs of a probe that need no language model, for each training fold."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..baselines._composition import KmerComposition
from ..baselines._one_hot import SequenceOneHotEncoder
from ..baselines._site_mean import SiteMean
from ..sequences._tokens import AMINO_ACIDS, TOKENS, Encoder, as_text
from ..tasks._task import Task

MODEL_FREE = ("one_hot", "site_mean", "composition")

_NEIGHBOURS = 7  # of a residue, on either side
_CV = 5
_NUMBERS = [TOKENS.index(letter) for letter in AMINO_ACIDS]


class ModelFree:
    """Columns of the model-free baselines of a task.

    Parameters
    ----------
    task : Task
    """

    def __init__(self, task: Task):
        self.task = task

    @property
    def names(self) -> list[str]:
        """Those of ``MODEL_FREE`` that a task has.

        Sequences of one length, and residues, are encoded by position; other proteins by their
        composition. Means of sites are for measured variants.
        """
        if self.task.residue is not None:
            return ["one_hot"]
        lengths = set(map(len, self._tokens))
        if len(lengths) > 1:
            return ["composition"]
        wild_type = self.task.wild_type
        is_scan = self.task.rows == "variants"
        if wild_type is not None:  # of another length if all variants are deletions, say
            is_scan = len(Encoder("X").encode([wild_type])[0]) in lengths
        measured = is_scan and self.task.kind == "regression"
        return ["one_hot", "site_mean"] if measured else ["one_hot"]

    def columns(self, name: str, train: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Compute one baseline of all rows.

        Parameters
        ----------
        name : str
            One of `names`.
        train : ndarray of int
            Rows of the training fold, whose targets may be used.

        Returns
        -------
        columns : ndarray of shape (n_rows, n_columns), or None
            None if the training rows do not differ, or are too few.
        """
        if self.task.residue is not None:
            return self._windows
        if name == "composition":
            return self._composition
        sequences = self._sequences[self.task.protein]
        groups = self.task.groups()[train]
        n_groups = len(np.unique(groups))
        if n_groups < 2:
            return None
        if name == "one_hot":
            return SequenceOneHotEncoder(unknown="X").fit(sequences[train]).transform(sequences)
        y = self.task.target[train]
        site_mean = SiteMean(self.task.wild_type, cv=min(_CV, n_groups), unknown="X")
        # out of fold, as for any feature made of targets
        crossed = site_mean.fit_transform(sequences[train], y, groups)
        columns = site_mean.transform(sequences)
        columns[train] = crossed
        return columns

    @cached_property
    def _tokens(self) -> list[NDArray[np.uint8]]:
        return Encoder("X").encode(self.task.sequences)

    @cached_property
    def _sequences(self) -> NDArray[np.object_]:
        """Sequences without stop codons and blanks, of which the embedder has warned."""
        return np.array(list(map(as_text, self._tokens)), dtype=object)

    @cached_property
    def _composition(self) -> NDArray[np.float64]:
        return KmerComposition(unknown="X").transform(self._sequences)[self.task.protein]

    @cached_property
    def _windows(self) -> NDArray[np.float64]:
        """One-hot encoding of each residue and its neighbours; outside of the protein all zero."""
        offsets = np.arange(2 * _NEIGHBOURS + 1)
        padded = [np.pad(of_protein, _NEIGHBOURS) for of_protein in self._tokens]  # 0 is <cls>
        rows = zip(self.task.protein, self.task.residue, strict=True)
        windows = np.stack([padded[protein][residue + offsets] for protein, residue in rows])
        return (windows[:, :, np.newaxis] == _NUMBERS).reshape(len(windows), -1).astype(np.float64)
