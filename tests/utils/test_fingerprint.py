"""A fingerprint is equal for equal things, in any process, and another for any other."""

import functools
import itertools
import operator
import pickle
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse, special
from sklearn._loss._loss import CyHalfSquaredError
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_regression
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVR

from sklearn_revdist import EmbeddingStore, ESMEmbedder, Moments, ReverseDistiller
from sklearn_revdist.embedding import _inference
from sklearn_revdist.utils import _file_states
from sklearn_revdist.utils._fingerprint import fingerprint
from sklearn_revdist.utils._models import DEMO

# --------------------------------------------------------------------------- plain values


def record(a, b):
    return np.array([(a, b)], dtype=[("a", "i4"), ("b", "f8")])


DIFFERENT = [
    *(None, True, False, 1, 0, -1, 1.0, 0.0, -0.0, np.nan, np.inf, 2**80, 1 + 2**-52),
    *("1", "", "None", "True", b"1", b"", "\ud800", "\u00e9", "e\u0301"),
    *([], [[]], [1], ["1"], ["ab"], ["a", "b"], ["a,b"], [["a"], "b"], ["a", ["b"]]),
    *((), (1,), ("ab",), {}, set(), frozenset(), {1}, {"1"}, {1: 2}, {2: 1}, {"1": 2}, {1: "2"}),
    *({"a": {"b": 1}}, {"a": {}, "b": 1}, slice(1), slice(0, 1), range(1), range(0, 2, 2)),
    *(np.array(1), np.array(1.0), np.array([1]), np.array([[1]]), np.array([1], np.int32)),
    *(np.array([1, 2]), np.array([[1, 2]]), np.array([[1], [2]]), np.array([2, 1])),
    *(np.float64(1), np.float32(1), np.int64(1), np.bool_(True), np.str_("1")),
    *(np.array(["1"]), np.array(["1"], object), np.array([1], object), np.array([None])),
    *(np.empty(0), np.empty((0, 2)), np.empty((2, 0)), np.empty(0, "U1"), np.array([""])),
    *(np.array(["2020-01-01"], "M8[D]"), np.array(["2020-01-01"], "M8[s]")),
    *(record(1, 2), record(1, 3), record(2, 2), np.array([1], ">i8"), np.array([np.nan])),
    *(np.dtype("f4"), np.dtype("f8"), record(1, 2).dtype, int, float, np.float64, np.float32),
    *(np.log1p, np.expm1, np.sum, special.expit, special.logit, len, max, f_regression),
    *(np.arange(10_000), np.r_[:5_000, 0, 5_001:10_000]),  # of which NumPy shows the ends alone
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_different_values_have_different_fingerprints():
    found = [fingerprint(value) for value in DIFFERENT]
    for (i, one), (j, other) in itertools.combinations(enumerate(found), 2):
        assert one != other, (DIFFERENT[i], DIFFERENT[j])
    assert all(len(text) == 64 and set(text) <= set("0123456789abcdef") for text in found)
    assert fingerprint(*DIFFERENT) == fingerprint(*DIFFERENT) != fingerprint(*DIFFERENT[1:])
    assert len({fingerprint(), fingerprint(None), fingerprint(None, None), fingerprint([])}) == 4


def test_where_values_lie_and_in_which_order_they_came_does_not_matter():
    columns = np.arange(12.0).reshape(3, 4)
    strided = np.zeros((6, 8))[::2, ::2]
    strided[:] = columns
    arrays = [columns, np.asfortranarray(columns), columns.copy()[::-1][::-1], strided]
    assert len({fingerprint(array) for array in arrays}) == 1
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    words = [f"w{i}" for i in range(50)]
    assert fingerprint(set(words)) == fingerprint({*reversed(words)})
    assert fingerprint(word for word in words) == fingerprint(words)
    text = "".join(["a", "b"])
    assert fingerprint([text, text]) == fingerprint(["ab", "".join("ab")])


def test_bytes_between_the_fields_of_a_record_do_not_count():
    dtype = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    empty, full = (np.frombuffer(bytes([fill] * 16), np.uint8).copy() for fill in (0, 255))
    records = empty.view(dtype), full.view(dtype)
    for each in records:
        each["a"], each["b"] = 1, 2.0
    assert records[0].tobytes() != records[1].tobytes()
    assert fingerprint(records[0]) == fingerprint(records[1])


def test_a_file_that_is_mapped_is_its_content(tmp_path, rng):
    np.save(tmp_path / "x.npy", rng.normal(size=(9, 3)))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert fingerprint(mapped) == fingerprint(np.array(mapped))


def test_masked_values_differ_from_others():
    values = np.arange(3.0)
    masked = np.ma.masked_array(values, [False, True, False])
    assert fingerprint(masked) != fingerprint(np.ma.masked_array(values, [False] * 3))
    assert fingerprint(masked) != fingerprint(values)


# --------------------------------------------------------------------------- estimators


class Halved(BaseEstimator):
    """An estimator of somebody else's, in a file."""

    def __init__(self, by=2):
        self.by = by


def doubled(X):
    return 2 * X


def tripled(X):
    return 3 * X


PROBES = [
    Ridge(),
    Ridge(alpha=2.0),
    Ridge(alpha=2),
    RidgeCV(),
    RidgeCV(np.logspace(-2, 6, 17)),
    RidgeCV(np.logspace(-2, 6, 18)),
    RidgeCV(cv=KFold(3)),
    RidgeCV(cv=KFold(3, shuffle=True, random_state=0)),
    RidgeCV(cv=KFold(3, shuffle=True, random_state=1)),
    RidgeCV(cv=GroupKFold(3)),
    RidgeCV(scoring=make_scorer(r2_score)),
    RidgeCV(scoring=make_scorer(r2_score, greater_is_better=False)),
    make_pipeline(StandardScaler(), RidgeCV()),
    make_pipeline(StandardScaler(with_mean=False), RidgeCV()),
    make_pipeline(RidgeCV()),
    make_pipeline(FunctionTransformer(doubled), Ridge()),
    make_pipeline(FunctionTransformer(tripled), Ridge()),
    make_pipeline(FunctionTransformer(np.log1p), Ridge()),
    make_pipeline(FunctionTransformer(special.expit), Ridge()),
    make_pipeline(FunctionTransformer(functools.partial(np.clip, a_min=0, a_max=1)), Ridge()),
    make_pipeline(FunctionTransformer(functools.partial(np.clip, a_min=0, a_max=2)), Ridge()),
    make_pipeline(FunctionTransformer(operator.itemgetter(slice(0, 2))), Ridge()),
    make_pipeline(SelectKBest(f_regression, k=3), Ridge()),
    make_pipeline(StandardScaler(), RidgeCV(), memory="folder"),
    GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}),
    GridSearchCV(LogisticRegression(), {"C": [0.1, 2.0]}),
    GaussianProcessRegressor(RBF(1.0)),
    GaussianProcessRegressor(RBF(2.0)),
    KMeans(random_state=np.random.RandomState(0)),
    KMeans(random_state=np.random.RandomState(1)),
    FrozenEstimator(Ridge()),
    Halved(),
    Halved(3),
]


