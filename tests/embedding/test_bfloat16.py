"""Whether bfloat16 is worth it is asked of torch, tried, and answered whatever the settings."""

import pytest
import torch
import torch.nn.functional as F

from sklearn_revdist.embedding import _bfloat16

ask = _bfloat16.is_native.__wrapped__  # without its memory


@pytest.fixture(autouse=True)
def capable(monkeypatch):
    """A processor with the instructions; products are computed right on any."""
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True, raising=False)
    monkeypatch.setattr(_bfloat16, "Linear", _Linear)


class _Linear:
    def __init__(self, *tensors):
        self.tensors = tensors

    def __call__(self, x, gelu):
        return F.gelu(F.linear(x, *self.tensors))


def test_either_kind_of_instructions_will_do(monkeypatch):
    assert ask()
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert not ask()
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert ask()
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert not ask()


def test_a_torch_that_cannot_be_asked_has_none(monkeypatch):
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert not ask()


@pytest.mark.parametrize("name", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
@pytest.mark.parametrize("limit", ["AVX512_CORE", "avx512_core_vnni"])
def test_emulation_is_not_worth_it(monkeypatch, name, limit):
    monkeypatch.setenv(name, limit)
    assert not ask()
    monkeypatch.setenv(name, "AVX512_CORE_BF16")
    assert ask()


def _fails(*_):
    raise RuntimeError("pack_vnni2 kernel not implemented")


@pytest.mark.parametrize("attention", [_fails, lambda q, k, v: torch.zeros_like(q)])
def test_kernels_that_fail_or_are_wrong_are_noticed(monkeypatch, attention):
    exact = F.scaled_dot_product_attention
    assert ask()
    monkeypatch.setattr(
        F,
        "scaled_dot_product_attention",
        lambda q, k, v: (attention if q.dtype is torch.bfloat16 else exact)(q, k, v),
    )
    assert not ask()


def test_layers_that_are_wrong_are_noticed(monkeypatch):
    monkeypatch.setattr(_Linear, "__call__", lambda self, x, gelu: torch.zeros(len(x), 32))
    assert not ask()


def test_settings_of_torch_decide_nothing_and_are_left_alone(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            assert ask()
            assert torch.is_autocast_enabled("cpu")
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(before)
    assert not torch.backends.mkldnn.enabled
