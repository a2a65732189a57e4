"""Scores over many tasks: known answers, kept scores, and errors that say what was wrong."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_revdist import (
    ESMEmbedder,
    ReverseDistiller,
    Task,
    evaluate,
    prefix_scores,
    win_rates,
)
from sklearn_revdist.evaluation._model_free import MODEL_FREE
from sklearn_revdist.evaluation._splits import make_folds
from sklearn_revdist.evaluation._task_embeddings import embed_task
from sklearn_revdist.utils import _file_states

DIMS = [4, 8, 12]


class Embedder:
    """Embeddings that the first letters of a sequence number, as an embedder gives them."""

    def __init__(self, rows, dims):
        self.rows, self.dims, self.n_embedded = rows, dims, 0

    def fingerprint(self):
        return f"{self.dims} {hashlib.sha256(self.rows.tobytes()).hexdigest()}"

    def get_feature_names_out(self):
        models = ("small", "middle", "large")
        return [f"{m}_{i}" for m, k in zip(models, self.dims, strict=True) for i in range(k)]

    def transform(self, sequences):
        self.n_embedded += len(sequences)
        return self.rows[[number_of(sequence) for sequence in sequences]]

    def iter_residues(self, sequences):
        """Blocks that do not end where proteins end."""
        rows = np.concatenate(
            [self.rows[number_of(s)] + np.arange(len(s))[:, np.newaxis] for s in sequences]
        )
        index = np.repeat(np.arange(len(sequences)), [len(s) for s in sequences])
        for start in range(0, len(rows), 7):
            yield rows[start : start + 7], index[start : start + 7]


def sequence_of(number):
    return "".join("ACDEFGHIKL"[int(digit)] for digit in f"{number:04d}")


def number_of(sequence):
    return int("".join(str("ACDEFGHIKL".index(letter)) for letter in sequence[:4]))


@pytest.fixture(scope="module")
def known():
    """A chain whose models share all of the smaller ones and add what they alone have."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(240, sum(DIMS)))
    # Of what a model shares with the smaller ones there is much more than of what it adds.
    X = np.hstack(
        [
            np.hstack([3 * hidden[:, : width - 4], hidden[:, width - 4 : width]])
            @ rng.normal(size=(width, width))
            for width in DIMS
        ]
    )
    names = Embedder(X, DIMS).get_feature_names_out()
    distiller = ReverseDistiller(regressor="ols").fit(pd.DataFrame(X[:120], columns=names))
    return hidden[120:], Embedder(X[120:], DIMS), distiller


def task_of(target, name="task", **columns):
    n = len(target)
    return Task(name, [sequence_of(i) for i in range(n)], target, np.arange(n), **columns)


def scored(table, **values):
    for column, value in values.items():
        table = table[table[column] == value]
    assert len(table) == 1, table
    return table["score"].iloc[0]


def test_a_target_in_the_shared_subspace_is_in_every_size_of_every_representation(known):
    hidden, embedder, distiller = known
    table = evaluate([task_of(hidden[:, 0])], embedder, distiller)
    others = [*MODEL_FREE, "largest_pca", "largest_first"]
    own = table[~table["representation"].isin(others)]
    assert (own["score"] > 0.98).all()
    # the first columns of the largest model have it in no order, its leading components do
    assert scored(table, model="small", representation="largest_first") < 0.98


def test_a_distiller_of_other_models_or_layers_is_refused(known):
    hidden, embedder, distiller = known
    task = task_of(hidden[:, 0])

    class Renamed(Embedder):
        def get_feature_names_out(self):
            return [
                name.replace("large", "large_layer2") for name in super().get_feature_names_out()
            ]

    renamed = Renamed(embedder.rows, DIMS)
    with pytest.raises(ValueError, match=r"fitted on small, middle, large, .* large_layer2; give"):
        evaluate([task], renamed, distiller)
    assert renamed.n_embedded == 0
    nameless = ReverseDistiller(DIMS, regressor="ols").fit(embedder.rows)
    assert len(evaluate([task], renamed, nameless, representations=["plain"])) == 3