def test_probes_with_other_parameters_have_other_fingerprints():
    found = [fingerprint(probe) for probe in PROBES]
    for (i, one), (j, other) in itertools.combinations(enumerate(found), 2):
        assert one != other, (PROBES[i], PROBES[j])
    assert [fingerprint(clone(probe)) for probe in PROBES] == found


X, Y = make_regression(60, 5, random_state=0)


@pytest.mark.parametrize(
    "made",
    [
        Ridge(),
        KNeighborsRegressor(algorithm="kd_tree"),
        KNeighborsRegressor(algorithm="ball_tree"),
        RandomForestRegressor(n_estimators=3, random_state=0),
        pytest.param(
            GradientBoostingRegressor(n_estimators=3, random_state=0),
            marks=pytest.mark.skipif(
                CyHalfSquaredError.__module__ == "_loss",
                reason="scikit-learn 1.6 does not say which module its losses are from",
            ),
        ),
        MLPRegressor(hidden_layer_sizes=(3,), max_iter=5, random_state=0),
        SVR(),
        GaussianProcessRegressor(RBF()),
        make_pipeline(StandardScaler(), FunctionTransformer(doubled), Ridge()),
    ],
    ids=lambda made: type(made).__name__,
)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_what_an_estimator_has_learnt_is_part_of_it(made):
    fitted, again, other = (
        clone(made).fit(X[rows], Y[rows]) for rows in ([*range(50)],) * 2 + ([*range(60)],)
    )
    assert fingerprint(fitted) == fingerprint(again) != fingerprint(other)
    assert fingerprint(fitted) != fingerprint(made)
    assert fingerprint(pickle.loads(pickle.dumps(fitted))) == fingerprint(fitted)
    assert fingerprint(FrozenEstimator(fitted)) != fingerprint(FrozenEstimator(other))


