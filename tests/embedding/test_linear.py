"""The linear layer is the same with packed weights and without."""

import pytest
import torch
import torch.nn.functional as F

from sklearn_revdist.embedding import _linear
from sklearn_revdist.embedding._linear import Linear

PRECISIONS = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)


@pytest.fixture
def asked_again():
    """Let torch be asked again whether it can pack, before the test and after it."""
    _linear._can_pack.cache_clear()
    yield
    _linear._can_pack.cache_clear()


@PRECISIONS
@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("missing", [None, AttributeError, RuntimeError])
def test_with_and_without_packed_weights_it_is_torchs(
    reference, monkeypatch, asked_again, missing, gelu, dtype
):
    def reorder(weight):
        raise missing

    if missing:
        monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", reorder)
    numbers = torch.linspace(-2, 2, (5 + 7 + 1) * 24).sin().to(dtype)
    x, weight, bias = numbers[: 5 * 24].view(5, 24), numbers[120:288].view(7, 24), numbers[288:295]
    layer = Linear(weight, bias)
    assert not (missing and layer.packed)

    def expected(*given):
        y = F.linear(*given)
        return (F.gelu(y) if gelu else y).double().numpy()

    single, double = (x, weight, bias), (x.double(), weight.double(), bias.double())
    found = layer(x, gelu=gelu)
    assert found.dtype is dtype
    if dtype is torch.float32:
        reference(expected(*single), expected(*double)).assert_matched(found)
    else:
        reference(expected(*single), expected(*double)).assert_rounded(found.double(), dtype)


def test_float16_is_never_packed():
    assert not Linear(torch.ones(4, 4, dtype=torch.float16), torch.ones(4)).packed


@PRECISIONS
def test_wrong_results_of_packed_weights_are_noticed(monkeypatch, dtype):
    zeros = lambda rows, weight, *rest: torch.zeros(len(rows), 16)  # noqa: E731
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", zeros)
    assert not _linear._can_pack.__wrapped__(dtype)


@PRECISIONS
@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16], ids=str)
def test_torchs_default_dtype_decides_nothing_on_packed_weights(default, dtype):
    before, can_pack = torch.get_default_dtype(), _linear._can_pack.__wrapped__(dtype)
    torch.set_default_dtype(default)
    try:
        assert _linear._can_pack.__wrapped__(dtype) is can_pack
    finally:
        torch.set_default_dtype(before)
