"""Annotations: what queries take over from the labelled records of a database, and from which."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..neighbors._transfer_classifier import AnnotationTransferClassifier
from ..tables._files import writing
from ..tables._table import slices
from ._databases import Database
from ._endings import INPUT, OUTPUT, failing
from ._labels import Labels

TYPES = {
    "query": "string",
    "label": "string",
    "reliability": "float64",
    "share": "float64",
    "target": "string",
    "distance": "float64",
    "n_neighbors": "int64",
}
VOTE_TYPES = {
    "query": "string",
    "rank": "int64",
    "target": "string",
    "distance": "float64",
    "label": "string",
    "weight": "float64",
}


class Labelled(NamedTuple):
    """The records of a database that have labels.

    Attributes
    ----------
    names : ndarray of shape (n_records,), object
    model : AnnotationTransferClassifier
        Fitted on them.
    """

    names: NDArray
    model: AnnotationTransferClassifier

    @classmethod
    def of(
        cls,
        database: Database,
        known: Labels,
        model: AnnotationTransferClassifier,
        folder: Path,
    ) -> "Labelled":
        """Fit a model on the records with labels.

        Parameters
        ----------
        database : Database
        known : Labels
            Of all its records.
        model : AnnotationTransferClassifier
        folder : Path
            Where a file of the rows is put, unless each is a record with a label.

        Raises
        ------
        ClickException
            If a row has no direction that the metric needs, or the file cannot be written.
        """
        at = np.flatnonzero(known.labels != "")
        of_row, rows = database.of_row[at], database.rows
        if not np.array_equal(of_row, np.arange(len(rows))):
            path, n_columns = folder / "labelled.npy", rows.shape[1]
            with failing(OUTPUT), writing(path, [""] * n_columns, "npy") as write:
                for part in slices(len(at), n_columns):
                    write({}, rows[of_row[part]])
            rows = np.load(path, mmap_mode="r")
        groups = None if known.groups is None else known.groups[at]
        with failing(INPUT):
            model.fit(rows, known.labels[at], groups=groups)
        return cls(np.array(database.names, dtype=object)[at], model)

    def annotate(self, queries: Database) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Annotate queries, some at a time.

        Yields
        ------
        annotations : DataFrame
            One row per query, with the columns of `TYPES`. The label of a query for which no
            neighbour voted is None; its target is the nearest one nevertheless.
        votes : DataFrame
            One row per query and neighbour that voted, nearest first, with those of `VOTE_TYPES`.

        Raises
        ------
        ClickException
            If a row has no direction that the metric needs.
        """
        model, names = self.model, np.array(queries.names, dtype=object)
        for part, of_part in queries.parts():
            with failing(INPUT):
                judged = model._judged(of_part)
            found, n_votes = judged.found, judged.found.votes.sum(axis=1)
            annotations = {
                "query": names[part],
                "label": np.where(n_votes > 0, judged.labels, None),
                "reliability": judged.reliability,
                "share": judged.share,
                "target": self.names[found.rows[:, 0]],
                "distance": found.distances[:, 0],
                "n_neighbors": n_votes,
            }
            of, rank = np.nonzero(found.votes)
            rows = found.rows[of, rank]
            votes = {
                "query": names[part][of],
                "rank": rank + 1,
                "target": self.names[rows],
                "distance": found.distances[of, rank],
                "label": model._known[rows],
                "weight": found.weights[of, rank],
            }
            yield pd.DataFrame(annotations), pd.DataFrame(votes)
