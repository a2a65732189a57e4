"""Poolings: each equals its definition on fair-esm's rows; the linear ones commute with a chain."""

import re

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_revdist import ESMEmbedder, ReverseDistiller
from sklearn_revdist.embedding._pooling import POOLINGS

WILD_TYPE = "MKTAYIAKQRQISFVKSHFSRQ"
VARIANTS = [WILD_TYPE, "MKTAYIAKQRQISFVKSHFSRA", "AKTAYIWKQRQISFVKSHFSRQ", WILD_TYPE.lower()]
SITES = [range(22), [21], [0, 6], range(22)]


@pytest.fixture
def chain(tmp_path, write_checkpoint):
    """Paths of two small models of unequal depth."""
    shapes = [("a", 1, 12), ("b", 3, 24)]
    return [str(write_checkpoint(tmp_path / f"{n}.pt", k, w, 3, seed=w)) for n, k, w in shapes]


def median(rows):
    return np.median(rows, axis=0)


def expected_of(pooling, fair_esm, path, sequence, sites, layer):
    """Pool by the definition."""

    def of(rows, wild_type):
        residues, original = rows[1:-1], wild_type[1:-1]
        match pooling:
            case "mean":
                return residues.mean(0)
            case "max":
                return residues.max(0)
            case "cls" | "eos":
                return rows[0 if pooling == "cls" else -1]
            case "sites":
                return residues[list(sites)].mean(0)
            case "sites_difference":
                return (residues - original)[list(sites)].mean(0)
            case list():
                return residues[[position - 1 for position in pooling]].mean(0)
        return pooling(residues)

    rows = fair_esm.tokens([path], sequence.upper(), layer)
    original = fair_esm.tokens([path], WILD_TYPE, layer)
    return type(rows)(*map(of, rows, original))


@pytest.mark.parametrize("layer", [0, 0.5, -1])
@pytest.mark.parametrize("pooling", [*POOLINGS, [3], [22, 1, 7], median])
def test_equals_its_definition_on_fair_esms_rows(chain, fair_esm, reference, pooling, layer):
    embedder = ESMEmbedder(chain, layer=layer, pooling=pooling, reference=WILD_TYPE)
    found = embedder.transform(VARIANTS)
    columns = np.split(found, [12], axis=1)
    depths = [0, 0] if layer == 0 else [None, None] if layer == -1 else [1, 2]
    if layer == 0.5:
        depths[0] = None  # half of one layer is that one
    for path, depth, block in zip(chain, depths, columns, strict=True):
        rows = [
            expected_of(pooling, fair_esm, path, sequence, sites, depth)
            for sequence, sites in zip(VARIANTS, SITES, strict=True)
        ]
        stacked = reference(*(np.stack(part) for part in zip(*rows, strict=True)))
        stacked.assert_matched(block)
    np.testing.assert_array_equal(found[0], found[3])


def test_several_poolings_stand_side_by_side_within_each_model(chain):
    several = ["sites", median, [1, 2], "mean"]
    found = ESMEmbedder(chain, pooling=several, reference=WILD_TYPE)
    names = found.get_feature_names_out()
    assert names[[0, 47, 48, -1]].tolist() == [
        "a_sites_median_positions_mean_0",
        "a_sites_median_positions_mean_47",
        "b_sites_median_positions_mean_0",
        "b_sites_median_positions_mean_95",
    ]
    each = [
        ESMEmbedder(chain, pooling=pooling, reference=WILD_TYPE).transform(VARIANTS)
        for pooling in several
    ]
    blocks = [x[:, :12] for x in each] + [x[:, 12:] for x in each]
    np.testing.assert_array_equal(found.transform(VARIANTS), np.hstack(blocks))


@pytest.mark.parametrize(
    "positions", [np.array([3, 5, 4]), (3, 4, 5), range(3, 6), [np.int32(3), 4, 5], [[3, 4, 5]]]
)
def test_positions_may_be_any_array_like(chain, positions):
    embedder = ESMEmbedder(chain, pooling=positions)
    expected = ESMEmbedder(chain, pooling=[3, 4, 5])
    np.testing.assert_array_equal(embedder.transform(VARIANTS), expected.transform(VARIANTS))
    assert clone(embedder).fingerprint() == expected.fingerprint()