def test_a_target_in_the_residual_appears_where_it_is_added(known):
    hidden, embedder, distiller = known
    target = hidden[:, 10]  # what the largest model alone has
    table = evaluate([task_of(target)], embedder, distiller)
    for representation, fitted_on in (("plain", ""), ("distilled", "natural")):
        scores = table[
            (table["representation"] == representation) & (table["fitted_on"] == fitted_on)
        ].set_index("model")["score"]
        assert scores.index.tolist() == ["small", "middle", "large"]
        assert abs(scores["small"]) < 0.3
        assert abs(scores["middle"]) < 0.3
        assert scores["large"] > 0.98
    assert scored(table, model="large", representation="distilled", fitted_on="fold") > 0.98
    assert scored(table, model="large", representation="concat") > 0.98
    assert abs(scored(table, model="middle", representation="concat")) < 0.3


def test_prefix_scores_are_the_scores_of_evaluate(known):
    hidden, embedder, distiller = known
    y = hidden[:, 5] + hidden[:, 9]
    task = task_of(y)
    table = evaluate([task], embedder, distiller, representations=["plain", "distilled"])
    folds = make_folds(task, "random", 5)

    class Folds:
        def split(self, X, y):
            return folds

    names = embedder.get_feature_names_out()
    frame = pd.DataFrame(embedder.rows, columns=names)
    expected = prefix_scores(distiller, frame, y, cv=Folds())
    for row in expected[expected["representation"] != "concat_pca"].itertuples():
        fitted_on = "natural" if row.representation == "distilled" else ""
        same = scored(
            table, model=row.model, representation=row.representation, fitted_on=fitted_on
        )
        assert same == row.score_mean


def test_classes_are_scored_by_aupr(known):
    hidden, embedder, distiller = known
    settings = {"representations": ["distilled"], "fitted_on": ["natural"]}
    two = np.where(hidden[:, 0] > 0, "yes", "no")
    three = np.where(hidden[:, 0] > 0.7, "c", np.where(hidden[:, 0] > -0.7, "b", "a"))
    chance = np.random.default_rng(0).permutation(three)
    targets = {"two": two, "three": three, "chance": chance}
    tasks = [task_of(target.astype(object), name) for name, target in targets.items()]
    table = evaluate(tasks, embedder, distiller, **settings)
    assert set(table["metric"]) == {"aupr"}
    assert table[["top_k_recall", "hit_rate", "ndcg_at_k"]].isna().all(axis=None)
    assert (table.loc[table["task"] == "two", "score"] > 0.9).all()
    # the class in the middle cannot be ranked by a line
    assert (table.loc[table["task"] == "three", "score"] > 0.8).all()
    assert (table.loc[table["task"] == "chance", "score"] < 0.5).all()


def test_residues_are_those_of_the_task_and_folds_keep_proteins_whole(known):
    _, embedder, distiller = known
    rng = np.random.default_rng(0)
    protein = np.repeat(np.arange(40), 3)
    residue = np.tile([3, 0, 2], 40)
    proteins = [sequence_of(i) for i in range(40)]
    shuffled = rng.permutation(120)
    task = Task(
        "residues",
        proteins,
        rng.normal(size=120),
        protein[shuffled],
        residue=residue[shuffled],
    )
    X = embed_task(task, embedder)
    expected = embedder.rows[task.protein] + task.residue[:, np.newaxis]
    np.testing.assert_array_equal(X, expected)
    # A target that is nothing but the protein is unknown of a new one.
    noise = rng.normal(size=40)[task.protein]
    task = Task("noise", proteins, noise, task.protein, residue=task.residue)
    table = evaluate([task], embedder, distiller, representations=["plain"])
    assert (table["score"] < 0.5).all()
    assert set(table["rows"]) == {"residues"}


def test_an_embedder_that_skips_residues_is_found_out(known):
    _, embedder, _ = known

    class Skips(Embedder):
        def iter_residues(self, sequences):
            yield from list(super().iter_residues(sequences))[:-1]

    task = Task(
        "t",
        [sequence_of(0), sequence_of(1)],
        np.array([0.0, 1]),
        np.arange(2),
        residue=np.ones(2, int),
    )
    with pytest.raises(ValueError, match=r"'t' has 8 residues, but the embedder gave 7 rows"):
        embed_task(task, Skips(embedder.rows, DIMS))


