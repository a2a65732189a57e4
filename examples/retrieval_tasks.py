"""The tasks of `retrieval.py`: what is known of a database, and asked of queries."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_revdist import ESMEmbedder, ReverseDistiller, read_fasta

STANDARD = re.compile("[ACDEFGHIKLMNPQRSTVWY]{20,1022}")
SUBSTITUTIONS = str.maketrans("UZOBJ", "CEKDL")
# Proteins and residues of each of the secondary structure task.
N_PROTEINS, N_RESIDUES = {"known": 300, "asked": 120}, 30
# Real ESM-2 8M embeddings of peptides.
PEPTIDES = {
    "bitter peptides": ["bitter_train", "bitter_test"],
    "toxic peptides": ["test_580"],
    "anticancer peptides": ["main_ACP_test"],
}


class Part(NamedTuple):
    """Proteins or residues, and what is to be known of them.

    Attributes
    ----------
    sequences : list of str or None
        None if there are only embeddings.
    labels : ndarray of shape (n_rows,)
    groups : ndarray of shape (n_rows,)
        What is resampled for intervals: the protein.
    """

    sequences: list[str] | None
    labels: np.ndarray
    groups: np.ndarray


class Embedded(NamedTuple):
    """A task with its embeddings.

    Attributes
    ----------
    known, asked : Part
    X, Q : ndarray of shape (n_rows, n_features), float64
        Blocks of columns of each model of the chain, side by side.
    distiller : ReverseDistiller or None
        None if there is one model.
    widths : list of int
        Numbers of columns of the models.
    """

    known: Part
    asked: Part
    X: np.ndarray
    Q: np.ndarray
    distiller: ReverseDistiller | None
    widths: list[int]


def localisation(data):
    """DeepLoc 1.0: the validation part of its training set, by its test set; ten classes."""
    folder = data / "localisation"
    return tuple(
        proteins(
            (header.split()[1].rpartition("-")[0], sequence)
            for header, sequence in records(folder / f"deeploc_{name}_set.fasta.gz")
            if not header.split()[1].startswith("Cytoplasm-Nucleus")
        )
        for name in ("test", "our_val")
    )


def signal_peptides(data):
    """SignalP 6 by TMbed: five classes; the last of its three partitions by the others."""
    known, asked = [], []
    for header, sequence in records(data / "sequences" / "tmbed_all_seq.fasta.gz"):
        fields = header.split("|")
        if len(fields) == 4:  # others are of known structure, with another header
            (asked if fields[3] == "2" else known).append((fields[2], sequence))
    return proteins(known), proteins(asked)


def metal_binding(data):
    """Whether a protein binds a metal ion; by the split of Hu et al. 2022."""
    tables = [
        pd.read_csv(
            data / "metal" / f"mib_hu2022_{name}.tsv.gz", sep="\t", names=["sequence", "label"]
        )
        for name in ("train", "test")
    ]
    return tuple(proteins(zip(t["label"].astype(str), t["sequence"], strict=True)) for t in tables)


def orthologues(data):
    """Proteins of E. coli, by those of Synechocystis whose gene has the same name."""
    folder = data / "sequences" / "uniprot_proteomes"
    known, asked = (
        proteins(
            (found[1], sequence)
            for header, sequence in records(folder / f"{name}.fasta.gz")
            for found in [re.search(r"GN=(\S+)", header)]
            if found
        )
        for name in ("UP000001425-Synechocystis", "UP000000625-E.coli")
    )
    pairs = zip(asked.labels, asked.sequences, strict=True)
    return known, proteins(pair for pair in pairs if pair[0] in set(known.labels))


def secondary_structure(data):
    """Residues of proteins of 25 % identity at most (NetSurfP-2.0); three states."""
    folder = data / "secondary_structure"
    sequences, mask = (
        {header.split()[0]: text for header, text in records(folder / f"flip_ss3_{name}.fasta.gz")}
        for name in ("sequences", "mask")
    )
    parts = {"known": {}, "asked": {}}
    for header, states in records(folder / "flip_ss3_sampled.fasta.gz"):
        name, sequence = header.split()[0], sequences[header.split()[0]]
        if STANDARD.fullmatch(sequence) and 50 <= len(sequence) <= 500:
            if "SET=test" in header:
                parts["asked"][name] = states
            elif "VALIDATION=False" in header:
                parts["known"][name] = states
    rng = np.random.default_rng(0)
    for part, of_proteins in parts.items():
        chosen = rng.choice(sorted(of_proteins), N_PROTEINS[part], replace=False)
        rows = [
            (sequences[name], np.sort(rng.choice(resolved, N_RESIDUES, replace=False)), name)
            for name in chosen
            for resolved in [np.flatnonzero(np.array(list(mask[name])) == "1")]
            if len(resolved) >= N_RESIDUES
        ]
        labels = [of_proteins[name][i] for _, residues, name in rows for i in residues]
        groups = np.repeat([name for *_, name in rows], N_RESIDUES)
        yield Part([row[:2] for row in rows], np.array(labels), groups)


SEQUENCE_TASKS = {
    "localisation": localisation,
    "signal peptides": signal_peptides,
    "metal binding": metal_binding,
    "orthologues": orthologues,
    "secondary structure": secondary_structure,
}


def embedded_tasks(data: Path, cache: Path):
    """Yield the names of tasks, and functions that embed them or read what was embedded."""
    for name, read in SEQUENCE_TASKS.items():
        yield name, lambda name=name, read=read: of_demo_chain(name, *read(data), cache)
    if (cache / "receptors.npz").exists():
        yield "receptors", lambda: receptors(cache)
    for name, files in PEPTIDES.items():
        yield name, lambda files=files: peptides(data, files)
    yield "TEM-1", lambda: lactamase(data)
    yield "GB1", lambda: protein_g(data)


def of_demo_chain(name, known, asked, cache):
    """A task of proteins or residues, embedded by the demo chain."""
    path = cache / f"{name.replace(' ', '_')}.npy"
    if path.exists():
        X = np.load(path)
    else:
        embedder = ESMEmbedder("demo")
        rows = known.sequences + asked.sequences
        if isinstance(rows[0], tuple):
            residues = [
                next(embedder.iter_residues([sequence]))[0][chosen] for sequence, chosen in rows
            ]
            X = np.vstack(residues)
        else:
            X = embedder.transform(rows)
        np.save(path, X)
    X, n = X.astype(np.float64), len(known.labels)
    distiller = ReverseDistiller.from_pretrained("demo")
    return Embedded(known, asked, X[:n], X[n:], distiller, [48, 96, 160])


def receptors(cache):
    """T-cell receptors by SCEPTR: epitopes of one half of each, by the other."""
    file = np.load(cache / "receptors.npz")
    X, labels, widths = file["X"].astype(np.float64), file["epitope"], [16, 32, 64, 128]
    is_known = np.arange(len(X)) % 2 == 0
    known, asked = (Part(None, labels[i], np.flatnonzero(i)) for i in (is_known, ~is_known))
    distiller = ReverseDistiller(widths).fit(X[is_known])
    return Embedded(known, asked, X[is_known], X[~is_known], distiller, widths)


def peptides(data, files):
    """Peptides of two classes: those of a test file, or every third."""
    parts = [np.load(data / "embeddings" / f"unidl4biopep_{file}_esm2_8m.npz") for file in files]
    X, labels = (np.concatenate([part[key] for part in parts]) for key in ("X", "label"))
    is_asked = np.repeat(np.arange(len(parts)), [len(part["X"]) for part in parts]) == 1
    if len(parts) == 1:
        is_asked = np.random.default_rng(0).permutation(len(X)) % 3 == 0
    return of_one_model(X, labels, is_asked)


def lactamase(data):
    """Fitness of TEM-1 variants; two of five blocks of neighbouring positions by the others."""
    file = np.load(data / "embeddings" / "tem1_esm2_8m_mean.npz")
    block = (file["pos"] - file["pos"].min()) * 5 // (np.ptp(file["pos"]) + 1)
    return of_one_model(file["emb"], file["fitness"].astype(float), np.isin(block, [1, 3]))


def protein_g(data):
    """Fitness of GB1 variants; the validation part of FLIP's three_vs_rest by its training part."""
    file = np.load(data / "embeddings" / "schmirler_gb1_esm2_8m_mean.npz")
    X = np.vstack([file["X_train"], file["X_valid"]])
    y = np.concatenate([file["y_train"], file["y_valid"]]).astype(float)
    return of_one_model(X, y, np.arange(len(X)) >= len(file["X_train"]))


def of_one_model(X, labels, is_asked):
    X = X.astype(np.float64)
    known, asked = (Part(None, labels[i], np.flatnonzero(i)) for i in (~is_asked, is_asked))
    return Embedded(known, asked, X[~is_asked], X[is_asked], None, [X.shape[1]])


def records(path: Path):
    """Headers and sequences of a file."""
    return zip(*read_fasta(path), strict=True)


def proteins(pairs):
    """Pairs of a label and a sequence; those that models cannot embed whole are left out."""
    kept = {}
    for label, sequence in pairs:
        sequence = sequence.upper().translate(SUBSTITUTIONS)
        if STANDARD.fullmatch(sequence):
            kept.setdefault(sequence, label)
    labels = np.array(list(kept.values()))
    return Part(list(kept), labels, np.arange(len(labels)))