@pytest.mark.parametrize(
    ("pooling", "name"),
    [
        ("mean", "b_0"),
        ("sites", "b_0"),
        ([1, 2], "b_0"),
        ("max", "b_max_0"),
        ("cls", "b_cls_0"),
        ("sites_difference", "b_sites_difference_0"),
        (median, "b_median_0"),
    ],
)
def test_only_a_mean_over_residues_has_the_names_of_residues(chain, pooling, name):
    embedder = ESMEmbedder(chain[1:], pooling=pooling, reference=WILD_TYPE)
    assert embedder.get_feature_names_out()[0] == name
    assert embedder.residue_feature_names()[0] == "b_0"
    embedder.set_params(layer=2)
    assert embedder.get_feature_names_out()[0] == name.replace("b", "b_layer2", 1)
    assert embedder.residue_feature_names()[0] == "b_layer2_0"


@pytest.mark.parametrize("layer", [-1, 0.5])
def test_linear_poolings_commute_with_distillation(chain, layer):
    """Of a mean of residues exactly, of a difference up to the map's constant, of max not."""
    embedder = ESMEmbedder(chain, layer=layer, reference=WILD_TYPE)
    others = ["".join(np.random.default_rng(i).permutation(list(WILD_TYPE))) for i in range(9)]
    distiller = ReverseDistiller().fit_residues(others, embedder)

    def distilled(pooling, sequences=VARIANTS[1:3]):
        X = embedder.set_params(pooling=pooling).transform(sequences)
        with np.errstate(all="ignore"):
            return distiller.transform(X.astype(np.float64))

    rows, index = (
        np.concatenate(part) for part in zip(*embedder.iter_residues(VARIANTS[1:3]), strict=True)
    )
    rows = distiller.transform(rows.astype(np.float64))
    of_each = [rows[index == i] for i in range(2)]
    sites = [of[list(at)] for of, at in zip(of_each, SITES[1:3], strict=True)]
    for pooling, expected in [
        ("mean", of_each),
        ("sites", sites),
        ([5, 9], [r[[4, 8]] for r in of_each]),
    ]:
        means = np.stack([r.mean(0) for r in expected])
        np.testing.assert_allclose(distilled(pooling), means, rtol=0, atol=1e-5)

    (wild_type,) = (
        np.concatenate(p) for p in [[b for b, _ in embedder.iter_residues([WILD_TYPE])]]
    )
    wild_type = distiller.transform(wild_type.astype(np.float64))
    differences = np.stack(
        [(of - wild_type)[list(at)].mean(0) for of, at in zip(of_each, SITES[1:3], strict=True)]
    )
    constant = distiller.transform(np.zeros((1, rows.shape[1] + 12)))
    np.testing.assert_allclose(
        distilled("sites_difference"), differences + constant, rtol=0, atol=1e-5
    )

    maxima = np.stack([r.max(0) for r in of_each])
    assert np.abs(distilled("max") - maxima)[:, 12:].max() > 0.1


def test_a_sequence_is_pooled_alike_whatever_stands_beside_it(chain):
    for pooling in [*POOLINGS, median]:
        embedder = ESMEmbedder(chain, pooling=pooling, reference=WILD_TYPE, batch_tokens=30)
        together = embedder.transform(VARIANTS)
        for sequence, row in zip(VARIANTS, together, strict=True):
            alone = embedder.transform([sequence])[0]
            np.testing.assert_allclose(alone, row, rtol=0, atol=1e-5)


def test_the_wild_type_differs_by_exactly_nothing(chain):
    embedder = ESMEmbedder(chain, pooling="sites_difference", reference=WILD_TYPE)
    assert not embedder.transform([WILD_TYPE, VARIANTS[1]])[0].any()


