"""Files of the reference implementation, made by `published/make.py`, give its outputs."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sklearn_revdist import ReverseDistiller

PUBLISHED = Path(__file__).parents[1] / "published"
VARIANTS = [
    f"{regressor}-{pca}-1k"
    for regressor in ("linear", "ridge", "pcr")
    for pca in ("fbpca", "incremental")
]


@pytest.fixture
def expected():
    with np.load(PUBLISHED / "expected.npz") as file:
        return dict(file)


@pytest.fixture
def folder(tmp_path):
    """The two steps of one variant, to be damaged."""
    for path in PUBLISHED.glob("rd-*-pcr-fbpca-1k.npz"):
        shutil.copy(path, tmp_path)
    return tmp_path


def rewrite(path, **changes):
    """Write the file's arrays again, some changed, some (None) left out."""
    with np.load(path) as file:
        arrays = {**file, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


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
    with pytest.raises(ValueError, match=r"several variants; choose one of linear-fbpca-1k, "):
        ReverseDistiller.from_pretrained(PUBLISHED)
    with pytest.raises(ValueError, match=r"no variant 'pcr'; choose one of pcr-fbpca-1k"):
        ReverseDistiller.from_pretrained(folder, variant="pcr")


def test_a_variant_of_something_else_than_a_folder_is_refused():
    with pytest.raises(
        ValueError, match=r"variant='pcr' and revision=None choose among .* 'demo' is neither a fol"
    ):
        ReverseDistiller.from_pretrained("demo", variant="pcr")


def test_folders_without_the_files_are_told(folder, tmp_path_factory):
    with pytest.raises(FileNotFoundError, match="has no files named rd-scaler-"):
        ReverseDistiller.from_pretrained(tmp_path_factory.mktemp("empty"))
    (folder / "rd-scaler-8M-35M-pcr-fbpca-1k.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file 'rd-scaler-8M-35M-pcr-fbpca-1k\.npz'"):
        ReverseDistiller.from_pretrained(folder)


def test_a_gap_between_the_steps_is_told(folder):
    middle = folder / "rd-scaler-35M-150M-pcr-fbpca-1k.npz"
    middle.rename(folder / "rd-scaler-150M-650M-pcr-fbpca-1k.npz")
    with pytest.raises(FileNotFoundError, match=r"no file 'rd-scaler-35M-150M-pcr-fbpca-1k\.npz'"):
        ReverseDistiller.from_pretrained(folder)


def test_files_of_the_naive_kind_alone_are_for_the_naive_chain(tmp_path):
    for path in PUBLISHED.glob("naive-*-fbpca-1k.npz"):
        shutil.copy(path, tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"only has .*; read them with NaiveChain\.from_pre"
    ):
        ReverseDistiller.from_pretrained(tmp_path)


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
    "changes",
    [
        {"pca__components_": None},
        {"regressor__coef_": None},
        {"pca__mean_": np.zeros(11)},
        {"regressor__coef_": np.zeros((12, 3)), "regressor__input_components_": np.zeros((8, 2))},
        {"regressor__intercept_": np.zeros((12, 1))},
        {"regressor__coef_": np.zeros(())},
        {"pca__components_": np.zeros(())},
    ],
    ids=["no basis", "no coef", "short mean", "coef", "intercept", "number", "number as basis"],
)
def test_arrays_that_do_not_fit_are_refused(folder, changes):
    rewrite(folder / "rd-scaler-8M-35M-pcr-fbpca-1k.npz", **changes)
    with pytest.raises(ValueError, match="is not a step of a published chain"):
        ReverseDistiller.from_pretrained(folder)


def test_unknown_keys_are_refused(folder):
    rewrite(folder / "rd-scaler-8M-35M-pcr-fbpca-1k.npz", pca__power=np.ones(3))
    with pytest.raises(ValueError, match="holds 'pca__power', which is not an array of published"):
        ReverseDistiller.from_pretrained(folder)


def test_steps_that_do_not_follow_each_other_are_refused(folder):
    shutil.copy(
        folder / "rd-scaler-35M-150M-pcr-fbpca-1k.npz",
        folder / "rd-scaler-8M-35M-pcr-fbpca-1k.npz",
    )
    with pytest.raises(ValueError, match="takes 12 columns, but the steps before it give 20"):
        ReverseDistiller.from_pretrained(folder)


@pytest.mark.parametrize("value", [np.full(12, np.nan), np.array(["text"])])
def test_values_that_are_no_finite_numbers_are_refused(folder, value):
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
