"""Datasets: measured protein fitness that travels with the package."""

import csv
import gzip
from importlib import resources

import numpy as np
import pandas as pd
from sklearn.utils import Bunch


def load_if1_ecoli(*, return_X_y=False, as_frame=False):
    """Load the deep mutational scan IF1_ECOLI_Kelsic_2016 (regression).

    All single amino-acid substitutions but one of translation initiation factor IF-1 of
    *Escherichia coli*, with the fitness of the cells that carry them.

    =================  ========================
    Samples            1,367
    Input              sequences of 72 residues
    Target             real, -0.2435 to 1.12
    =================  ========================

    Read more in the :ref:`User Guide <if1_ecoli>`.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    as_frame : bool, default=False
        Give `data` as a DataFrame with the column "sequence" and `target` as a Series.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the following attributes.

        data : ndarray of shape (1367,), dtype object, or DataFrame of shape (1367, 1)
            Mutated sequences.
        target : ndarray of shape (1367,), dtype float64, or Series
            Fitness in rich medium, unitless; larger is fitter.
        mutant : ndarray of shape (1367,), dtype object
            Substitutions, such as "M1H"; positions count from 1.
        wild_type : str
            Sequence without substitution.
        frame : DataFrame of shape (1367, 2) or None
            `data` and `target` side by side; only with ``as_frame=True``.
        feature_names : list of str
            ``["sequence"]``.
        target_names : list of str
            ``["DMS_score"]``, ProteinGym's name for what an assay measures.
        DESCR : str
            Description, source, licence and references.
        filename : str
            Path of the file inside `data_module`.
        data_module : str
            Package that holds the file.

    (data, target) : tuple if ``return_X_y=True``
        The first two attributes.

    References
    ----------
    .. [1] Kelsic et al. (2016). RNA structural determinants of optimal codons revealed by
       MAGE-seq. Cell Systems 3(6), 563-571.
    .. [2] Notin et al. (2023). ProteinGym: large-scale benchmarks for protein fitness
       prediction and design. Advances in Neural Information Processing Systems 36.

    Examples
    --------
    >>> from sklearn_revdist import load_if1_ecoli
    >>> assay = load_if1_ecoli()
    >>> assay.mutant[0], assay.data[0][:8], float(assay.target[0])
    ('M1H', 'HAKEDNIE', 0.1475)
    >>> assay.wild_type[:8]
    'MAKEDNIE'
    """
    name = "IF1_ECOLI_Kelsic_2016"
    bundled = resources.files(__package__) / "bundled"
    with (bundled / f"{name}.csv.gz").open("rb") as packed, gzip.open(packed, "rt") as file:
        _, *rows = csv.reader(file)
    mutant, sequence, score = (np.array(column, dtype=object) for column in zip(*rows, strict=True))
    data, target, frame = sequence, score.astype(np.float64), None
    if as_frame:
        frame = pd.DataFrame({"sequence": sequence, "DMS_score": target})
        data, target = frame[["sequence"]], frame["DMS_score"]
    if return_X_y:
        return data, target

    return Bunch(
        data=data,
        target=target,
        mutant=mutant,
        wild_type=_undo(mutant[0], sequence[0]),
        frame=frame,
        feature_names=["sequence"],
        target_names=["DMS_score"],
        DESCR=bundled.joinpath(f"{name}.rst").read_text(encoding="utf-8"),
        filename=f"bundled/{name}.csv.gz",
        data_module=__package__,
    )


def _undo(mutant, sequence):
    """Sequence before the substitution `mutant`."""
    position = int(mutant[1:-1])
    return sequence[: position - 1] + mutant[0] + sequence[position:]