def test_of_windows_residues_are_pooled_after_they_are_joined(chain):
    embedder = ESMEmbedder(chain, max_length=8, reference=WILD_TYPE)
    rows = np.concatenate([block for block, _ in embedder.iter_residues([VARIANTS[2]])])
    original = np.concatenate([block for block, _ in embedder.iter_residues([WILD_TYPE])])
    expected = {
        "mean": rows.mean(0),
        "max": rows.max(0),
        "sites": rows[[0, 6]].mean(0),
        "sites_difference": (rows - original)[[0, 6]].mean(0),
    }
    for pooling, row in expected.items():
        found = embedder.set_params(pooling=pooling).transform(VARIANTS[2:3])[0]
        np.testing.assert_allclose(found, row, rtol=0, atol=1e-5)
    windows = [VARIANTS[2][start : start + 8] for start in (0, 3, 7, 10, 14)]
    for pooling in ("cls", "eos"):
        alone = ESMEmbedder(chain, pooling=pooling).transform(windows)
        found = embedder.set_params(pooling=pooling).transform(VARIANTS[2:3])[0]
        np.testing.assert_allclose(found, alone.mean(0), rtol=0, atol=1e-5)


def test_what_was_cut_is_not_compared(chain):
    embedder = ESMEmbedder(
        chain, max_length=10, long="truncate", pooling="sites_difference", reference=WILD_TYPE
    )
    with pytest.warns(UserWarning, match="exceed max_length=10"):
        found = embedder.transform([VARIANTS[2], WILD_TYPE])
    short = ESMEmbedder(chain, pooling="sites_difference", reference=WILD_TYPE[:10])
    np.testing.assert_allclose(
        found, short.transform([VARIANTS[2][:10], WILD_TYPE[:10]]), atol=1e-5
    )
    message = r"Record 0 .* only after residue 10, where it was truncated"
    with pytest.raises(ValueError, match=message):
        embedder.transform([VARIANTS[1]])


@pytest.mark.parametrize(
    ("parameters", "sequences", "message"),
    [
        (
            {"pooling": "sites"},
            VARIANTS,
            r"pooling='sites' compares .* give its sequence \(`reference`\)",
        ),
        (
            {"pooling": "sites", "reference": WILD_TYPE},
            [WILD_TYPE, WILD_TYPE[1:]],
            r"Record 1 \(counting from 0\) has 21 residues, but the wild type has 22",
        ),
        (
            {"pooling": ["mean", "sites_difference"], "reference": "A" * 22},
            [WILD_TYPE, "W" * 22],
            r"Record 1 \(counting from 0\) differs from the wild type at every position",
        ),
        (
            {"pooling": "sites", "reference": "MK1"},
            ["MKT"],
            r"The wild type \(`reference`\) has '1', which is not an amino acid, at position 3",
        ),
        ({"pooling": "median"}, VARIANTS, "pooling='median' is not one of 'mean', 'max'"),
        ({"pooling": [0, 3]}, VARIANTS, "position 0, but positions count from 1"),
        ({"pooling": [3, 3]}, VARIANTS, "position 3 twice"),
        ({"pooling": [23]}, VARIANTS, r"Record 0 .* 22 residues, so there is none at position 23"),
        ({"pooling": ["mean", "mean"]}, VARIANTS, r"pooling\[0\] and pooling\[1\] are the same"),
        ({"pooling": lambda rows: rows}, VARIANTS, "must return 12 numbers"),
        (
            {"pooling": lambda rows: rows[0] * np.nan},
            VARIANTS,
            r"pooling by lambda gives values that are not finite for record 0",
        ),
    ],
)
def test_what_cannot_be_pooled_is_refused(chain, embedded, parameters, sequences, message):
    with pytest.raises(ValueError, match=message) as raised:
        ESMEmbedder(chain[:1], **parameters).transform(sequences)
    assert re.fullmatch(r"[^\n]+\.", str(raised.value))
    assert not embedded or "lambda" in message or "must return" in message
