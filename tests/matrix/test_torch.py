"""Tensors on the CPU are arrays; what runs on CUDA is shown on the CPU, and there where one is."""

import numpy as np
import pytest
import torch

from sklearn_revdist import Moments, ReverseDistiller
from sklearn_revdist.distillation._affine_chain import AffineChain
from sklearn_revdist.distillation._chain import solve_chain
from sklearn_revdist.matrix._torch import sums_on_device

DIMS = [4, 7, 12]
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_tensor_on_the_cpu_gives_what_its_array_gives(dtype, X):
    tensor = torch.tensor(X, dtype=dtype, requires_grad=True)
    array = tensor.detach().numpy()
    ours, theirs = ReverseDistiller(DIMS).fit(tensor), ReverseDistiller(DIMS).fit(array)
    np.testing.assert_array_equal(ours.components_, theirs.components_)
    nested = ours.transform(tensor)
    assert isinstance(nested, torch.Tensor)
    assert nested.dtype == dtype
    np.testing.assert_array_equal(nested.numpy(), theirs.transform(array))
    back = ours.inverse_transform(nested)
    np.testing.assert_array_equal(back.numpy(), theirs.inverse_transform(nested.numpy()))
    assert ours.score(tensor) == theirs.score(array)


def test_batches_of_tensors_and_arrays_add_up(X):
    tensors, arrays = ReverseDistiller(DIMS), ReverseDistiller(DIMS)
    for start in range(0, 300, 37):
        tensors.partial_fit(torch.from_numpy(X[start : start + 37]))
        arrays.partial_fit(X[start : start + 37])
    np.testing.assert_array_equal(tensors.components_, arrays.components_)


def test_half_precision_becomes_single_and_integers_double(X):
    half = torch.tensor(X, dtype=torch.float16)
    distiller = ReverseDistiller(DIMS).fit(half)
    assert distiller.transform(half).dtype == torch.float32
    assert distiller.transform(half.to(torch.int64)).dtype == torch.float64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensor: tensor[0], r"shape \(23,\); give one with one row per"),
        (lambda tensor: tensor[:0], r"shape \(0, 23\)"),
        (
            lambda tensor: tensor.index_fill(1, torch.tensor([3]), torch.nan),
            "NaN in row 0, column 3",
        ),
        (lambda tensor: tensor[:, :20], "has 20 features, but"),
        (lambda tensor: tensor.to("meta"), "on the device meta, which holds no numbers; compute"),
        (lambda tensor: tensor.to_sparse(), r"The tensor is sparse; give X\.to_dense\(\)"),
        (lambda tensor: tensor + 1j, "The tensor is of complex numbers; give real ones"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_and_nothing_changes(change, message, X):
    distiller = ReverseDistiller(DIMS).fit(X)
    moments = distiller.moments_
    with pytest.raises(ValueError, match=message):
        distiller.partial_fit(change(torch.from_numpy(X)))
    with pytest.raises(ValueError, match=message):
        distiller.transform(change(torch.from_numpy(X)))
    assert distiller.moments_ is moments


def test_one_row_is_too_few_for_a_fit(X):
    with pytest.raises(ValueError, match="1 row, but ReverseDistiller needs at least 2"):
        ReverseDistiller(DIMS).fit(torch.from_numpy(X[:1]))


@pytest.mark.parametrize("weighted", [False, True])
def test_sums_of_the_device_are_the_moments(weighted, X, rng, monkeypatch):
    monkeypatch.setattr("sklearn_revdist.matrix._torch._ROWS", 64)
    weights = rng.integers(0, 3, size=300).astype(float) if weighted else None
    if weighted:
        weights[64:128] = 0  # a whole block of nothing
    weight, mean, scatter = sums_on_device(torch.from_numpy(X), weights)
    expected = Moments.of(X, weights)
    assert weight == expected.weight
    np.testing.assert_allclose(mean, expected.mean, rtol=1e-13)
    np.testing.assert_allclose(scatter, expected.scatter, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(scatter, scatter.T)


@pytest.mark.parametrize("n_components", [3, 4, 9, 12])
def test_the_map_of_tensors_is_that_of_arrays(n_components, X):
    moments = Moments.of(X)
    levels = solve_chain(moments, DIMS, [3, 5], regressor="ridge")
    chain = AffineChain(DIMS, moments.mean, levels)
    nested, expected = (chain.transform(rows, n_components) for rows in (torch.from_numpy(X), X))
    np.testing.assert_allclose(nested.numpy(), expected, rtol=0, atol=1e-12)
    back = chain.inverse_transform(nested).numpy()
    np.testing.assert_allclose(back, chain.inverse_transform(expected), atol=1e-12)


@pytest.mark.parametrize(
    "setting",
    [
        lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        lambda: torch.device("meta"),
    ],
    ids=["autocast", "meta"],
)
def test_settings_of_torch_do_not_change_the_map_of_tensors(setting, X):
    moments = Moments.of(X)
    chain = AffineChain(DIMS, moments.mean, solve_chain(moments, DIMS, [3, 5], regressor="ridge"))
    rows = torch.tensor(X, dtype=torch.float32)

    def results():
        nested = chain.transform(rows, 12)
        return nested, chain.inverse_transform(nested), *sums_on_device(rows)[1:]

    expected = results()
    with setting():
        found = results()
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    assert not found[0].is_inference()  # so that a user may go on with gradients


@needs_cuda
def test_rows_stay_on_the_device(X):
    tensor = torch.from_numpy(X).cuda()
    distiller = ReverseDistiller(DIMS).partial_fit(tensor[:100]).partial_fit(tensor[100:])
    nested = distiller.transform(tensor)
    assert nested.is_cuda
    expected = ReverseDistiller(DIMS).fit(X).transform(X)
    np.testing.assert_allclose(nested.cpu().numpy(), expected, rtol=0, atol=1e-9)
    assert distiller.inverse_transform(nested).is_cuda
