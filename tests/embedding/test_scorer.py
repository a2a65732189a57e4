"""Scores are sums of fair-esm's log-probabilities, of each kind by its definition."""

import re

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline

from sklearn_revdist import EmbeddingStore, ESMEmbedder, ESMScorer
from sklearn_revdist.embedding._scorer import KINDS
from sklearn_revdist.sequences._tokens import TOKENS

WILD_TYPE = "MKTAYIAKQRQISF"
VARIANTS = [WILD_TYPE, "MKTAYIAKQRQISA", "AKTAYIWKQRQISF", "MKTAYIWKQRQISF", WILD_TYPE.lower()]
INDELS = ["MKTAYIAKQRQIF", "MKTAYIAKQRQIWSF"]


@pytest.fixture(params=["random", "demo"])
def path(request, tmp_path, write_checkpoint):
    if request.param == "demo":
        from sklearn_revdist.embedding._checkpoints import locate
        from sklearn_revdist.utils._models import DEMO

        return locate(DEMO[0])
    return write_checkpoint(tmp_path / "m.pt", seed=3)


def masked(sequence, i):
    return sequence[:i] + "<mask>" + sequence[i + 1 :]


def token(letter):
    return TOKENS.index(letter)


def marginal(logs, variant):
    """Sum of log-ratios, from the log-probabilities at each position."""
    pairs = enumerate(zip(variant.upper(), WILD_TYPE, strict=True))
    return sum(logs[i][token(a)] - logs[i][token(b)] for i, (a, b) in pairs if a != b)


def likelihood(logs, sequence):
    return sum(logs[i][token(letter)] for i, letter in enumerate(sequence))


def logs_of(fair_esm, path, sequence, *, is_masked):
    """Log-probabilities at each position, masked there or not, in both precisions."""
    if not is_masked:
        return fair_esm.logits(path, sequence).map(lambda x: log_softmax(x, axis=-1))
    each = [
        fair_esm.logits(path, masked(sequence, i)).map(lambda x, i=i: log_softmax(x[i], axis=-1))
        for i in range(len(sequence))
    ]
    return type(each[0])(*map(np.stack, zip(*each, strict=True)))


def test_the_head_of_a_hugging_face_folder_is_its_own(tmp_path):
    families = pytest.importorskip("families", reason="needs the extra transformers")
    families.esm2(tmp_path)
    model = families.transformers.EsmForMaskedLM.from_pretrained(tmp_path).eval()

    def logs(sequence):
        tokens = torch.tensor([families.FAMILIES["esm2"].ids(sequence)])
        at = [*range(1, tokens.shape[1] - 1)]
        each = tokens.repeat(len(at), 1)
        each[range(len(at)), at] = TOKENS.index("<mask>")
        with torch.inference_mode():
            return model(each, torch.ones_like(each)).logits[range(len(at)), at].log_softmax(-1)

    wild_type = logs(WILD_TYPE)
    variants = [variant.upper() for variant in VARIANTS]
    expected = [
        [marginal(wild_type, v), likelihood(logs(v), v) - likelihood(wild_type, WILD_TYPE)]
        for v in variants
    ]
    kinds = ["masked_marginals", "pseudo_log_likelihood"]
    found = ESMScorer([str(tmp_path)], kinds=kinds, reference=WILD_TYPE).transform(variants)
    np.testing.assert_allclose(found, np.array(expected, dtype=float), rtol=1e-3, atol=1e-3)


def test_each_kind_equals_its_definition(path, fair_esm):
    found = ESMScorer([str(path)], kinds=list(KINDS), reference=WILD_TYPE).transform(VARIANTS)
    assert found.dtype == np.float64
    for column, is_masked in ((0, True), (1, False)):
        logs = logs_of(fair_esm, path, WILD_TYPE, is_masked=is_masked)
        expected = logs.map(lambda x: np.array([marginal(x, variant) for variant in VARIANTS]))
        expected.assert_matched(found[:, column])
    each = [logs_of(fair_esm, path, v.upper(), is_masked=True) for v in VARIANTS]
    expected = type(each[0])(
        *(
            np.array([likelihood(x, v.upper()) for x, v in zip(of, VARIANTS, strict=True)])
            for of in zip(*each, strict=True)
        )
    ).map(lambda x: x - x[0])
    scale = 60  # the likelihoods that are subtracted are as large
    assert np.abs(found[:, 2] - expected.double).max() < 1e-5 * scale
    assert (found[0] == 0).all()
    np.testing.assert_array_equal(found[4], found[0])


def test_insertions_and_deletions_are_scored_by_their_likelihood(path, fair_esm):
    scorer = ESMScorer([str(path)], kinds=["pseudo_log_likelihood"])
    found = scorer.transform([*INDELS, WILD_TYPE])[:, 0]
    for sequence, score in zip([*INDELS, WILD_TYPE], found, strict=True):
        logs = logs_of(fair_esm, path, sequence, is_masked=True)
        assert score == pytest.approx(likelihood(logs.double, sequence), rel=1e-5)
    against = scorer.set_params(reference=WILD_TYPE).transform(INDELS)[:, 0]
    np.testing.assert_allclose(against, found[:2] - found[2], rtol=0, atol=1e-5)


def test_substitutions_add_up_in_marginals():
    scorer = ESMScorer("demo", kinds=KINDS[:2], reference=WILD_TYPE)
    both, first, second = scorer.transform([VARIANTS[2], "AKTAYIAKQRQISF", VARIANTS[3]])
    np.testing.assert_allclose(both, first + second, rtol=0, atol=1e-9)


