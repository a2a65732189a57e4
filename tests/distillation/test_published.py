"""Files of the reference implementation, made by `published/make.py`, give its outputs."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sklearn_revdist import NaiveChain, ReverseDistiller

PUBLISHED = Path(__file__).parents[1] / "published"
VARIANTS = [
    f"{regressor}-{pca}-1k"
    for regressor in ("linear", "ridge", "pcr")
    for pca in ("fbpca", "incremental")
]
NAIVE, RD = (NaiveChain, "naive", "None-fbpca-1k"), (ReverseDistiller, "rd", "pcr-fbpca-1k")


@pytest.fixture
def expected():
    with np.load(PUBLISHED / "expected.npz") as A, np.load(PUBLISHED / "expected-naive.npz") as B:
        return {**A, **B}


@pytest.fixture
def folder(tmp_path):
    """The two steps of one variant of each kind, to be damaged."""
    for path in [*PUBLISHED.glob("rd-*-pcr-fbpca-1k.npz"), *PUBLISHED.glob("naive-*-fbpca-1k.npz")]:
        shutil.copy(path, tmp_path)
    return tmp_path


def rewrite(path, **changes):
    """Write the file's arrays again, some changed, some (None) left out."""
    with np.load(path) as file:
        arrays = {**file, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize("variant", ["None-fbpca-1k", "None-incremental-1k"])
def test_outputs_of_the_naive_kind_equal_the_reference_implementations(
    variant, expected, reference
):
    chain = NaiveChain.from_pretrained(PUBLISHED, variant=variant)
    assert chain.model_names_[-1] == "esm2_t30_150M_UR50D"
    X = expected["X"]
    for chosen, rows, theirs in (
        (chain, X, expected[f"150M-{variant}"]),
        (chain.truncate("35M"), X[:, :20], expected[f"35M-{variant}"]),
    ):
        exact = chosen.transform(rows.astype(np.float64))
        np.testing.assert_allclose(exact, theirs, rtol=0, atol=5e-5)
        reference(theirs, exact).assert_matched(chosen.transform(rows))
    np.testing.assert_array_equal(chain.truncate("8M").transform(X[:, :8]), X[:, :8])


@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_equal_the_reference_implementations(variant, expected, reference):
    """Theirs are in float32; ours are the same in float64, and as close to that in float32."""
    distiller = ReverseDistiller.from_pretrained(PUBLISHED, variant=variant)
    assert distiller.dims_.tolist() == [8, 12, 20]
    assert distiller.model_names_ == [
        "esm2_t6_8M_UR50D",
        "esm2_t12_35M_UR50D",
        "esm2_t30_150M_UR50D",
    ]
    X = expected["X"]
    exact, nested = distiller.transform(X.astype(np.float64)), distiller.transform(X)
    np.testing.assert_allclose(exact, expected[variant], rtol=0, atol=5e-5)
    reference(expected[variant], exact).assert_matched(nested)
    np.testing.assert_array_equal(nested[:, :8], X[:, :8])


def test_published_weights_work_as_any_distiller(expected, tmp_path):
    distiller = ReverseDistiller.from_pretrained(PUBLISHED, variant=VARIANTS[0])
    distiller.n_components = "35M"
    nested = distiller.transform(expected["X"].astype(np.float64))
    np.testing.assert_allclose(nested, expected[VARIANTS[0]][:, :12], rtol=0, atol=5e-5)
    assert distiller.get_feature_names_out()[[0, -1]].tolist() == [
        "esm2_t6_8M_UR50D_0",
        "esm2_t12_35M_UR50D_residual_3",
    ]
    distiller.save_pretrained(tmp_path / "own.safetensors")
    own = ReverseDistiller.from_pretrained(tmp_path / "own.safetensors")
    np.testing.assert_array_equal(own.transform(expected["X"]), distiller.transform(expected["X"]))


def test_a_folder_of_one_variant_needs_no_name_and_of_several_one(folder, expected):
    distiller = ReverseDistiller.from_pretrained(folder)
    nested = distiller.transform(expected["X"].astype(np.float64))
    np.testing.assert_allclose(nested, expected["pcr-fbpca-1k"], rtol=0, atol=5e-5)
    with pytest.raises(
        ValueError, match=r"variant=None is none of .*; choose one of linear-fbpca-1k, "
    ):
        ReverseDistiller.from_pretrained(PUBLISHED)
    with pytest.raises(
        ValueError, match=r"variant='pcr' is none of .*; choose one of pcr-fbpca-1k"
    ):
        ReverseDistiller.from_pretrained(folder, variant="pcr")


def test_a_variant_of_something_else_than_a_folder_is_refused():
    with pytest.raises(
        ValueError, match=r"variant='pcr' and revision=None choose among .* 'demo' is neither a fol"
    ):
        ReverseDistiller.from_pretrained("demo", variant="pcr")


def test_a_naive_chain_is_read_from_a_folder_alone():
    with pytest.raises(FileNotFoundError, match="'demo' is not a folder; give the one that holds"):
        NaiveChain.from_pretrained("demo")


def test_folders_without_the_files_are_named(folder, tmp_path_factory):
    with pytest.raises(FileNotFoundError, match="has no files named rd-scaler-"):
        ReverseDistiller.from_pretrained(tmp_path_factory.mktemp("empty"))
    (folder / "rd-scaler-8M-35M-pcr-fbpca-1k.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file 'rd-scaler-8M-35M-pcr-fbpca-1k\.npz'"):
        ReverseDistiller.from_pretrained(folder)


def test_a_gap_between_the_steps_is_found(folder):
    middle = folder / "rd-scaler-35M-150M-pcr-fbpca-1k.npz"
    middle.rename(folder / "rd-scaler-150M-650M-pcr-fbpca-1k.npz")
    with pytest.raises(FileNotFoundError, match=r"no file 'rd-scaler-35M-150M-pcr-fbpca-1k\.npz'"):
        ReverseDistiller.from_pretrained(folder)


@pytest.mark.parametrize(("transformer", "other"), [(NAIVE, RD), (RD, NAIVE)])
def test_files_of_the_other_kind_alone_are_for_the_other_class(transformer, other, folder):
    for path in folder.glob(f"{transformer[1]}-*"):
        path.unlink()
    message = rf"only has .*; read them with {other[0].__name__}\.from_pretrained"
    with pytest.raises(FileNotFoundError, match=message):
        transformer[0].from_pretrained(folder)


def test_a_pickle_in_a_file_is_refused_and_not_run(folder, tmp_path):
    class Attack:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    path = folder / "rd-scaler-8M-35M-pcr-fbpca-1k.npz"
    rewrite(path, pca__mean_=np.array([Attack()], dtype=object))
    with pytest.raises(ValueError, match="cannot be read as published weights"):
        ReverseDistiller.from_pretrained(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("size", [0, 10, 500, -30])
def test_truncated_files_are_refused(folder, size):
    path = folder / "rd-scaler-35M-150M-pcr-fbpca-1k.npz"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"35M-150M-pcr-fbpca-1k\.npz' cannot be read as publish"):
        ReverseDistiller.from_pretrained(folder)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (RD, {"pca__components_": None}),
        (RD, {"regressor__coef_": None}),
        (RD, {"pca__mean_": np.zeros(11)}),
        (RD, {"regressor__coef_": np.ones((12, 3)), "regressor__input_components_": np.eye(8, 2)}),
        (RD, {"regressor__intercept_": np.zeros((12, 1))}),
        (RD, {"regressor__coef_": np.zeros(())}),
        (RD, {"pca__components_": np.zeros(())}),
        (NAIVE, {"pca__components_": None}),
        (NAIVE, {"pca__n_components": None}),
        (NAIVE, {"pca__n_components": np.array([12, 12])}),
        (NAIVE, {"pca__n_components": np.array(20)}),
        (NAIVE, {"pca__mean_": np.zeros(19)}),
        (NAIVE, {"pca__components_": np.zeros(12)}),
    ],
)
def test_arrays_that_do_not_fit_are_refused(kind, changes, folder):
    transformer, name, variant = kind
    rewrite(folder / f"{name}-scaler-8M-35M-{variant}.npz", **changes)
    with pytest.raises(ValueError, match="is not a step of a published chain"):
        transformer.from_pretrained(folder)


