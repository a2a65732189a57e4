"""Evaluate: score a probe on nested embeddings and baselines of every size, over many tasks."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from ..distillation._reverse_distiller import ReverseDistiller
from ..neighbors._prefix_neighbors import PrefixNeighbors
from ..tasks._task import Task
from ..utils._compat import HasMethods, Interval, validate_params
from ..utils._files import local_path
from ..utils._fingerprint import fingerprint
from ..utils._messages import warn_of_skipped
from ._fold_scores import SCORED, score_folds
from ._model_free import MODEL_FREE, ModelFree
from ._probes import N_JOBS, make_probe
from ._representations import (
    FITTED_ON,
    REPRESENTATIONS,
    Maps,
    Representation,
    Sizes,
    list_representations,
)
from ._score_files import file_name, read_scores, scores_key, write_scores
from ._splits import SPLITS, checked_folds
from ._task_embeddings import check_models, comparing, embed_task

COLUMNS = ["task", "rows", "metric", "split", *SCORED]


@validate_params(
    {
        "embedder": [HasMethods(["transform"])],
        "distiller": [ReverseDistiller],
        "representations": ["array-like"],
        "fitted_on": ["array-like"],
        "splits": ["array-like"],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "probe": [str, HasMethods(["fit", "predict"]), PrefixNeighbors, None],
        "output": [str, os.PathLike, None],
        "n_jobs": N_JOBS,
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def evaluate(
    tasks: Iterable[Task],
    embedder: Any,
    distiller: ReverseDistiller,
    *,
    representations: Sequence[str] = (*REPRESENTATIONS, *MODEL_FREE),
    fitted_on: Sequence[str] = FITTED_ON,
    splits: Sequence[str] = ("random",),
    n_folds: int = 5,
    probe: str | BaseEstimator | None = None,
    output: str | os.PathLike | None = None,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> pd.DataFrame:
    """Score a probe on nested embeddings and baselines of every size, over many tasks.

    For each model of the chain, the same probe is scored on the same folds of several
    representations, as wide as the nested embedding up to that model:

    plain
        that model's own embedding;
    distilled
        the prefix of the nested embedding that ends at that model;
    jump
        the distilled embedding of a chain of just the smallest model and that model;
    concat_pca
        principal components of the concatenated embeddings of all models up to that one;
    naive
        the reference implementation's baseline, see :class:`NaiveChain`;
    largest_pca, largest_first
        principal components, or the first columns, of the chain's largest model;
    concat
        the whole concatenation up to that model, which is wider.

    Beside them, baselines that need no model:

    one_hot
        for sequences of one length, the residue at each position that varies
        (:class:`SequenceOneHotEncoder`); for residues, the residue and seven neighbours on either
        side;
    site_mean
        for measured variants, the mean target of the positions at which a variant is mutated
        (:class:`SiteMean`);
    composition
        for proteins of several lengths, the fraction of each amino acid
        (:class:`KmerComposition`).

    Maps are fitted on "natural" data, those of the distiller (its `moments_`), and again on each
    training "fold". Of representations that are equal, as the plain and the distilled embedding of
    the smallest model, one may be left out.

    For retrievals, the nearest rows take the place of the probe: each test row is a query of the
    training rows, and a representation scores by whether their labels are its own.

    Read more in the :ref:`User Guide <evaluation>`.

    Parameters
    ----------
    tasks : iterable of Task
        Tasks, as :func:`read_tasks` returns them.
    embedder : ESMEmbedder
        Embeds the sequences with the distiller's chain; with a `store`, a second run is fast. Any
        object with `transform` and, for tasks of residues, `iter_residues` will do.
    distiller : ReverseDistiller
        If fitted, it is used as it is for "natural". Baselines fitted on "natural" data need its
        `moments_`, which a distiller read from a file lacks; they are left out without. If
        unfitted, everything is fitted on folds.
    representations : sequence of str, default=all
        Representations to score.
    fitted_on : sequence of {"natural", "fold"}, default=both
        Data that maps are fitted on.
    splits : sequence of {"random", "contiguous", "modulo"}, default=("random",)
        How to split tasks that come without a split: "random" shuffles rows and keeps those of a
        sequence together; "contiguous" and "modulo" are :class:`ContiguousKFold` and
        :class:`ModuloKFold`, for scans of single substitutions, and skip other tasks. Retrievals
        are not split: each row is a query of all rows of other sequences and clusters.
    n_folds : int, default=5
        Number of folds.
    probe : {"ridge", "logistic", "neighbors"}, estimator or None, default=None
        None takes ridge for regressions and logistic regression for classifications, both on
        columns of unit variance; penalties are chosen inside each training fold. For retrievals it
        takes :class:`PrefixNeighbors`, and so may you, with another `metric`.
    output : str or path-like, default=None
        Folder in which the scores of each task are stored, one file per task. A task is read from
        its file, not scored, if its data, the embedder (weights included), the distiller and the
        settings have not changed. An embedder, probe or regressor that is neither from this package
        nor a scikit-learn estimator then needs a method ``fingerprint()``, which returns a string
        that changes whenever its results do.
    n_jobs : int, default=None
        Number of probes fitted at a time, in threads. Retrievals run one after the other, with
        the threads of :class:`PrefixNeighbors`.
    verbose : bool, default=False
        Whether to show a progress bar on standard error.

    Returns
    -------
    scores : DataFrame
        One row for each task, split, subset, model and representation; of each model those that
        are fitted on the same data are side by side:

        task : str
            Name.
        rows : {"variants", "proteins", "residues"}
            What each row is.
        metric : {"spearman", "aupr", "recall@1", ..., "map"}
            Spearman correlation for regressions; for classifications the area under the
            precision-recall curve: of two classes that of the second in sorted order, of more the
            mean over the classes of the test rows. Classes of training rows alone are learnt, but
            not scored. For retrievals :func:`recall_at_k` or :func:`mean_average_precision`.
        split : {"given", "random", "contiguous", "modulo", "leave-one-out"}
            How rows were split; "given" is the task's own split, and the last that of retrievals.
        subset : str
            "all" test rows, or those with "1" to "4" or "5+" substitutions.
        model, representation : str
            Model at whose size the representation is, and its name as above; without a model the
            former is empty.
        fitted_on : {"", "natural", "fold"}
            Data of the fit; empty if there is nothing to fit.
        n_columns : int
            Width of the representation.
        score, score_std : float
            Mean and standard deviation over the folds.
        n_folds, n_test : int
            Number of folds in which the subset could be scored, and of their test rows; queries
            whose label no row has that they may find are not counted.
        penalty : float
            Geometric mean over the folds of the penalties that the probe chose.
        top_k_recall, hit_rate, ndcg_at_k : float
            Means over the folds of what the best tenth of the predictions of a regression is worth
            (:func:`top_k_recall`, :func:`hit_rate`, :func:`ndcg_at_k`); a hit exceeds the median of
            the training rows. NaN for other tasks.

    Raises
    ------
    ValueError
        If a setting is unknown, two tasks have the same name, a task cannot be split, a test fold
        has a class that its training fold lacks, the probe is for another kind of task, or the
        distiller was fitted on other models, layers or poolings than the embedder has.
    TypeError
        If `tasks` has an entry that is not a :class:`Task`. If there is an `output`, and nothing
        identifies the embedder, the distiller or the probe; nothing is embedded then.

    Warns
    -----
    UserWarning
        For each task that no split applies to, which is skipped.

    Examples
    --------
    The task is to predict the number of alanines of sixty random proteins:

    >>> import numpy as np
    >>> from sklearn_revdist import ESMEmbedder, ReverseDistiller, Task, evaluate
    >>> rng = np.random.default_rng(0)
    >>> proteins = ["".join(rng.choice(list("ACDEFGHIKL"), 30)) for _ in range(60)]
    >>> alanines = np.array([float(protein.count("A")) for protein in proteins])
    >>> task = Task("alanines", proteins, alanines, np.arange(60))

    The bundled chain of three small models embeds them, and a ridge probe is scored on the plain
    and on the distilled embeddings of each size:

    >>> scores = evaluate(
    ...     [task],
    ...     ESMEmbedder("demo"),
    ...     ReverseDistiller.from_pretrained("demo"),
    ...     representations=["plain", "distilled"],
    ...     fitted_on=["natural"],
    ... )
    >>> scores[["model", "representation", "n_columns", "n_test", "score"]].round(1)
                   model representation  n_columns  n_test  score
    0  esm2_t3_100K_demo          plain         48      60    1.0
    1  esm2_t3_100K_demo      distilled         48      60    1.0
    2  esm2_t4_500K_demo          plain         96      60    1.0
    3  esm2_t4_500K_demo      distilled         96      60    1.0
    4    esm2_t6_2M_demo          plain        160      60    1.0
    5    esm2_t6_2M_demo      distilled        160      60    1.0

    Embeddings of every size determine the composition of a protein.
    """
    for setting, values, known in (
        ("representations", representations, (*REPRESENTATIONS, *MODEL_FREE)),
        ("fitted_on", fitted_on, FITTED_ON),
        ("splits", splits, SPLITS[1:]),
    ):
        if unknown := [value for value in values if value not in known]:
            raise ValueError(
                f"{setting} has {unknown[0]!r}; choose from {', '.join(map(repr, known))}."
            )
        if len(values) == 0 and setting != "fitted_on":
            raise ValueError(f"{setting} is empty; give at least one.")
    if not isinstance(tasks, Iterable):
        raise TypeError(
            f"tasks must be an iterable of Task, but it is of type {type(tasks).__name__}; put a "
            "single task into a list."
        )
    settings = {
        "representations": tuple(representations),
        "fitted_on": tuple(fitted_on),
        "splits": tuple(splits),
        "n_folds": n_folds,
        "probe": probe,
    }
    folder = None if output is None else local_path(output)
    checked = checked_tasks(tasks, settings["splits"], n_folds, probe)
    if isinstance(tasks, Sequence):
        checked = list(checked)
    how = {"embedder": embedder, "distiller": distiller, "n_jobs": n_jobs, "verbose": verbose}
    score = partial(_score_task, **settings, **how)
    tables, key = [], None
    for task in checked:
        if folder is None:
            tables.append(score(task))
            continue
        embedded_by = fingerprint(comparing(embedder, task))  # first: it may raise
        key = key or scores_key(distiller, settings)  # takes seconds, for all tasks once
        path = folder / file_name(task, embedded_by, key)
        if not path.exists():
            table = score(task)
            folder.mkdir(parents=True, exist_ok=True)
            write_scores(table, path)
        tables.append(read_scores(path))
    return pd.concat(tables, ignore_index=True)


def checked_tasks(
    tasks: Iterable[Task],
    splits: tuple[str, ...],
    n_folds: int,
    probe: str | BaseEstimator | None = None,
) -> Iterator[Task]:
    """Yield tasks that can be scored, each after all checks that are possible before embedding.

    Tasks that no split applies to are skipped, with a warning at the end.

    Parameters
    ----------
    tasks, splits, n_folds, probe
        As for :func:`evaluate`.

    Yields
    ------
    task : Task

    Raises
    ------
    TypeError, ValueError
        As for :func:`evaluate`.
    """
    names: set[str] = set()
    skipped = {}
    for task in tasks:
        if not isinstance(task, Task):
            raise TypeError(
                f"tasks has an entry of type {type(task).__name__}; give Task objects, as "
                "read_tasks returns them."
            )
        if task.name in names:
            raise ValueError(f"Two tasks are named {task.name!r}; rename one.")
        names.add(task.name)
        make_probe(probe, task.kind)
        if checked_folds(task, splits, n_folds):
            yield task
        else:
            skipped[task.name] = (
                "it has no positions of single substitutions, which the splits "
                f"{', '.join(map(repr, splits))} need"
            )
    if not names:
        raise ValueError("There are no tasks to score; give at least one.")
    if len(skipped) == len(names):
        raise ValueError(
            f"No task has the positions of single substitutions that the splits "
            f"{', '.join(map(repr, splits))} need; add 'random'."
        )
    warn_of_skipped(skipped)


def _score_task(
    task, embedder, distiller, n_jobs, verbose, representations, fitted_on, splits, n_folds, probe
):
    """Return the rows of one task, in a table."""
    folds_of = checked_folds(task, splits, n_folds)
    probe, embedder = make_probe(probe, task.kind), comparing(embedder, task)
    names = check_models(task, embedder, distiller)
    X = embed_task(task, embedder).astype(np.float64)
    if "model_names_" in vars(distiller):
        sizes = Sizes.of_fitted(distiller)
    else:
        sizes = Sizes.of_unfitted(distiller, names, X.shape[1])
        fitted_on = tuple(data for data in fitted_on if data != "natural")
    natural = Maps(X, sizes, distiller, vars(distiller).get("moments_"))
    listed = [
        each
        for each in list_representations(len(sizes.models), representations, fitted_on)
        if each.fitted_on != "natural" or each.name == "distilled" or natural.moments is not None
    ]
    model_free = ModelFree(task)
    asked = [name for name in model_free.names if name in representations]
    listed += [Representation(-1, name, "fold" if task.residue is None else "") for name in asked]
    subsets = _subsets(task)
    rows = []
    for split, folds in folds_of.items():
        scored = score_folds(
            natural,
            listed,
            folds,
            probe,
            task.target,
            task.groups(),
            task.metric,
            subsets,
            model_free=model_free,
            n_jobs=n_jobs,
            progress=f"{task.name}, {split}" if verbose else None,
        )
        rows += [(task.name, task.rows, task.metric, split, *row) for row in scored]
    return pd.DataFrame(rows, columns=COLUMNS)


def _subsets(task):
    """Return masks of all rows and, if numbers of substitutions differ, of each number."""
    subsets = {"all": np.ones(len(task.target), bool)}
    if task.n_mutations is not None and task.n_mutations.max() > 1:
        for count in range(1, 5):
            subsets[str(count)] = task.n_mutations == count
        subsets["5+"] = task.n_mutations >= 5
    return subsets