def test_of_a_long_protein_the_model_sees_a_window_around_the_position():
    long = WILD_TYPE * 3
    variants = [long[:i] + "W" + long[i + 1 :] for i in (0, 20, 41)]
    found = ESMScorer("demo", reference=long, max_length=9).transform(variants)
    for variant, (start, at), row in zip(variants, [(0, 0), (16, 4), (33, 8)], found, strict=True):
        window = slice(start, start + 9)
        assert variant[window][at] == "W"
        alone = ESMScorer("demo", reference=long[window]).transform([variant[window]])
        np.testing.assert_allclose(row, alone[0], rtol=0, atol=1e-5)
    whole = ESMScorer("demo", reference=long, max_length=42).transform(variants)
    np.testing.assert_array_equal(whole, ESMScorer("demo", reference=long).transform(variants))


def test_what_a_store_has_is_not_computed_again(tmp_path, embedded):
    store = tmp_path / "s.sqlite"
    scorer = ESMScorer(["demo-48"], reference=WILD_TYPE, store=store)
    first = scorer.transform(VARIANTS)
    assert embedded == [14] * 3  # the wild type with a mask at each of three positions
    np.testing.assert_array_equal(scorer.transform(VARIANTS[:3]), first[:3])
    likelihoods = clone(scorer).set_params(kinds=["pseudo_log_likelihood"])
    second = likelihoods.transform(VARIANTS[:2])
    assert len(embedded) == 3 + 2 * 14
    np.testing.assert_array_equal(likelihoods.transform(VARIANTS[:2]), second)
    without = clone(likelihoods).set_params(store=None).transform(VARIANTS[:2])
    np.testing.assert_array_equal(without, second)
    with EmbeddingStore(store) as kept:
        assert set(kept.contents()["pooling"]) == {"masked", "pseudo_log_likelihood"}


def test_a_store_of_half_precision_rounds_no_likelihood(tmp_path):
    EmbeddingStore.create(tmp_path / "half.sqlite", dtype="float16").close()
    scorer = ESMScorer(["demo-48"], kinds=["pseudo_log_likelihood"], reference=WILD_TYPE)
    expected = scorer.transform(VARIANTS)
    found = clone(scorer).set_params(store=tmp_path / "half.sqlite").transform(VARIANTS)
    np.testing.assert_array_equal(found, expected)


def test_the_head_of_a_model_is_read_once(monkeypatch):
    from sklearn_revdist.embedding import _esm2

    made = []
    monkeypatch.setattr("sklearn_revdist.embedding._scorer._AT_A_TIME", 1)
    init = _esm2.Head.__init__
    monkeypatch.setattr(_esm2.Head, "__init__", lambda self, e: made.append(e) or init(self, e))
    ESMScorer("demo", kinds=KINDS, reference=WILD_TYPE).transform(VARIANTS)
    assert len(made) == 3


def test_beside_the_embedder_in_a_union(rng):
    variants = [WILD_TYPE[:i] + a + WILD_TYPE[i + 1 :] for i in range(14) for a in "ACD"]
    y = rng.normal(size=len(variants))
    scorer = ESMScorer("demo", reference=WILD_TYPE)
    union = FeatureUnion([("scores", scorer), ("means", ESMEmbedder("demo"))])
    X = union.set_output(transform="pandas").fit_transform(variants)
    assert X.shape == (42, 3 + 304)
    assert X.columns[0] == "scores__esm2_t3_100K_demo_masked_marginals"
    assert np.isfinite(cross_val_score(make_pipeline(union, Ridge()), variants, y, cv=3)).all()
    assert clone(scorer).fingerprint() == scorer.fingerprint()
    assert scorer.fingerprint() != clone(scorer).set_params(kinds=KINDS[:2]).fingerprint()


@pytest.mark.parametrize(
    ("parameters", "sequences", "message"),
    [
        ({"reference": None}, VARIANTS, "wild type, which is missing; give its sequence"),
        ({}, [WILD_TYPE, "MKT"], r"Record 1 .* 3 residues, but the wild type has 14; .* alone\."),
        ({}, [WILD_TYPE[:-1] + "<mask>"], r"Record 0 \(counting from 0\) has a mask"),
        ({"kinds": []}, VARIANTS, "must be one or more of 'masked_marginals'"),
        ({"kinds": ["marginals"]}, VARIANTS, r"kinds=\['marginals'\] must be"),
        ({"reference": "MK1"}, ["MKT"], r"The wild type \(`reference`\) has '1'"),
    ],
)
def test_what_cannot_be_scored_is_refused(parameters, sequences, message, embedded):
    scorer = ESMScorer("demo", **{"reference": WILD_TYPE, **parameters})
    with pytest.raises(ValueError, match=message) as raised:
        scorer.transform(sequences)
    assert re.fullmatch(r"[^\n]+\.", str(raised.value))
    with pytest.raises(ValueError, match=message):
        scorer.fit(sequences)
    assert not embedded


def test_a_checkpoint_without_a_head_is_named(tmp_path, tiny, load):
    content = load(tiny)
    del content["model"]["encoder.lm_head.dense.weight"]
    torch.save(content, tmp_path / "headless.pt")
    scorer = ESMScorer([str(tmp_path / "headless.pt")], reference=WILD_TYPE)
    with pytest.raises(ValueError, match=r"headless\.pt' has no head that predicts residues"):
        scorer.transform(VARIANTS)
    ESMEmbedder([str(tmp_path / "headless.pt")]).transform(VARIANTS)  # needs none