def test_numbers_of_substitutions_and_splits_by_position_have_rows_of_their_own(known):
    hidden, embedder, distiller = known
    y = hidden[:, 0]
    count = np.repeat([1, 7], 60)
    table = evaluate(
        [
            task_of(y, "multiple", n_mutations=count),
            task_of(y, "single", n_mutations=np.ones(120, int), position=np.arange(120) // 3),
        ],
        embedder,
        distiller,
        representations=["plain"],
        splits=["random", "contiguous", "modulo"],
    )
    multiple = table[table["task"] == "multiple"]
    assert set(multiple["split"]) == {"random"}
    tested = multiple[multiple["model"] == "small"].set_index("subset")["n_test"]
    assert set(tested.index) == {"all", "1", "5+"}
    assert tested["all"] == 120
    assert tested[["1", "5+"]].max() <= 60
    single = table[table["task"] == "single"]
    assert set(single["split"]) == {"random", "contiguous", "modulo"}
    assert set(single["subset"]) == {"all"}


def test_an_unfitted_distiller_is_fitted_on_folds_alone(known):
    hidden, embedder, distiller = known
    unfitted = ReverseDistiller(regressor="ols")
    table = evaluate([task_of(hidden[:, 10])], embedder, unfitted)
    assert set(table["fitted_on"]) == {"", "fold"}
    assert scored(table, model="large", representation="distilled") > 0.98
    assert not hasattr(unfitted, "dims_")
    whole = evaluate([task_of(hidden[:, 10])], embedder, distiller)
    expected = whole[whole["fitted_on"] != "natural"].reset_index(drop=True)
    pd.testing.assert_frame_equal(table, expected)


def test_without_moments_baselines_on_natural_data_are_left_out(known, tmp_path):
    hidden, embedder, distiller = known
    distiller.save_pretrained(tmp_path / "d.safetensors")
    read = ReverseDistiller.from_pretrained(tmp_path / "d.safetensors")
    table = evaluate([task_of(hidden[:, 0])], embedder, read)
    natural = table[table["fitted_on"] == "natural"]
    assert set(natural["representation"]) == {"distilled"}
    whole = evaluate([task_of(hidden[:, 0])], embedder, distiller)
    keys = ["model", "representation", "fitted_on"]
    both = table.merge(whole, on=keys, suffixes=("", "_whole"))
    assert len(both) == len(table)
    np.testing.assert_allclose(both["score"], both["score_whole"], atol=1e-9)


def test_a_second_run_reads_and_gives_the_same_digits(known, tmp_path):
    hidden, embedder, distiller = known
    tasks = [task_of(hidden[:, i], f"task {i}/é") for i in range(2)]
    first = evaluate(tasks, embedder, distiller, output=tmp_path)
    embedded = embedder.n_embedded
    second = evaluate(tasks, embedder, distiller, output=tmp_path)
    assert embedder.n_embedded == embedded
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    fresh = evaluate(tasks, embedder, distiller, output=tmp_path / "other")
    pd.testing.assert_frame_equal(first, fresh, check_exact=True)
    assert len(list(tmp_path.glob("*.csv"))) == 2


def test_an_interrupted_run_goes_on_after_the_last_task(known, tmp_path):
    hidden, embedder, distiller = known
    tasks = [task_of(hidden[:, i], f"task {i}") for i in range(3)]

    def interrupted():
        yield from tasks[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(interrupted(), embedder, distiller, output=tmp_path)
    embedded = embedder.n_embedded
    table = evaluate(tasks, embedder, distiller, output=tmp_path)
    assert embedder.n_embedded - embedded == 120
    assert table["task"].unique().tolist() == ["task 0", "task 1", "task 2"]


def test_whatever_a_score_depends_on_changes_is_scored_anew(known, tmp_path):
    hidden, embedder, distiller = known
    settings = {"representations": ["plain"], "output": tmp_path}

    def is_scored_anew(task, distiller, **changes):
        embedded = embedder.n_embedded
        evaluate([task], embedder, distiller, **{**settings, **changes})
        return embedder.n_embedded > embedded

    task = task_of(hidden[:, 0])
    assert is_scored_anew(task, distiller)
    assert not is_scored_anew(task, distiller)
    assert is_scored_anew(task_of(hidden[:, 1]), distiller)
    assert is_scored_anew(task, distiller, n_folds=4)
    assert is_scored_anew(task, distiller, splits=["random", "modulo"])
    assert is_scored_anew(task, distiller, probe=Ridge(alpha=2.0))
    assert is_scored_anew(task, distiller, probe=Ridge(alpha=3.0))
    assert is_scored_anew(task_of(hidden[:, 0], split=np.repeat(["train", "test"], 60)), distiller)
    assert is_scored_anew(task, ReverseDistiller())
    assert is_scored_anew(task, ReverseDistiller(n_new=[2, 3]))
    assert not is_scored_anew(task, ReverseDistiller(n_components=4, memory="elsewhere"))
    other = ReverseDistiller(regressor="ols").fit_moments(
        distiller.moments_ + distiller.moments_, embedder.get_feature_names_out()
    )
    assert is_scored_anew(task, other)
    any_regressor = ReverseDistiller(dims=DIMS, regressor=Ridge()).fit(embedder.rows[:60])
    assert is_scored_anew(task, any_regressor)
    any_regressor = ReverseDistiller(dims=DIMS, regressor=Ridge()).fit(embedder.rows[60:])
    assert is_scored_anew(task, any_regressor)


def test_one_fit_has_one_key_whenever_its_chain_is_solved(known, tmp_path):
    hidden, embedder, _ = known
    settings = {"representations": ["distilled"], "output": tmp_path}
    names = embedder.get_feature_names_out()
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(99, sum(DIMS))), columns=names)
    for n_components in (None, 4):
        distiller = ReverseDistiller(n_components=n_components).partial_fit(rows)
        evaluate([task_of(hidden[:, 0])], embedder, distiller, **settings)
        assert distiller.n_components == n_components
    assert len(list(tmp_path.iterdir())) == 1
    # parameters set since the fit are those of the copies that are fitted on folds
    evaluate([task_of(hidden[:, 0])], embedder, distiller.set_params(alpha=9.0), **settings)
    assert len(list(tmp_path.iterdir())) == 2