def test_a_cache_changes_no_result(tmp_path):
    caches = [joblib.Memory(tmp_path / name, verbose=0) for name in "ab"]
    assert len({fingerprint(make_pipeline(Ridge(), memory=cache)) for cache in caches}) == 1


@pytest.mark.parametrize("make", [sparse.csr_array, Moments.of])
def test_objects_of_known_libraries_and_ours_count_by_their_state(make):
    one, same, other = (fingerprint(make(times * np.eye(3))) for times in (1, 1, 2))
    assert one == same != other


# -------------------------------------------------------------------- what cannot be known


class Nameless:
    """A class with nothing that says what its objects do."""

    def __init__(self, parameter=1):
        self.parameter = parameter

    def method(self):
        pass


class Named(Nameless):
    def fingerprint(self):
        return f"parameter={self.parameter}"


class AlsoNamed(Named):
    pass


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (Nameless(), r"An object of type \S*test_fingerprint\.Nameless"),
        (object(), r"An object of type builtins\.object"),
        (lambda X: X, r"\S*test_fingerprint\.<lambda>"),
        (Nameless().method, r"\S*test_fingerprint\.Nameless\.method"),
        (np.frompyfunc(doubled, 1, 1), r"\S*doubled \(vectorized\)"),
        (pd.Series([1]), r"An object of type pandas\S*Series"),
        (1j, r"An object of type builtins\.complex"),
        (sys.stderr, r"An object of type \S+"),
    ],
    ids=["object", "plain", "lambda", "method", "ufunc", "series", "complex", "file"],
)
def test_what_cannot_be_identified_is_refused_in_one_sentence(value, what):
    for held in (value, [value], {"a": (1, value)}, FunctionTransformer(kw_args={"a": value})):
        with pytest.raises(
            TypeError,
            match=rf"^{what} cannot be identified, so that nothing can be stored for it; define a "
            r"method fingerprint\(\) that returns a string which changes whenever its results",
        ):
            fingerprint(held)


def test_functions_and_classes_inside_of_others_are_refused():
    def inner(X):
        return X

    class Inner(BaseEstimator):
        pass

    class Below(Named):
        pass

    for value in (inner, Inner, Inner(), Below(), FunctionTransformer(inner)):
        with pytest.raises(TypeError, match=r"<locals>\.\w+ cannot be identified"):
            fingerprint(value)


def test_what_an_object_says_of_itself_is_its_fingerprint_beside_its_class():
    assert fingerprint(Named(1)) == fingerprint(Named(1)) != fingerprint(Named(2))
    assert fingerprint(Named(1)) != fingerprint(AlsoNamed(1))
    assert fingerprint(Named(1)) != fingerprint("parameter=1")
    assert fingerprint(make_pipeline(Named(1))) != fingerprint(make_pipeline(Named(2)))


def test_what_it_says_has_to_be_a_string():
    class Numbered:
        def fingerprint(self):
            return 7

    with pytest.raises(TypeError, match=r"Numbered returned an object of type int; let it return"):
        fingerprint(Numbered())


@pytest.mark.parametrize("what", ["function", "class", "base"])
def test_a_function_or_class_whose_file_has_changed_is_another(tmp_path, monkeypatch, what):
    content = """
    from sklearn.base import BaseEstimator

    def function(X):
        return X + {0}

    class Base(BaseEstimator):
        def predict(self, X):
            return X + {0}
    """
    below = "from keyed_module import Base\nclass Below(Base):\n    pass\n"
    path = tmp_path / "keyed_module.py"
    path.write_text(textwrap.dedent(content).format(1))
    (tmp_path / "keyed_below.py").write_text(below)
    monkeypatch.syspath_prepend(tmp_path)
    import keyed_below
    import keyed_module

    made = {"function": keyed_module.function, "class": keyed_module.Base()}
    value = {**made, "base": keyed_below.Below()}[what]
    before = fingerprint(value)
    assert fingerprint(value) == before
    path.write_text(textwrap.dedent(content).format(2))
    assert fingerprint(value) != before
    for name in ("keyed_module", "keyed_below"):
        del sys.modules[name]


# --------------------------------------------------------------------------- in any process

PROGRAM = """
import numpy as np
from sklearn.base import clone
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn_revdist import ESMEmbedder, ReverseDistiller, Task
from sklearn_revdist.utils._fingerprint import fingerprint

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 10))
words = {f"w{i}" for i in range(99)}
probe = make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), RidgeCV(cv=KFold(3)))
task = Task("t", ["MKT", "MKV"], np.array(["a", "b"], object), np.arange(2))
parts = [
    words,
    dict.fromkeys(words, 1),
    probe,
    clone(probe).fit(np.abs(X), X[:, 0]),
    ESMEmbedder("demo"),
    ReverseDistiller([4, 6]).fit(X),
    ReverseDistiller([4, 6], regressor=RidgeCV()).fit(X),
    ReverseDistiller.from_pretrained("demo"),
    task,
]
print(*map(fingerprint, parts), fingerprint(parts))
"""