def test_unknown_keys_are_refused(folder):
    rewrite(folder / "rd-scaler-8M-35M-pcr-fbpca-1k.npz", pca__power=np.ones(3))
    with pytest.raises(ValueError, match="holds 'pca__power', which is not an array of published"):
        ReverseDistiller.from_pretrained(folder)


@pytest.mark.parametrize(("transformer", "kind", "variant"), [NAIVE, RD])
def test_steps_that_do_not_follow_each_other_are_refused(transformer, kind, variant, folder):
    first, second = (f"{kind}-scaler-{step}-{variant}.npz" for step in ("8M-35M", "35M-150M"))
    shutil.copy(folder / second, folder / first)
    with pytest.raises(ValueError, match="takes 12 columns, but the steps before it give 20"):
        transformer.from_pretrained(folder)


@pytest.mark.parametrize("value", [np.full(12, np.nan), np.array(["text"])])
def test_values_that_are_not_finite_numbers_are_refused(folder, value):
    rewrite(folder / "rd-scaler-8M-35M-pcr-fbpca-1k.npz", pca__mean_=value)
    with pytest.raises(ValueError, match="values in 'pca__mean_' that are not finite numbers"):
        ReverseDistiller.from_pretrained(folder)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(folder):
    path = folder / "rd-scaler-8M-35M-pcr-fbpca-1k.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("pca__mean_.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(513):
            member.write(bytes(2**20))
    with pytest.raises(ValueError, match="larger than any model's"):
        ReverseDistiller.from_pretrained(folder)


def test_arrays_that_are_small_but_packed_too_well_are_refused(folder):
    path = folder / "rd-scaler-8M-35M-pcr-fbpca-1k.npz"
    rewrite(path, pca__mean_=np.zeros(2**22))
    with np.load(path) as file:
        np.savez_compressed(path, **file)
    message = r"cannot be read as published weights \(\d+ arrays of 33\d{6} bytes are packed into"
    with pytest.raises(ValueError, match=message):
        ReverseDistiller.from_pretrained(folder)