def test_tasks_whose_names_make_the_same_file_name_are_kept_apart(known, tmp_path):
    hidden, embedder, distiller = known
    tasks = [task_of(hidden[:, 0], name) for name in ("a/b", "a_b")]
    table = evaluate(tasks, embedder, distiller, representations=["plain"], output=tmp_path)
    assert table["task"].unique().tolist() == ["a/b", "a_b"]
    assert len(list(tmp_path.iterdir())) == 2


class Nameless(Embedder):
    """An embedder of which nothing says when it is another."""

    fingerprint = None


def test_an_embedder_that_cannot_be_identified_is_refused_before_anything_is_kept(known, tmp_path):
    hidden, embedder, distiller = known
    task, settings = task_of(hidden[:, 0]), {"representations": ["plain"]}
    nameless = Nameless(embedder.rows, DIMS)
    with pytest.raises(
        TypeError,
        match=r"^An object of type \S*Nameless cannot be identified, .*; define a method "
        r"fingerprint\(\) that returns a string which changes whenever its results do\.$",
    ):
        evaluate([task], nameless, distiller, output=tmp_path / "new", **settings)
    probe = make_pipeline(FunctionTransformer(lambda X: X), Ridge())
    before = embedder.n_embedded
    with pytest.raises(TypeError, match=r"<lambda> cannot be identified"):
        evaluate([task], embedder, distiller, probe=probe, output=tmp_path / "new", **settings)
    assert (nameless.n_embedded, embedder.n_embedded) == (0, before)
    assert not (tmp_path / "new").exists()
    found = evaluate([task], nameless, distiller, **settings)
    expected = evaluate([task], embedder, distiller, **settings)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_embedders_with_fingerprints_are_kept_apart_and_found_again(known, tmp_path):
    hidden, embedder, distiller = known
    ask = {"representations": ["plain"], "output": tmp_path}
    task = task_of(hidden[:, 0])
    noise = np.random.default_rng(0).normal(size=embedder.rows.shape)
    others = [embedder, Embedder(noise, DIMS)]
    first = [evaluate([task], each, distiller, **ask) for each in others]
    assert first[0]["score"].min() > 0.9 > first[1]["score"].max()
    counts = [each.n_embedded for each in others]
    for each, table in zip(others, first, strict=True):
        pd.testing.assert_frame_equal(evaluate([task], each, distiller, **ask), table)
    assert [each.n_embedded for each in others] == counts


