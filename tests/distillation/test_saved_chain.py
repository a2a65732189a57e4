import json
import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from sklearn_revdist import ReverseDistiller

PUBLISHED = Path(__file__).parents[1] / "published"


@pytest.fixture
def saved(tmp_path, rng):
    X = rng.normal(size=(100, 18))
    distiller = ReverseDistiller(dims=[3, 6, 9], n_components=7, regressor="ols").fit(X)
    path = tmp_path / "distiller.safetensors"
    distiller.save_pretrained(path)
    return distiller, path, X


def rewritten(path, change_arrays=None, description=None):
    """The file again, with changed arrays or another description."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    if description is not None:
        metadata = {"sklearn_revdist": description}
    arrays = load_file(path)
    if change_arrays:
        change_arrays(arrays)
    other = path.with_name("changed.safetensors")
    save_file(arrays, other, metadata)
    return other


def test_round_trip_is_bit_identical(saved):
    distiller, path, X = saved
    other = ReverseDistiller.from_pretrained(path)
    assert other.get_params() == distiller.get_params()
    names = {name for name in dir(distiller) if re.fullmatch(r"[a-z].*_", name)} - {"moments_"}
    assert {"components_", "reconstruction_", "ranks_", "amplifications_", "dims_"} < names
    for name in names:
        value = getattr(distiller, name)
        np.testing.assert_array_equal(getattr(other, name), value, err_msg=name)
    np.testing.assert_array_equal(other.transform(X), distiller.transform(X))
    other.n_components = None
    np.testing.assert_array_equal(other.transform(X)[:, :7], distiller.transform(X))


def header(path):
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["sklearn_revdist"], parse_constant=pytest.fail)


def test_the_header_says_how_the_chain_was_fitted(saved):
    description = header(saved[1])
    assert description["format"] == "reverse distillation chain 1"
    assert description["versions"] == {
        name: version(name) for name in ("sklearn-revdist", "numpy", "scikit-learn")
    }
    assert description["weight"] == 100
    assert description["parameters"]["regressor"] == "ols"
    assert description["model_names"] == ["block0", "block1", "block2"]
    assert description["dims"] == [3, 6, 9]
    assert [level["rank"] for level in description["levels"]] == [6, 9]


def test_what_is_not_known_of_a_chain_is_null(tmp_path):
    published = ReverseDistiller.from_pretrained(PUBLISHED, variant="pcr-fbpca-1k")
    published.save_pretrained(tmp_path / "own.safetensors")
    description = header(tmp_path / "own.safetensors")
    assert description["weight"] is None
    assert [level["r2"] for level in description["levels"]] == [None, None]
    assert np.isnan(ReverseDistiller.from_pretrained(tmp_path / "own.safetensors").r2_).all()


def test_a_header_without_versions_weight_and_checksum_is_read(saved):
    distiller, path, X = saved
    description = header(path)
    del description["versions"], description["weight"], description["sha256"]
    older = ReverseDistiller.from_pretrained(rewritten(path, description=json.dumps(description)))
    np.testing.assert_array_equal(older.transform(X), distiller.transform(X))


@pytest.fixture
def saved_joint(tmp_path, rng):
    X = rng.normal(size=(100, 18))
    distiller = ReverseDistiller([3, 6, 9], residual="joint", regressor="ols").fit(X)
    distiller.save_pretrained(tmp_path / "joint.safetensors")
    return distiller, tmp_path / "joint.safetensors", X


def test_joint_residuals_are_read_bit_by_bit(saved_joint):
    distiller, path, X = saved_joint
    other = ReverseDistiller.from_pretrained(path)
    assert other.residual == header(path)["parameters"]["residual"] == "joint"
    A = distiller.transform(X)
    np.testing.assert_array_equal(other.transform(X), A)
    np.testing.assert_array_equal(other.inverse_transform(A), distiller.inverse_transform(A))
    other.truncate("block1").save_pretrained(path)
    shorter = ReverseDistiller.from_pretrained(path)
    np.testing.assert_array_equal(shorter.transform(X[:, :9]), A[:, :6])


def test_a_file_that_does_not_say_which_residual_holds_that_of_the_model(saved):
    distiller, path, X = saved
    description = header(path)
    del description["parameters"]["residual"], description["sha256"]
    older = ReverseDistiller.from_pretrained(rewritten(path, description=json.dumps(description)))
    assert older.residual == "model"
    np.testing.assert_array_equal(older.transform(X), distiller.transform(X))
    assert set(load_file(path)) == {
        "mean",
        *(f"{a}.{i}" for a in ("components", "coef") for i in (1, 2)),
    }


@pytest.mark.parametrize(
    ("change", "residual", "message"),
    [
        (lambda arrays: None, "model", "its arrays do not match its models"),
        (lambda arrays: arrays.pop("carried.2"), "joint", r"'carried\.2'"),
        (
            lambda arrays: arrays.update({"carried.2": arrays["carried.2"][:, 1:]}),
            "joint",
            "has the wrong shape",
        ),
        (
            lambda arrays: arrays.update({"carried.2": arrays["carried.2"] * np.nan}),
            "joint",
            "has the wrong shape, type or values",
        ),
        (lambda arrays: arrays.pop("carried.2"), "both", "'residual' parameter"),
        (lambda arrays: arrays.pop("carried.2"), ["joint"], "'residual' parameter"),
    ],
    ids=["model", "missing", "narrow", "nan", "unknown", "list"],
)
def test_residuals_that_the_arrays_do_not_fit_are_refused(saved_joint, change, residual, message):
    description = header(saved_joint[1])
    del description["sha256"]
    description["parameters"]["residual"] = residual
    path = rewritten(saved_joint[1], change, json.dumps(description))
    with pytest.raises(ValueError, match=message):
        ReverseDistiller.from_pretrained(path)


def test_a_residual_set_since_the_fit_is_not_written(saved, saved_joint):
    for distiller, path, _ in (saved, saved_joint):
        before = path.read_bytes()
        other = {"model": "joint", "joint": "model"}[distiller.residual]
        with pytest.raises(ValueError, match=f"residual='{other}' is not what the chain was"):
            distiller.set_params(residual=other).save_pretrained(path)
        assert path.read_bytes() == before


def test_parameters_of_numpy_types_are_saved(tmp_path, rng):
    distiller = ReverseDistiller(
        dims=np.array([2, 3]), n_components=np.int64(3), alpha=np.float32(1)
    )
    distiller.fit(rng.normal(size=(20, 5))).save_pretrained(tmp_path / "a.safetensors")
    parameters = ReverseDistiller.from_pretrained(tmp_path / "a.safetensors").get_params()
    assert (parameters["dims"], parameters["n_components"], parameters["alpha"]) == ([2, 3], 3, 1.0)


@pytest.mark.parametrize("dims", [(2, 3), range(2, 4), np.array([2, 3]), pd.Series([2, 3])])
def test_widths_may_be_any_array_like(dims, tmp_path, rng):
    ReverseDistiller(dims).fit(rng.normal(size=(20, 5))).save_pretrained(tmp_path / "a")
    assert ReverseDistiller.from_pretrained(tmp_path / "a").dims == [2, 3]


def test_parameters_that_do_not_fit_are_not_written(saved):
    distiller, path, _ = saved
    before = path.read_bytes()
    with pytest.raises(ValueError, match="'alpha' parameter of ReverseDistiller"):
        distiller.set_params(alpha=object()).save_pretrained(path)
    assert path.read_bytes() == before


def test_saving_replaces_the_file_and_leaves_nothing_beside_it(saved):
    distiller, path, _ = saved
    before = path.read_bytes()
    distiller.save_pretrained(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_failed_save_keeps_the_old_file(saved, monkeypatch):
    distiller, path, _ = saved
    before = path.read_bytes()

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sklearn_revdist.distillation._saved_chain.os.fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        distiller.save_pretrained(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "nowhere.safetensors"
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors.*'demo'"):
        ReverseDistiller.from_pretrained(path)


@pytest.mark.parametrize("size", [0, 7, 100, -1])
def test_truncated_files_are_refused(saved, size):
    path = saved[1]
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="cannot be read as a saved distiller"):
        ReverseDistiller.from_pretrained(path)


def test_other_safetensors_files_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"other\.safetensors.*not a saved distiller"):
        ReverseDistiller.from_pretrained(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.update(mean=arrays["mean"][:-1]), "has the wrong shape"),
        (lambda arrays: arrays.update(mean=arrays["mean"] * np.nan), "has the wrong shape"),
        (
            lambda arrays: arrays.update({"coef.1": arrays["coef.1"].astype(np.float32)}),
            "has the wrong shape",
        ),
        (
            lambda arrays: arrays.update({"components.2": arrays["components.2"][:, 1:]}),
            "has the wrong shape",
        ),
        (lambda arrays: arrays.pop("coef.2"), r"'coef\.2'"),
        (lambda arrays: arrays.update(more=np.zeros(2)), "do not match its models"),
    ],
    ids=["short mean", "nan mean", "float32", "narrow", "missing", "more"],
)
def test_arrays_that_do_not_fit_are_refused_with_and_without_a_checksum(saved, change, message):
    with pytest.raises(ValueError, match=r"cannot be read as .*its checksum does not match"):
        ReverseDistiller.from_pretrained(rewritten(saved[1], change))
    description = header(saved[1])
    del description["sha256"]
    with pytest.raises(ValueError, match=rf"cannot be read as a saved distiller \(.*{message}"):
        ReverseDistiller.from_pretrained(rewritten(saved[1], change, json.dumps(description)))


@pytest.mark.parametrize(
    ("name", "value"),
    [("memory", "somewhere"), ("hook", 1), ("n_components", [1]), ("regressor", "lasso")],
)
def test_parameters_that_a_file_must_not_set_are_refused(saved, name, value):
    description = header(saved[1])
    del description["sha256"]
    description["parameters"][name] = value
    with pytest.raises(ValueError, match=f"'{name}'"):
        ReverseDistiller.from_pretrained(rewritten(saved[1], description=json.dumps(description)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("rank", None), ("rank", 10**30), ("r2", "much"), ("alpha", 10**400), ("condition", {})),
        ("two\nlines", 1.0),
    ],
)
def test_numbers_of_a_level_that_are_none_are_refused(saved, name, value):
    description = header(saved[1])
    del description["sha256"]
    description["levels"][1][name] = value
    message = r"^'.*' cannot be read as a saved distiller \([^\n]*\); save it again with [^\n]*\.$"
    with pytest.raises(ValueError, match=message):
        ReverseDistiller.from_pretrained(rewritten(saved[1], description=json.dumps(description)))


def test_widths_that_are_no_whole_numbers_are_refused(saved):
    description = header(saved[1])
    del description["sha256"]
    description["dims"] = [3.0, 6.0, 9.0]
    message = r"cannot be read as a saved distiller \(dims\[0\]=3\.0 is not a whole number"
    with pytest.raises(ValueError, match=message):
        ReverseDistiller.from_pretrained(rewritten(saved[1], description=json.dumps(description)))


@pytest.mark.parametrize(
    "description",
    [
        "[" * 10**5,
        "",
        "{}",
        "[1]",
        json.dumps({"format": "reverse distillation chain 1", "levels": 3}),
    ],
)
def test_damaged_descriptions_are_refused(saved, description):
    with pytest.raises(ValueError, match="cannot be read as a saved distiller"):
        ReverseDistiller.from_pretrained(rewritten(saved[1], description=description))


def test_the_home_folder_may_be_written_short(tmp_path, rng, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    distiller = ReverseDistiller([2, 3]).fit(rng.normal(size=(50, 5)))
    distiller.save_pretrained("~/x.safetensors")
    assert (tmp_path / "x.safetensors").is_file()
    found = ReverseDistiller.from_pretrained("~/x.safetensors")
    np.testing.assert_array_equal(found.components_, distiller.components_)
