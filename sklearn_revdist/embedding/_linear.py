"""A linear layer that multiplies by packed weights, where this torch has that (torch).

The operators are oneDNN's, which torch's own compiler calls. They are private, so they are tried
before they are used, and torch's public functions are used where they are missing or wrong.
"""

from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor


class Linear:
    """``x @ weight.T + bias`` in the weights' precision, followed by GELU where that is asked for.

    On CPUs oneDNN multiplies float32 and bfloat16 by weights that are packed once. On AMD's
    processors the library that torch uses for float32 takes 2.3 times as long. In bfloat16 oneDNN
    is torch's own choice, but packs weights at each call and rounds once more before GELU.
    """

    def __init__(self, weight: Tensor, bias: Tensor):
        self.packed = weight.device.type == "cpu" and _can_pack(weight.dtype)
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight) if self.packed else weight
        self.bias = bias

    def __call__(self, x: Tensor, *, gelu: bool = False) -> Tensor:
        x = x.to(self.weight.dtype)
        if self.packed:
            after = ("gelu", [], "none") if gelu else ("none", [], "")
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, *after)
        x = F.linear(x, self.weight, self.bias)
        return F.gelu(x) if gelu else x


@cache
def _can_pack(dtype: torch.dtype) -> bool:
    """Whether this torch has the packed linear layer in a precision, and its results are right."""
    if dtype not in (torch.float32, torch.bfloat16):
        return False
    numbers = partial(torch.linspace, dtype=torch.float32, device="cpu")
    rows, bias = numbers(-2, 2, 3 * 32).view(3, 32), numbers(-1, 1, 16)
    weight = numbers(-1, 1, 16 * 32).view(16, 32)
    rows, weight, bias = (tensor.to(dtype) for tensor in (rows, weight, bias))
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight)
        found = torch.ops.mkldnn._linear_pointwise(rows, packed, bias, "gelu", [], "none")
    except (AttributeError, RuntimeError, TypeError):
        return False
    expected = F.gelu(F.linear(rows.float(), weight.float(), bias.float()))
    tolerance = 1e-5 if dtype is torch.float32 else 0.01
    return torch.allclose(found.float(), expected, rtol=tolerance, atol=tolerance)
