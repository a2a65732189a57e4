"""The linear layer is the same with packed weights and without."""

import pytest
import torch
import torch.nn.functional as F

from sklearn_revdist.embedding import _linear
from sklearn_revdist.embedding._linear import Linear


@pytest.fixture
def asked_again():
    """Let torch be asked again whether it can pack, before the test and after it."""
    _linear._can_pack.cache_clear()
    yield
    _linear._can_pack.cache_clear()


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("missing", [None, AttributeError, RuntimeError])
def test_with_and_without_packed_weights_it_is_torchs(
    reference, monkeypatch, asked_again, missing, gelu
):
    def reorder(weight):
        raise missing

    if missing:
        monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", reorder)
    numbers = torch.linspace(-2, 2, (5 + 7 + 1) * 24).sin()
    x, weight, bias = numbers[: 5 * 24].view(5, 24), numbers[120:288].view(7, 24), numbers[288:295]
    layer = Linear(weight, bias)
    assert not (missing and layer.packed)

    def expected(*given):
        y = F.linear(*given)
        return (F.gelu(y) if gelu else y).numpy()

    single, double = (x, weight, bias), (x.double(), weight.double(), bias.double())
    reference(expected(*single), expected(*double)).assert_matched(layer(x, gelu=gelu))


def test_half_precision_is_never_packed():
    assert not Linear(torch.ones(4, 4, dtype=torch.bfloat16), torch.ones(4)).packed


def test_wrong_results_of_packed_weights_are_noticed(monkeypatch):
    zeros = lambda rows, weight, *rest: torch.zeros(len(rows), 16)  # noqa: E731
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", zeros)
    assert not _linear._can_pack.__wrapped__()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_torchs_default_dtype_decides_nothing_on_packed_weights(dtype):
    before, can_pack = torch.get_default_dtype(), _linear._can_pack.__wrapped__()
    torch.set_default_dtype(dtype)
    try:
        assert _linear._can_pack.__wrapped__() is can_pack
    finally:
        torch.set_default_dtype(before)
