"""Whether this machine's processor multiplies bfloat16 faster than float32 (torch).

Torch computes in bfloat16 on any processor, but without instructions for it several times more
slowly than in float32. What it says of instructions is private, and environment variables may keep
libraries from using them, so the answer is tried before it is believed.
"""

import os
from functools import cache, partial

import torch
import torch.nn.functional as F

from ..utils._torch_settings import default_settings
from ._linear import Linear

# Values of ONEDNN_MAX_CPU_ISA for which oneDNN takes bfloat16, and computes in float32.
_EMULATING = {"AVX512_CORE", "AVX512_CORE_VNNI"}


@cache
def is_native() -> bool:
    """Whether there are instructions for products in bfloat16, torch uses them, and rightly."""
    with default_settings(torch.device("cpu")), torch.inference_mode():
        return _has_instructions() and _is_right()


def _has_instructions() -> bool:
    limits = {os.environ.get(f"{name}_MAX_CPU_ISA", "").upper() for name in ("ONEDNN", "DNNL")}
    try:
        products = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
        return products and torch.ops.mkldnn._is_mkldnn_bf16_supported() and not limits & _EMULATING
    except (AttributeError, RuntimeError):
        return False


def _is_right() -> bool:
    """Try the layers of a model; kernels of AMX fail if ATEN_CPU_CAPABILITY is set too low."""
    numbers = partial(torch.linspace, -6, 6, dtype=torch.float32, device="cpu")
    rows, weight, bias = (numbers(n).sin().bfloat16() for n in (64 * 96, 32 * 96, 32))
    rows, weight = rows.view(64, 96), weight.view(32, 96)
    heads = rows.view(1, 64, 3, 32).transpose(1, 2)
    single = heads.float()
    try:
        linear = Linear(weight, bias)(rows, gelu=True)
        attention = F.scaled_dot_product_attention(heads, heads, heads)
    except RuntimeError:
        return False
    pairs = (
        (linear, F.gelu(F.linear(rows.float(), weight.float(), bias.float()))),
        (attention, F.scaled_dot_product_attention(single, single, single)),
    )
    return all(torch.allclose(x.float(), y, rtol=0.02, atol=0.02) for x, y in pairs)
