"""What models of ESM-2 are given, an assay of a real protein, and a distiller of two models."""

import pytest

from sklearn_revdist import (
    ESMEmbedder,
    ReverseDistiller,
    load_if1_ecoli,
    load_secondary_structure,
    mutants_of,
    read_assay,
)
from sklearn_revdist.embedding import _esm2


@pytest.fixture
def embedded(monkeypatch):
    """Tokens of each sequence that a model is given."""
    given = []
    forward = _esm2.ESM2.forward

    def noted(self, sequences, layers):
        given.extend(bytes(bytearray(int(token) for token in tokens)) for tokens in sequences)
        return forward(self, sequences, layers)

    monkeypatch.setattr(_esm2.ESM2, "forward", noted)
    return given


@pytest.fixture(scope="session")
def scan():
    """Variants of a protein of 72 residues, and measurements."""
    return load_if1_ecoli()


@pytest.fixture(scope="session")
def assay(scan, tmp_path_factory):
    """Every 20th of them, as an assay."""
    path = tmp_path_factory.mktemp("assay") / "if1.csv"
    mutants = mutants_of(scan.wild_type, scan.data[::20])
    rows = [f"{mutant},{y}" for mutant, y in zip(mutants, scan.target[::20], strict=True)]
    path.write_text("\n".join(["mutant,DMS_score", *rows]))
    return read_assay(path, reference=scan.wild_type)


@pytest.fixture(scope="session")
def distiller():
    """A distiller of two models, fitted on residues of natural proteins."""
    proteins = load_secondary_structure().data[:15]
    return ReverseDistiller().fit_residues(proteins, ESMEmbedder(["demo-48", "demo-96"]))