def test_fingerprints_are_the_same_in_another_process(monkeypatch):
    found = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        found.append(ended.stdout)
    assert found[0] == found[1]
    assert len(set(found[0].split())) == 10
    assert fingerprint(ESMEmbedder("demo")) in found[0]


# --------------------------------------------------------------------------- embedders


@pytest.fixture
def checkpoint(tmp_path, write_checkpoint):
    return write_checkpoint(tmp_path / "m.pt")


@pytest.mark.parametrize(
    "change",
    [
        {"chain": "demo-96"},
        {"chain": ["demo-96", "demo-48"]},
        {"dtype": "float16"},
        {"dtype": "bfloat16"},
        {"max_length": 100},
        {"max_length": 100, "long": "truncate"},
        {"max_length": 100, "long": "error"},
        {"max_length": 101},
        {"unknown": "mask"},
        {"unknown": "X"},
        {"unknown": "keep"},
    ],
)
def test_what_embeddings_depend_on_changes_the_key_of_an_embedder(change):
    same = {key: value for key, value in change.items() if key in ("max_length",)}
    other = ESMEmbedder("demo", **same if "long" in change else {})
    assert ESMEmbedder(**{"chain": "demo", **change}).fingerprint() != other.fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"chain": [model.name for model in DEMO]},
        {"chain": ("demo-48", "demo-96", "demo-160")},
        {"chain": "demo-160"},
        {"dtype": "float32"},  # which "auto" is on this device
        {"device": "cpu"},
        {"batch_tokens": 7},
        {"verbose": True},
        {"long": "error"},  # nothing is too long
        {"store": "elsewhere.sqlite"},
    ],
)
def test_what_embeddings_do_not_depend_on_does_not(change, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    same = ESMEmbedder(**{"chain": "demo", "device": "cpu", **change})
    assert same.fingerprint() == ESMEmbedder("demo", device="cpu").fingerprint()
    assert not (tmp_path / "elsewhere.sqlite").exists()


def test_precision_is_what_it_is_on_this_machine(monkeypatch):
    found = {}
    for name in ("cpu", "cuda"):
        device = _inference.torch.device(name)
        monkeypatch.setattr(_inference, "resolve_device", lambda _, device=device: device)
        found |= {
            (name, d): ESMEmbedder("demo", dtype=d).fingerprint() for d in ("auto", "float32")
        }
    assert found["cpu", "auto"] == found["cpu", "float32"] == found["cuda", "float32"]
    assert found["cuda", "auto"] != found["cuda", "float32"]


def test_a_store_that_rounds_counts(tmp_path):
    plain = ESMEmbedder("demo-48").fingerprint()
    for dtype in ("float32", "float16"):
        path = tmp_path / dtype
        EmbeddingStore.create(path, dtype=dtype).close()
        assert (ESMEmbedder("demo-48", store=path).fingerprint() == plain) is (dtype == "float32")


def test_a_store_remembers_the_weights_for_all_processes(tmp_path, checkpoint, monkeypatch):
    monkeypatch.setattr(_file_states, "_RACY_NS", 0)
    embedder = ESMEmbedder([checkpoint], store=tmp_path / "store.sqlite")
    embedder.transform(["MKT"])
    expected = embedder.fingerprint()
    monkeypatch.setattr(_file_states, "_digests", {})
    monkeypatch.setattr("sklearn_revdist.embedding._store.file_digest", pytest.fail)
    assert embedder.fingerprint() == expected


@pytest.mark.parametrize("racy_ns", [0, 2 * 10**9])
def test_a_checkpoint_that_was_replaced_changes_it(
    checkpoint, replace_checkpoint, monkeypatch, racy_ns
):
    """One of the same size, whose time was set back, whether the file was old or new."""
    monkeypatch.setattr(_file_states, "_RACY_NS", racy_ns)
    embedder = ESMEmbedder([checkpoint])
    before = embedder.fingerprint()
    content = checkpoint.read_bytes()
    replace_checkpoint(checkpoint)
    assert embedder.fingerprint() != before
    checkpoint.write_bytes(content)
    assert embedder.fingerprint() == before


def test_weights_count_by_content_and_by_the_name_that_columns_have(checkpoint, tmp_path):
    copies = [tmp_path / "n.pt", tmp_path / "other" / "m.pt"]
    for copy in copies:
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(checkpoint.read_bytes())
    named, same = (ESMEmbedder([str(copy)]).fingerprint() for copy in copies)
    assert named != ESMEmbedder([str(checkpoint)]).fingerprint() == same


def test_hugging_face_folders_count_by_all_of_their_files(tmp_path, hugging_face):
    before, other = (
        ESMEmbedder([hugging_face(tmp_path / name / "m", token_dropout=dropout)]).fingerprint()
        for name, dropout in (("a", True), ("b", False))
    )
    assert before != other


def test_an_embedder_that_is_not_valid_has_none():
    with pytest.raises(ValueError, match="'max_length' parameter of ESMEmbedder"):
        ESMEmbedder("demo", max_length=0).fingerprint()
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        ESMEmbedder(["none.pt"]).fingerprint()


# --------------------------------------------------------------------------- distillers

DIMS = [4, 7, 12]
NAMES = [f"{m}_{i}" for m, k in zip("abc", DIMS, strict=True) for i in range(k)]


@pytest.fixture
def rows(rng, embeddings):
    return pd.DataFrame(embeddings(rng, dims=DIMS), columns=NAMES)


@pytest.mark.parametrize(
    "change",
    [
        {"dims": [4, 7, 13]},
        {"n_components": 7},
        {"n_new": "all"},
        {"n_new": [3, 4]},
        {"residual": "joint"},
        {"regressor": "ols"},
        {"regressor": Ridge()},
        {"regressor": Ridge(2.0)},
        {"alpha": 2.0},
        {"rank": 3},
    ],
    ids=str,
)
def test_parameters_change_the_key_of_an_unfitted_distiller(change):
    found = {ReverseDistiller(**each).fingerprint() for each in ({}, change, {"regressor": SVR()})}
    assert len(found) == 3
    assert ReverseDistiller(**change).fingerprint() in found


@pytest.mark.parametrize(
    "change",
    [
        {"n_components": 7},
        {"n_new": [3, 4]},
        {"residual": "joint"},
        {"regressor": "ols"},
        {"regressor": Ridge()},
        {"regressor": Ridge(2.0)},
        {"alpha": 1e9},
        {"regressor": "pcr"},
    ],
    ids=str,
)
def test_another_output_is_another_key_of_a_fitted_distiller(rows, change):
    distiller = ReverseDistiller().fit(rows)
    other = ReverseDistiller(**change).fit(rows)
    assert distiller.fingerprint() != other.fingerprint() != ReverseDistiller().fingerprint()
    assert other.fingerprint() == ReverseDistiller(**change).fit(rows).fingerprint()
    assert other.fingerprint() != ReverseDistiller(**change).fit(rows[:200]).fingerprint()
    renamed = rows.rename(columns=lambda name: name.replace("a_", "A_"))
    assert other.fingerprint() != ReverseDistiller(**change).fit(renamed).fingerprint()


def test_what_does_not_change_the_output_does_not_change_it(rows, tmp_path):
    distiller = ReverseDistiller().fit(rows)
    key = distiller.fingerprint()
    assert ReverseDistiller(memory=str(tmp_path)).fingerprint() == ReverseDistiller().fingerprint()
    assert ReverseDistiller(memory=str(tmp_path)).fit(rows).fingerprint() == key
    assert distiller.set_params(n_components="c").fingerprint() == key
    assert distiller.set_params(n_components=12).fingerprint() == key
    assert distiller.set_params(alpha=7.0).fingerprint() == key  # of the next fit
    distiller.set_output(transform="pandas").transform(rows)
    assert distiller.fingerprint() == key


def test_a_distiller_that_was_saved_and_read_has_the_same(rows, tmp_path):
    distiller = ReverseDistiller(DIMS).fit(rows.to_numpy())
    distiller.save_pretrained(tmp_path / "d")
    assert ReverseDistiller.from_pretrained(tmp_path / "d").fingerprint() == distiller.fingerprint()


def test_a_chain_is_solved_for_it_where_that_is_due(rows):
    whole = ReverseDistiller().fit_moments(Moments.of(rows.to_numpy()), NAMES)
    added = ReverseDistiller().partial_fit(rows)
    key = added.fingerprint()
    np.testing.assert_array_equal(added.components_, whole.components_)
    assert added.fingerprint() == key
    added.partial_fit(rows[:9])
    assert added.fingerprint() != key
