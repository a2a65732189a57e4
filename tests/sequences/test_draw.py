"""Natural proteins drawn at random: uniformly, whatever the order of the records."""

from collections import Counter

import numpy as np
import pytest

from sklearn_revdist.sequences._draw import draw_proteins


@pytest.fixture
def proteins(rng):
    return ["".join(letters) for letters in rng.choice(list("ACDEFGHIKL"), (30, 20))]


def test_each_standard_protein_is_there_once(proteins):
    others = [*("ACX", "AC1", "AX-C", "A.C", "A" * 1023, "", "*"), f" {proteins[1]}*"]
    draw = draw_proteins([*proteins, proteins[0].lower(), *others], 100)
    assert sorted(draw.proteins) == sorted(proteins)
    assert (draw.n_records, draw.n_stops) == (39, 2)
    assert draw.left_out == {
        "with other letters than the 20 standard ones": 2,
        "with gaps": 2,
        "of more than 1022 residues": 1,
        "without residues": 2,
        "that repeat one of these": 2,
    }
    begin = "30 proteins drawn from 39 records, without "
    assert str(draw).startswith(begin)
    assert str(draw).endswith(", 2 that repeat one of these; a final * was dropped from 2")
    assert str(draw_proteins(proteins, 9)) == "9 proteins drawn from 30 records"


def test_the_draw_depends_on_the_proteins_and_the_seed_alone(proteins, rng):
    draw = draw_proteins(proteins, 10)
    assert len(set(draw.proteins)) == 10
    assert set(draw.proteins) <= set(proteins)
    for _ in range(20):
        again = [*proteins, *rng.choice(proteins, 20)]
        rng.shuffle(again)
        found = draw_proteins(again, 10)
        assert found.proteins == draw.proteins
        more = Counter(again)
        repeats = sum(more[protein] - 1 for protein in draw.proteins)
        assert found.left_out.get("that repeat one of these", 0) == repeats
    assert draw_proteins(proteins, 10, seed=1).proteins != draw.proteins
    assert draw_proteins(proteins, 4).proteins == draw.proteins[:4]


def test_every_protein_is_drawn_as_often(proteins):
    n_draws = 2000
    counts = Counter()
    for seed in range(n_draws):
        counts.update(draw_proteins(proteins, 6, seed).proteins)
    expected = n_draws * 6 / 30
    # of a uniform draw 29 degrees of freedom; seeds are fixed
    assert sum((counts[protein] - expected) ** 2 / expected for protein in proteins) < 60


def test_memory_is_that_of_what_is_drawn():
    import tracemalloc

    def stream():
        for i in range(20_000):
            number = np.base_repr(i, 16).translate(str.maketrans("0123456789B", "GHIKLMNPQRS"))
            yield number.rjust(200, "W")

    tracemalloc.start()
    draw = draw_proteins(stream(), 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (draw.n_records, len(draw.proteins), draw.left_out) == (20_000, 20, {})
    assert peak < 200 * 20_000 / 10


@pytest.mark.parametrize("sequences", [["AXA", "A" * 1023], []])
def test_records_without_such_proteins_are_refused(sequences):
    message = f"None of the {len(sequences)} proteins to fit on has at most 1022 residues"
    with pytest.raises(ValueError, match=message):
        draw_proteins(sequences, 10)