@pytest.mark.parametrize("racy_ns", [0, 2 * 10**9])
def test_a_checkpoint_that_was_replaced_is_scored_anew(
    tmp_path, write_checkpoint, replace_checkpoint, monkeypatch, racy_ns
):
    monkeypatch.setattr(_file_states, "_RACY_NS", racy_ns)
    rng = np.random.default_rng(0)
    proteins = ["".join(rng.choice(list("ACDEFGHIKL"), 20)) for _ in range(40)]
    task = Task("t", proteins, rng.normal(size=40), np.arange(40))
    path = write_checkpoint(tmp_path / "m.pt")
    embedder, distiller = ESMEmbedder([str(path)]), ReverseDistiller()
    settings = {"representations": ["plain"], "n_folds": 3}

    def score(**more):
        return evaluate([task], embedder, distiller, **settings, **more)["score"].item()

    first = score(output=tmp_path / "kept")
    assert score(output=tmp_path / "kept") == first
    replace_checkpoint(path)
    second = score(output=tmp_path / "kept")
    assert second != first
    assert second == round(score(), 6)


def test_jobs_and_progress_change_nothing(known, capsys, monkeypatch):
    monkeypatch.setattr("sklearn_revdist.utils._progress._QUICK", 0)
    hidden, embedder, distiller = known
    task = task_of(hidden[:, 5])
    table = evaluate([task], embedder, distiller)
    again = evaluate([task], embedder, distiller, n_jobs=2, verbose=True)
    pd.testing.assert_frame_equal(table, again, check_exact=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    n_probes = len(table) * 5
    assert f"100 % of {n_probes} probes" in captured.err


def test_what_cannot_be_scored_is_refused_with_its_name(known):
    hidden, embedder, distiller = known
    task = task_of(hidden[:, 0])
    for settings, message in [
        ({"representations": ["raw"]}, "representations has 'raw'; choose from 'plain'"),
        ({"fitted_on": ["test"]}, "fitted_on has 'test'"),
        ({"splits": ["given"]}, "splits has 'given'"),
        ({"probe": "logistic"}, "task is a regression, but the probe is for a classification"),
        ({"n_folds": 500}, "'task' has too few positions or proteins for 500 folds"),
    ]:
        with pytest.raises(ValueError, match=message):
            evaluate([task], embedder, distiller, **settings)
    with pytest.raises(ValueError, match="Two tasks are named 'task'"):
        evaluate([task, task], embedder, distiller, representations=["plain"])
    with pytest.raises(ValueError, match="no tasks to score"):
        evaluate([], embedder, distiller)
    equal = task_of(np.zeros(120))
    with pytest.raises(ValueError, match=r"All 24 targets of test fold 0 of 'task' \(random split"):
        evaluate([equal], embedder, distiller)


def test_all_of_a_list_is_checked_before_any_is_embedded(known):
    hidden, embedder, distiller = known
    good = task_of(hidden[:, 0], "good")
    classes = np.array(["a", "b"] * 60, dtype=object)
    unknown = task_of(classes, "t", split=np.array(["train", "test"] * 60))
    few = task_of(hidden[:3, 0], "few")
    embedder = Embedder(embedder.rows, DIMS)
    for tasks, settings, message in [
        ([good, good], {}, "Two tasks are named 'good'"),
        ([good, few], {}, "'few' has too few positions or proteins for 5 folds"),
        ([good, unknown], {}, "All 60 targets of test fold 0 of 't'"),
        ([good, task_of(classes, "t")], {"probe": "ridge"}, "task is a classification"),
        ([good], {"splits": ["modulo"]}, r"No task has the positions .* 'modulo' need; add 'ran"),
        ([good], {"splits": []}, "splits is empty"),
    ]:
        with pytest.raises(ValueError, match=message):
            evaluate(tasks, embedder, distiller, **settings)
    assert embedder.n_embedded == 0
    # of others nothing is known before their turn
    with pytest.raises(ValueError, match="'few' has too few"):
        evaluate(iter([good, few]), embedder, distiller, representations=["plain"])
    assert embedder.n_embedded == 120


def test_tasks_that_no_split_applies_to_are_skipped_by_name(known, tmp_path):
    hidden, embedder, distiller = known
    single = task_of(hidden[:, 0], "single", position=np.arange(120) // 3)
    others = [task_of(hidden[:, 0], f"t{i:02}") for i in range(12)]
    settings = {"representations": ["plain"], "splits": ["contiguous", "modulo"]}
    before = embedder.n_embedded
    with pytest.warns(UserWarning, match="skipped") as caught:
        table = evaluate([*others, single], embedder, distiller, output=tmp_path, **settings)
    lines = [str(warning.message) for warning in caught]
    assert lines[0] == (
        "'t00' is skipped: it has no positions of single substitutions, which the splits "
        "'contiguous', 'modulo' need."
    )
    assert [line.split()[0] for line in lines[:10]] == [f"'t{i:02}'" for i in range(10)]
    assert lines[10:] == ["2 more are skipped."]
    assert set(table["task"]) == {"single"}
    assert embedder.n_embedded - before == 120
    assert len(list(tmp_path.iterdir())) == 1


def test_representations_of_the_same_data_are_side_by_side(known):
    hidden, embedder, distiller = known
    table = evaluate([task_of(hidden[:, 0])], embedder, distiller)
    largest = table[table["model"] == "large"]
    changes = largest["fitted_on"] != largest["fitted_on"].shift()
    assert largest.loc[changes, "fitted_on"].tolist() == ["", "natural", "fold"]
    of_data = largest.groupby("fitted_on")["representation"].agg(list)
    assert of_data["natural"] == of_data["fold"] == ["distilled", "jump", "naive", "concat_pca"]
    assert of_data[""] == ["plain", "concat"]
    wins = win_rates(table)
    own = wins[(wins["representation"] == "distilled") & (wins["rival_model"] != "")]
    assert all(
        rival in ("", data)
        for data, rival in zip(own["fitted_on"], own["rival_fitted_on"], strict=True)
    )
    assert set(own["rival"]) >= {"plain", "concat", "concat_pca", "naive", "jump"}


def test_classes_that_only_training_rows_have_are_no_part_of_the_score(known):
    hidden, embedder, distiller = known
    settings = {"representations": ["distilled"], "fitted_on": ["natural"]}
    classes = np.where(hidden[:, 0] > 0, "yes", "no").astype(object)
    split = np.where(np.arange(120) < 80, "train", "test")
    classes[:10] = "rare"
    table = evaluate([task_of(classes, split=split)], embedder, distiller, **settings)
    assert (table["score"] > 0.8).all()
    classes[110:] = "new"
    with pytest.raises(ValueError, match=r"Class 'new' is in test fold 0 of 'task' \(given split"):
        evaluate([task_of(classes, split=split)], embedder, distiller, **settings)


def test_a_split_that_is_named_twice_is_scored_once(known):
    hidden, embedder, distiller = known
    table = evaluate(
        [task_of(hidden[:, 0])],
        embedder,
        distiller,
        representations=["plain"],
        splits=["random", "random"],
    )
    assert len(table) == 3


def test_variants_are_compared_with_the_wild_type_of_their_task(tmp_path, rng):
    """Unless the embedder has a reference of its own; kept scores know which one it was."""

    def scan(name, wild_type):
        variants = [
            wild_type[:i] + acid + wild_type[i + 1 :]
            for i in range(8)
            for acid in "ACDEF"
            if acid != wild_type[i]
        ]
        n = len(variants)
        return Task(name, variants, rng.normal(size=n), np.arange(n), wild_type=wild_type)

    tasks = [scan("one", "MKTAYIAKQR"), scan("two", "GSHMLEKWWPTV")]
    embedder = ESMEmbedder("demo", pooling="sites_difference")
    for task in tasks:
        own = ESMEmbedder("demo", pooling="sites_difference", reference=task.wild_type)
        X = own.transform(task.sequences)
        np.testing.assert_array_equal(embed_task(task, embedder), X)
        np.testing.assert_array_equal(
            embed_task(task, own.set_params(pooling="mean")).shape, X.shape
        )
    options = {"representations": ["plain"], "fitted_on": [], "n_folds": 2, "output": tmp_path}
    scores = evaluate(tasks, embedder, ReverseDistiller(), **options)
    again = evaluate(
        tasks[:1],
        own.set_params(reference="MKTAYIAKQR", pooling="sites_difference"),
        ReverseDistiller(),
        **options,
    )
    pd.testing.assert_frame_equal(again, scores[scores["task"] == "one"])
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(ValueError, match="compares sequences with the wild type, which is missing"):
        embed_task(task_of(np.arange(9.0)), embedder)
