"""A task keeps rows, proteins and targets together when rows are selected."""

from dataclasses import replace

import numpy as np
import pytest

from sklearn_revdist import Task


@pytest.fixture
def residues():
    """Four proteins, two of one sequence, with three residues each."""
    return Task(
        name="residues",
        sequences=["ACD", "EFG", "ACD", "HIK"],
        target=np.array(list("abcabcabcabc"), dtype=object),
        protein=np.repeat(np.arange(4), 3),
        residue=np.tile(np.arange(3), 4),
        split=np.repeat(["train", "train", "validation", "test"], 3),
    )


def numbers(values):
    target = np.array(values, dtype=np.float64)
    return Task("numbers", ["A"] * len(values), target, np.arange(len(values)))


def test_the_target_says_kind_and_metric(residues):
    assert (residues.kind, residues.metric, residues.rows) == ("classification", "aupr", "residues")
    task = numbers([1, 2])
    assert (task.kind, task.metric, task.rows) == ("regression", "spearman", "proteins")
    variants = Task("v", ["A"], np.zeros(1), np.zeros(1, int), n_mutations=np.ones(1, int))
    assert variants.rows == "variants"


def test_a_retrieval_says_so_by_its_metric(residues):
    for metric in ("recall@1", "recall@25", "map"):
        task = replace(residues, retrieval=metric)
        assert (task.kind, task.metric) == ("retrieval", metric)
        assert task.take([0, 4]).kind == "retrieval"
    with pytest.raises(ValueError, match=r"target of 'numbers' has numbers, but retrieval needs"):
        replace(numbers([1, 2]), retrieval="map")


def test_rows_of_a_cluster_are_one_group_and_so_are_those_that_it_links(residues):
    # the clusters of the first and the last protein are one, and duplicates are
    cluster = np.repeat(["x", "y", "z", "x"], 3)
    groups = replace(residues, cluster=cluster).groups()
    assert groups[0] == groups[6] == groups[9] != groups[3]
    alone = replace(residues, cluster=np.repeat(np.arange(4), 3))
    assert len(set(alone.groups())) == len(set(residues.groups())) == 3
    taken = replace(residues, cluster=cluster).take([0, 3, 9])
    assert taken.cluster.tolist() == ["x", "y", "x"]


def test_rows_of_equal_sequences_are_one_group(residues):
    groups = residues.groups()
    assert len(set(groups[:3])) == 1
    assert groups[0] == groups[6]
    assert len(set(groups)) == 3


def test_taken_rows_keep_their_letters(residues):
    def letters(task):
        return [task.sequences[p][r] for p, r in zip(task.protein, task.residue, strict=True)]

    rows = np.array([11, 4, 0])
    taken = residues.take(rows)
    assert letters(taken) == [letters(residues)[row] for row in rows]
    assert taken.target.tolist() == ["c", "b", "a"]
    assert taken.split.tolist() == ["test", "train", "train"]
    assert len(taken.sequences) == 3


def test_what_is_left_out_is_counted_by_reason(residues):
    kept = residues.residue != 1
    task = residues.leave_out(kept, "the middle")
    assert task.excluded == {"the middle": 4}
    assert len(task.target) == 8
    again = task.leave_out(task.residue != 2, "the middle")
    assert again.excluded == {"the middle": 8}
    assert residues.excluded == {}
    assert residues.leave_out(np.ones(12, bool), "nothing") is residues


def test_proteins_are_drawn_to_learn_from_and_tests_stay(residues):
    task = residues.sample_proteins(1)
    assert len(set(task.protein[task.split != "test"])) == 1
    assert task.sequences[task.protein[task.split == "test"][0]] == "HIK"
    assert task.excluded == {"beyond 1 proteins to learn from": 6}
    assert residues.sample_proteins(3) is residues
    assert residues.sample_proteins(1).fingerprint() == task.fingerprint()


def test_ranked_classes_have_equal_size_and_follow_the_numbers():
    values = np.random.default_rng(0).normal(size=90)
    task = numbers(values).ranked(3)
    assert task.kind == "classification"
    for label, low, high in (("1", 0, 30), ("2", 30, 60), ("3", 60, 90)):
        assert sorted(values[task.target == label]) == sorted(values)[low:high]


def test_classes_have_no_ranks(residues):
    with pytest.raises(ValueError, match="'residues' has classes, which have no ranks"):
        residues.ranked(2)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("name", "other"),
        ("sequences", ["ACD", "EFG", "ACD", "HIL"]),
        ("sequences", ["ACDE", "FG", "ACD", "HIK"]),
        ("target", np.array(list("abcabcabcabd"), dtype=object)),
        ("target", np.array([1, 2, 3] * 4)),
        ("target", np.array([1.0, 2.0, 3.0] * 4)),
        ("protein", np.repeat([0, 1, 3, 2], 3)),
        ("residue", np.tile([0, 2, 1], 4)),
        ("residue", None),
        ("split", np.repeat(["train", "test", "validation", "test"], 3)),
        ("split", None),
        ("position", np.arange(12)),
        ("n_mutations", np.ones(12, int)),
        ("retrieval", "recall@1"),
        ("cluster", np.repeat(["x", "y", "z", "x"], 3)),
    ],
)
def test_the_fingerprint_changes_with_all_that_a_score_depends_on(residues, column, change):
    if column == "sequences" and len(change[1]) == 2:
        residues = replace(residues, residue=np.tile([0, 1, 1], 4))
    assert replace(residues, **{column: change}).fingerprint() != residues.fingerprint()


def test_the_fingerprint_distinguishes_close_numbers_and_types():
    assert numbers([1, 2]).fingerprint() != numbers([1, np.nextafter(2, 3)]).fingerprint()
    single = replace(numbers([1, 2]), target=np.array([1, 2], np.float32))
    assert single.fingerprint() != numbers([1, 2]).fingerprint()
    classes = replace(numbers([1, 2]), target=np.array(["1", "2"]))
    assert classes.fingerprint() != replace(classes, target=np.array([1, 2])).fingerprint()


def test_the_fingerprint_does_not_change_with_how_a_task_is_held(residues):
    same = residues.fingerprint()
    assert residues.take(np.arange(12)).fingerprint() == same
    assert residues.take(np.arange(11)).fingerprint() != same
    held = {
        "sequences": np.array(residues.sequences),
        "target": residues.target.astype(str),
        "protein": residues.protein.astype(np.int32),
        "split": residues.split.astype(object),
        "excluded": {"too long": 5},
    }
    assert replace(residues, **held).fingerprint() == same
    clusters = [
        replace(residues, cluster=np.repeat(names, 3)) for names in (list("abcb"), [3, 1, 0, 1])
    ]
    assert clusters[0].fingerprint() == clusters[1].fingerprint()
