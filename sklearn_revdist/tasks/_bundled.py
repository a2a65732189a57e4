"""Load the datasets that come with the package: measured properties of proteins."""

import csv
import gzip
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ..sequences._mutants import parse_mutant
from ..sequences._wild_type import undo
from ..utils._compat import StrOptions, validate_params

_BUNDLED = resources.files("sklearn_revdist") / "bundled"


@validate_params({"return_X_y": ["boolean"], "as_frame": ["boolean"]})
def load_if1_ecoli(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
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
        Return `data` as a DataFrame with the column "sequence" and `target` as a Series.

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
            Sequence without substitutions.
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
    mutant, sequence, score = _read_columns("IF1_ECOLI_Kelsic_2016")
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
        wild_type=undo(parse_mutant(mutant[0]), sequence[0], 1),
        frame=frame,
        feature_names=["sequence"],
        target_names=["DMS_score"],
        **_origin("IF1_ECOLI_Kelsic_2016"),
    )


@validate_params({"subset": [StrOptions({"train", "test"})], "return_X_y": ["boolean"]})
def load_secondary_structure(*, subset: str = "train", return_X_y: bool = False) -> Any:
    """Load chains of the PDB with the secondary structure of their residues (classification).

    A part of FLIP's task of three classes [1]_, from NetSurfP-2.0 [2]_.

    =================  ==============================
    Classes            H (helix), E (strand), C (coil)
    Samples            160 and 80 chains, of which 17,911 and 8,306 residues
    Input              sequences of 50 to 150 residues
    =================  ==============================

    Read more in the :ref:`User Guide <secondary_structure>`.

    Parameters
    ----------
    subset : {"train", "test"}, default="train"
        Which of FLIP's chains.

    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the following attributes.

        data : ndarray of shape (n_chains,), dtype object
            Sequences.
        target : ndarray of shape (n_chains,), dtype object
            Strings as long as the sequences, one letter per residue.
        resolved : list of ndarray of bool
            For each chain, which residues have a known structure; the others are labelled C.
        chain : ndarray of shape (n_chains,), dtype object
            Names, such as "1es5-A": entry and chain.
        target_names : list of str
            ``["C", "E", "H"]``.
        DESCR : str
            Description, source, licence and references.
        filename : str
            Path of the file inside `data_module`.
        data_module : str
            Package that holds the file.

    (data, target) : tuple if ``return_X_y=True``
        The first two attributes.

    Raises
    ------
    ValueError
        If `subset` is neither "train" nor "test".

    References
    ----------
    .. [1] Dallago et al. (2021). FLIP: Benchmark tasks in fitness landscape inference for
       proteins. Advances in Neural Information Processing Systems, Datasets and Benchmarks.
    .. [2] Klausen et al. (2019). NetSurfP-2.0: Improved prediction of protein structural
       features by integrated deep learning. Proteins 87(6), 520-527.

    Examples
    --------
    >>> from sklearn_revdist import load_secondary_structure
    >>> chains = load_secondary_structure(subset="test")
    >>> len(chains.data), chains.data[1][:12], chains.target[1][:12]
    (80, 'SDDDIMMYESAE', 'CHHHHHHHHHHH')
    """
    columns = _read_columns("FLIP_SS3_240")
    rows = columns[1] == subset
    chain, _, sequence, structure, resolved = (column[rows] for column in columns)
    if return_X_y:
        return sequence, structure

    return Bunch(
        data=sequence,
        target=structure,
        resolved=[np.array(list(mask)) == "1" for mask in resolved],
        chain=chain,
        target_names=["C", "E", "H"],
        **_origin("FLIP_SS3_240"),
    )


def _read_columns(name):
    """Read the columns of a bundled table, without its header."""
    with (_BUNDLED / f"{name}.csv.gz").open("rb") as packed, gzip.open(packed, "rt") as file:
        _, *rows = csv.reader(file)
    return [np.array(column, dtype=object) for column in zip(*rows, strict=True)]


def _origin(name):
    """Describe the file of a Bunch."""
    return {
        "DESCR": (_BUNDLED / f"{name}.rst").read_text(encoding="utf-8"),
        "filename": f"bundled/{name}.csv.gz",
        "data_module": __package__,
    }
