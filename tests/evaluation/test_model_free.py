"""Model-free baselines: which a task has, and that training rows alone determine them."""

import numpy as np
import pytest

from sklearn_revdist import (
    ESMEmbedder,
    KmerComposition,
    ReverseDistiller,
    SequenceOneHotEncoder,
    SiteMean,
    Task,
    evaluate,
    growth,
    load_if1_ecoli,
    mean_scores,
    prefix_scores,
    win_rates,
)
from sklearn_revdist.evaluation._model_free import MODEL_FREE, ModelFree

VARIANTS = ["MKTA", "MRTA", "MKTG", "MKTC", "MRTC", "AKTA"]
Y = np.arange(6.0)


def task_of(sequences=VARIANTS, target=Y, **columns):
    return Task("task", list(sequences), target, np.arange(len(target)), **columns)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (task_of(n_mutations=np.ones(6, int)), ["one_hot", "site_mean"]),
        (task_of(wild_type="MKTA"), ["one_hot", "site_mean"]),
        (task_of(target=np.array(list("ababab")), wild_type="MKTA"), ["one_hot"]),
        (task_of(), ["one_hot"]),
        (task_of([*VARIANTS[:-1], "MK"]), ["composition"]),
        (task_of([*VARIANTS[:-1], "MK<mask>A*"], wild_type="MKTA"), ["one_hot", "site_mean"]),
        (task_of([*VARIANTS[:-1], "MKT*"], wild_type="MKTA"), ["composition"]),
        (task_of(wild_type="MKTAY"), ["one_hot"]),
        (task_of(residue=np.zeros(6, int)), ["one_hot"]),
    ],
)
def test_baselines_suit_the_task(task, expected):
    assert ModelFree(task).names == expected


def test_columns_are_those_of_the_transformers_fitted_on_the_training_rows():
    task = task_of(wild_type="MKTA")
    train = np.array([0, 1, 2, 5])
    model_free = ModelFree(task)
    one_hot = SequenceOneHotEncoder().fit(np.array(VARIANTS)[train])
    assert np.array_equal(model_free.columns("one_hot", train), one_hot.transform(VARIANTS))
    site_mean = SiteMean("MKTA", cv=4)
    crossed = site_mean.fit_transform(np.array(VARIANTS)[train], Y[train])
    found = model_free.columns("site_mean", train)
    assert np.array_equal(found[train], crossed)
    assert np.array_equal(found[[3, 4]], site_mean.transform(VARIANTS)[[3, 4]])
    others = task_of([*VARIANTS[:-1], "MK"])
    composition = KmerComposition().transform(others.sequences)
    assert np.array_equal(ModelFree(others).columns("composition", train), composition)


def test_test_targets_have_no_part_in_it():
    train = np.array([0, 1, 2, 5])
    changed = np.where(np.isin(np.arange(6), train), Y, 1e6)
    one, other = (
        ModelFree(task_of(target=y, wild_type="MKTA")).columns("site_mean", train)
        for y in (Y, changed)
    )
    assert np.array_equal(one, other)


def test_equal_training_rows_have_no_baseline():
    task = task_of(["MKTA"] * 3 + ["MRTA"] * 3, wild_type="MKTA")
    assert ModelFree(task).columns("one_hot", np.arange(3)) is None
    assert ModelFree(task).columns("site_mean", np.arange(3)) is None


def test_a_residue_is_encoded_with_its_neighbours():
    residues = np.arange(4)
    task = Task("r", ["MKTA"], np.array(list("abab")), np.zeros(4, int), residues)
    columns = ModelFree(task).columns("one_hot", residues).reshape(4, 15, 20)
    letters = "ACDEFGHIKLMNPQRSTVWY"
    for at, row in enumerate(columns):
        around = ["MKTA"[i] if 0 <= i < 4 else "" for i in range(at - 7, at + 8)]
        found = ["".join(letters[i] for i in np.flatnonzero(place)) for place in row]
        assert found == around


@pytest.fixture(scope="module")
def table():
    assay = load_if1_ecoli()
    rows = np.random.default_rng(0).permutation(len(assay.data))[:300]
    sequences = assay.data[rows].tolist()
    ones = np.ones(300, int)
    task = Task("IF1", sequences, assay.target[rows], np.arange(300), n_mutations=ones,
                wild_type=assay.wild_type)  # fmt: skip
    other = Task("half", sequences[:150], assay.target[rows[:150]], np.arange(150),
                 n_mutations=ones[:150], wild_type=assay.wild_type)  # fmt: skip
    demo = ReverseDistiller.from_pretrained("demo")
    return evaluate([task, other], ESMEmbedder("demo"), demo)


def test_they_are_scored_beside_the_representations(table):
    free = table[table["representation"].isin(MODEL_FREE)]
    assert free["representation"].tolist() == ["one_hot", "site_mean"] * 2
    assert free["model"].tolist() == [""] * 4
    assert free["fitted_on"].tolist() == ["fold"] * 4
    of_if1 = free[free["task"] == "IF1"]
    assert (of_if1["score"] > 0.3).all()
    assert of_if1["n_columns"].iloc[1] == 1


def test_distilled_embeddings_are_compared_with_them_and_nothing_grows(table):
    wins = win_rates(table)
    rivals = wins[wins["rival"].isin(MODEL_FREE)]
    assert set(rivals["representation"]) == {"distilled"}
    assert set(rivals["rival_model"]) == {""}
    assert not set(growth(table)["representation"]) & {*MODEL_FREE}
    assert set(mean_scores(table)["representation"]) == set(table["representation"])


def test_a_table_of_prefixes_has_them_if_it_has_sequences():
    assay = load_if1_ecoli()
    sequences, y = assay.data[::9], assay.target[::9]
    demo, H = ReverseDistiller.from_pretrained("demo"), ESMEmbedder("demo").transform(sequences)
    plain = prefix_scores(demo, H, y)
    more = prefix_scores(demo, H, y, sequences=sequences, reference=assay.wild_type)
    assert more.iloc[: len(plain)].equals(plain)
    assert more["representation"].tolist()[len(plain) :] == ["one_hot", "site_mean"]
    without = prefix_scores(demo, H, y, sequences=sequences)
    assert without["representation"].tolist()[len(plain) :] == ["one_hot"]
