"""Run fair-esm on a checkpoint, in float32 and float64 (torch)."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..utils._torch_settings import default_settings
from ._checkpoints import Checkpoint

_TOKENS_PER_BATCH = 4096  # as in fair-esm's own program, `esm-extract`


class FairESM:
    """fair-esm's model without its heads, which representations do not depend on.

    Parameters
    ----------
    checkpoint : Checkpoint
        Its tensors are used as they are, including the rotary frequencies.
    device : torch.device
        Where float32 is computed. Float64 is computed there on CUDA, elsewhere on the CPU.

    Attributes
    ----------
    n_layers : int
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device):
        from esm.model.esm2 import ESM2

        with torch.device("meta"):  # takes no memory and draws no random numbers
            model = ESM2(
                checkpoint.n_layers,
                checkpoint.width,
                checkpoint.n_heads,
                token_dropout=checkpoint.token_dropout,
            )
        model.lm_head = model.contact_head = nn.Identity()
        model.load_state_dict({k: checkpoint.tensors[k] for k in model.state_dict()}, assign=True)
        self.n_layers = checkpoint.n_layers
        self._device = device
        self._model = model.eval().requires_grad_(False).to(device, torch.float32)
        self._alphabet = model.alphabet

    def rows(self, sequence: str, *, double: bool = False) -> NDArray:
        """Residue rows of the last layer, in float32 or float64."""
        return self._rows(sequence, [self.n_layers], double)[0]

    def layers(self, sequence: str, *, double: bool = False) -> list[NDArray]:
        """Residue rows of the input and after each layer; the last ones are the model's output."""
        return self._rows(sequence, range(self.n_layers + 1), double)

    def means(self, sequences: list[str]) -> NDArray[np.float32]:
        """Means over residues in padded batches, as fair-esm's own program makes them."""
        from esm.data import FastaBatchedDataset

        data = FastaBatchedDataset(sequences, sequences)
        to_tokens = self._alphabet.get_batch_converter()
        means: dict[int, NDArray] = {}
        for batch in data.get_batch_indices(_TOKENS_PER_BATCH, extra_toks_per_seq=1):
            _, _, tokens = to_tokens([data[i] for i in batch])
            n_tokens = (tokens != self._alphabet.padding_idx).sum(1).tolist()
            with default_settings(self._device), torch.inference_mode():
                (rows,) = self._run(tokens.to(self._device), [self.n_layers])
            for i, found, n in zip(batch, rows, n_tokens, strict=True):
                means[i] = found[1 : n - 1].mean(0).cpu().numpy()
        return np.stack([means[i] for i in range(len(sequences))])

    def _rows(self, sequence: str, layers: Sequence[int], double: bool) -> list[NDArray]:
        device = self._device
        if double and device.type != "cuda":
            device = torch.device("cpu")  # MPS has no float64
        tokens = [self._alphabet.cls_idx, *self._alphabet.encode(sequence), self._alphabet.eos_idx]
        with ExitStack() as stack:
            stack.enter_context(default_settings(self._device))
            stack.enter_context(torch.inference_mode())
            if double:
                stack.enter_context(_in_double(self._model, device))
            found = self._run(torch.tensor([tokens], device=device), layers)
        return [rows[0, 1:-1].cpu().numpy() for rows in found]

    def _run(self, tokens: Tensor, layers: Sequence[int]) -> list[Tensor]:
        representations = self._model(tokens, repr_layers=layers)["representations"]
        return [representations[layer] for layer in layers]


@contextmanager
def _in_double(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Compute in float64, converting each layer only while it runs.

    The conversion back to single precision is exact.
    """
    from esm import multihead_attention

    home = next(model.parameters()).device

    def to_double(module, _):
        _forget_tables(module)
        module.to(device, torch.float64)

    def to_single(module, *_):
        _forget_tables(module)
        module.to(home, torch.float32)

    single_softmax = multihead_attention.utils_softmax
    multihead_attention.utils_softmax = _softmax
    parts = [model.embed_tokens, *model.layers, model.emb_layer_norm_after]
    hooks = [part.register_forward_pre_hook(to_double) for part in parts]
    hooks += [part.register_forward_hook(to_single, always_call=True) for part in parts]
    try:
        yield
    finally:
        multihead_attention.utils_softmax = single_softmax
        for hook in hooks:
            hook.remove()


def _softmax(x: Tensor, dim: int, onnx_trace: bool = False) -> Tensor:
    """fair-esm's softmax, which always computes in float32, extended to float64."""
    dtype = torch.float64 if x.dtype is torch.float64 else torch.float32
    return nn.functional.softmax(x, dim=dim, dtype=dtype)


def _forget_tables(module: nn.Module) -> None:
    """Discard rotary tables, which fair-esm caches by length but not by precision."""
    for part in module.modules():
        if hasattr(part, "_seq_len_cached"):
            part._seq_len_cached = None
