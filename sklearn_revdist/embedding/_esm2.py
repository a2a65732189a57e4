"""ESM-2 on packed sequences: from tokens to a row per residue, and its head (torch)."""

from collections.abc import Callable, Collection, Iterator
from functools import cache, partial
from itertools import accumulate, groupby
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..sequences._tokens import CLS, EOS, MASK, TOKENS
from ..utils._torch_settings import default_settings
from ._checkpoints import Checkpoint
from ._linear import Linear

MASK_RATE_IN_TRAINING = 0.15 * 0.8
N_SPECIAL = 2  # every sequence stands between <cls> and <eos>

_HEAD = ("dense.weight", "dense.bias", "layer_norm.weight", "layer_norm.bias", "bias")

# Neighbouring sequences of one length in a batch: their rows, their number, their length.
_Group = tuple[slice, int, int]


class _Norm(NamedTuple):
    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], *self, eps=1e-5)


class _Layer(NamedTuple):
    attention_norm: _Norm
    qkv: Linear
    out: Linear
    feed_forward_norm: _Norm
    fc1: Linear
    fc2: Linear


class ESM2:
    """Transformer of the ESM-2 family, for inference.

    The tokens of all sequences of a batch stand one after another in a single matrix, so
    there is no padding. Linear layers take the whole matrix. So does attention where there is
    a kernel for sequences of any length, on CUDA in half precision; elsewhere it takes
    neighbouring sequences of equal length together, so batches sorted by length are the
    fastest. A sequence never attends to another one.

    Parameters
    ----------
    checkpoint : Checkpoint
        Its tensors are copied.
    device : torch.device
    dtype : torch.dtype
        Of weights and activations. Rotary tables and the scale of the input are computed
        in float32. On the CPU so are the norms and the sum to which every layer adds: to round
        that sum would save no time, and more than double the error.

    Attributes
    ----------
    width : int
        Number of columns of the output.

    is_packed, max_residues
        See :class:`LoadedModel`.

    Raises
    ------
    ValueError
        If a tensor is missing from the checkpoint or has a wrong shape.

    References
    ----------
    Lin et al. (2023), "Evolutionary-scale prediction of atomic-level protein structure
    with a language model", Science 379, 1123-1130.
    """

    is_packed = True
    max_residues = None

    def __init__(self, checkpoint: Checkpoint, *, device: torch.device, dtype: torch.dtype):
        _check_tensors(checkpoint)
        tensors = checkpoint.tensors

        sum_dtype = torch.float32 if device.type == "cpu" else dtype

        def put(dtype: torch.dtype, *names: str, order: Tensor | slice = slice(None)) -> Tensor:
            return torch.cat([tensors[name] for name in names])[order].to(device, dtype)

        def norm(name: str) -> _Norm:
            return _Norm(*(put(sum_dtype, f"{name}.{part}") for part in ("weight", "bias")))

        def linear(*names: str, **how: Tensor) -> Linear:
            parts = ([f"{name}.{part}" for name in names] for part in ("weight", "bias"))
            return Linear(*(put(dtype, *part, **how) for part in parts))

        # Rotary embedding turns a column of a head's first half together with one of its second.
        # In queries and keys the two are made neighbours, which are then one complex number.
        columns = torch.arange(checkpoint.width, device="cpu")
        paired = columns.view(checkpoint.n_heads, 2, -1).mT.flatten()
        order = torch.cat([paired, checkpoint.width + paired, 2 * checkpoint.width + columns])
        layers = [f"layers.{i}" for i in range(checkpoint.n_layers)]
        self.device = device
        self.width = checkpoint.width
        self.n_layers = checkpoint.n_layers
        self.n_heads = checkpoint.n_heads
        self.token_dropout = checkpoint.token_dropout
        self.embedding = put(sum_dtype, "embed_tokens.weight")
        self.layers = [
            _Layer(
                attention_norm=norm(f"{layer}.self_attn_layer_norm"),
                qkv=linear(*(f"{layer}.self_attn.{part}_proj" for part in "qkv"), order=order),
                out=linear(f"{layer}.self_attn.out_proj"),
                feed_forward_norm=norm(f"{layer}.final_layer_norm"),
                fc1=linear(f"{layer}.fc1"),
                fc2=linear(f"{layer}.fc2"),
            )
            for layer in layers
        ]
        self.last_norm = norm("emb_layer_norm_after")
        # the file's own frequencies, which training has rounded
        frequencies = torch.stack(
            [tensors[f"{layer}.self_attn.rot_emb.inv_freq"] for layer in layers]
        )
        if (frequencies == frequencies[0]).all():
            frequencies = frequencies[:1]
        self.frequencies = frequencies.to(device, torch.float32)

    @torch.inference_mode()
    def forward(
        self, sequences: list[NDArray[np.uint8]], layers: Collection[int]
    ) -> Iterator[Tensor]:
        """Compute the representations of some layers, and nothing beyond the highest of them.

        Parameters
        ----------
        sequences : list of ndarray of shape (n_residues,)
            Tokens of each sequence, without <cls> and <eos>.
        layers : collection of int
            As fair-esm counts them: 0 is the input of the first layer, `n_layers` the output of
            the last, normalised.

        Yields
        ------
        x : Tensor of shape (n_tokens, width)
            Of one layer after another, from the lowest, on the model's device and of its dtype,
            or float32 on the CPU: rows of <cls>, of the residues and of <eos> of each sequence.
            They are overwritten when the next layer is asked for.
        """
        lengths = [len(sequence) + N_SPECIAL for sequence in sequences]
        x = self._embed(sequences)
        if 0 in layers:
            yield x
        attend = _packed_attention(lengths, x, self.n_heads)
        highest = max(layers)
        for number, (layer, turns) in enumerate(
            zip(self.layers[:highest], self._turns(lengths), strict=False), start=1
        ):
            qkv = layer.qkv(layer.attention_norm(x)).view(len(x), 3, self.n_heads, -1)
            _rotate(qkv[:, :2], turns)
            x += layer.out(attend(qkv))
            x += layer.fc2(layer.fc1(layer.feed_forward_norm(x), gelu=True))
            if number in layers:
                yield self.last_norm(x) if number == self.n_layers else x

    def _embed(self, sequences: list[NDArray[np.uint8]]) -> Tensor:
        tokens, scale = [], []
        for sequence in sequences:
            sequence = np.concatenate([[CLS], sequence, [EOS]])
            tokens.append(sequence)
            scale.append(self._scale(sequence == MASK))
        index = to_device(np.concatenate(tokens), self.device)
        factor = to_device(np.concatenate(scale), self.device)
        rows = F.embedding(index, self.embedding)
        return (rows * factor[:, None]).to(rows.dtype)

    def _scale(self, masked: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Factors of token dropout, which ESM-2 applies in inference too."""
        if not self.token_dropout:
            return np.ones(len(masked), dtype=np.float32)
        scale = (1 - MASK_RATE_IN_TRAINING) / (1 - masked.mean())
        return np.where(masked, 0, scale).astype(np.float32)

    def _turns(self, lengths: list[int]) -> Tensor:
        """Complex numbers by which queries and keys are multiplied, for each layer and token."""
        positions = np.concatenate([np.arange(n, dtype=np.float32) for n in lengths])
        positions = to_device(positions, self.device)
        angles = positions[:, None, None, None] * self.frequencies[:, None, None, None]
        turns = torch.polar(torch.ones_like(angles), angles)
        return turns.expand(len(self.layers), *turns.shape[1:])


class Head:
    """ESM-2's head, in single precision: dense, GELU, layer normalisation, tied embedding.

    Parameters
    ----------
    checkpoint : Checkpoint

    Raises
    ------
    ValueError
        If the checkpoint has no head, or one of another shape.
    """

    def __init__(self, checkpoint: Checkpoint):
        tensors, width = checkpoint.tensors, checkpoint.width
        shapes = ((width, width), (width,), (width,), (width,), (len(TOKENS),))
        parts = [tensors.get(f"lm_head.{name}") for name in _HEAD]
        for name, part, shape in zip(_HEAD, parts, shapes, strict=True):
            if part is None or tuple(part.shape) != shape:
                raise ValueError(
                    f"{str(checkpoint.path)!r} has no head that predicts residues: its tensor "
                    f"lm_head.{name} is missing or of another shape; scores need a checkpoint of "
                    "the whole masked language model."
                )
        self._parts = [part.float() for part in parts]
        weight = tensors.get("lm_head.weight", tensors["embed_tokens.weight"])
        self._weight = weight.float()

    def log_probabilities(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the log-probability of each token.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, width), float32
            Of the last layer, normalised.

        Returns
        -------
        log_probabilities : ndarray of shape (n_rows, 33), float64
            Natural logarithms, over all tokens of the alphabet.
        """
        dense, dense_bias, norm, norm_bias, bias = self._parts
        with default_settings(torch.device("cpu")), torch.inference_mode():
            x = F.gelu(F.linear(torch.from_numpy(rows), dense, dense_bias))
            x = F.layer_norm(x, x.shape[-1:], norm, norm_bias, eps=1e-5)
            logits = F.linear(x, self._weight, bias)
            return torch.log_softmax(logits.double(), dim=-1).numpy()


def _rotate(heads: Tensor, turns: Tensor) -> None:
    """Turn queries and keys in place, in single precision."""
    single = heads.float()  # `heads` itself, or a copy
    pairs = torch.view_as_complex(single.unflatten(-1, (-1, 2)))
    pairs *= turns
    if single is not heads:
        heads.copy_(single)


def _packed_attention(lengths: list[int], x: Tensor, n_heads: int) -> Callable[[Tensor], Tensor]:
    """Attention of every sequence to itself: (n_tokens, 3, n_heads, d) to (n_tokens, width)."""
    half_on_cuda = x.device.type == "cuda" and x.dtype is not torch.float32
    if not (half_on_cuda and _any_lengths(x.device, x.dtype, x.shape[1] // n_heads)):
        return partial(_attend_by_length, groups=_equal_lengths(lengths))
    ends = to_device(np.array([0, *accumulate(lengths)], dtype=np.int32), x.device)
    return partial(_attend_to_all, ends=ends, longest=max(lengths))


def _attend_by_length(qkv: Tensor, groups: list[_Group]) -> Tensor:
    out = []
    for rows, n_sequences, length in groups:
        q, k, v = qkv[rows].unflatten(0, (n_sequences, length)).permute(2, 0, 3, 1, 4)
        heads = F.scaled_dot_product_attention(q, k, v)
        out.append(heads.transpose(1, 2).flatten(0, 1).flatten(1))
    return torch.cat(out)


def _attend_to_all(qkv: Tensor, ends: Tensor, longest: int) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    return varlen_attn(*qkv.unbind(1), ends, ends, longest, longest).flatten(1)


@cache
def _any_lengths(device: torch.device, dtype: torch.dtype, head_width: int) -> bool:
    """Whether this torch has attention for packed sequences of any length, with right results."""
    lengths = [3, 1, 5]
    qkv = torch.linspace(-1, 1, sum(lengths) * 3 * 2 * head_width, device=device, dtype=dtype)
    qkv = qkv.sin().view(sum(lengths), 3, 2, head_width)
    ends = to_device(np.array([0, *accumulate(lengths)], dtype=np.int32), device)
    try:
        found = _attend_to_all(qkv, ends, max(lengths))
    except (ImportError, RuntimeError, TypeError):
        return False
    expected = _attend_by_length(qkv, _equal_lengths(lengths))
    return torch.allclose(found, expected, rtol=0, atol=0.02)


def _equal_lengths(lengths: list[int]) -> list[_Group]:
    groups, start = [], 0
    for length, neighbours in groupby(lengths):
        n_sequences = len(list(neighbours))
        stop = start + n_sequences * length
        groups.append((slice(start, stop), n_sequences, length))
        start = stop
    return groups


def to_device(array: NDArray, device: torch.device) -> Tensor:
    """Copy an array to a device, on CUDA without waiting for what is being computed there."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def _check_tensors(checkpoint: Checkpoint) -> None:
    for name, shape in _shapes(checkpoint).items():
        if name not in checkpoint.tensors:
            raise ValueError(
                f"{str(checkpoint.path)!r} has no tensor {name!r}, which an ESM-2 model of "
                f"{checkpoint.n_layers} layers needs; replace the file by a complete one."
            )
        found = tuple(checkpoint.tensors[name].shape)
        if found != shape:
            raise ValueError(
                f"{str(checkpoint.path)!r} has a tensor {name!r} of shape {found}, but an ESM-2 "
                f"model of width {checkpoint.width} and {checkpoint.n_heads} heads needs {shape}; "
                "replace the file."
            )


def _shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    width = checkpoint.width
    affine = {"emb_layer_norm_after": (width,)}
    shapes = {"embed_tokens.weight": (len(TOKENS), width)}
    for i in range(checkpoint.n_layers):
        layer = f"layers.{i}"
        shapes[f"{layer}.self_attn.rot_emb.inv_freq"] = (width // checkpoint.n_heads // 2,)
        affine |= {
            f"{layer}.self_attn.{part}_proj": (width, width) for part in ("q", "k", "v", "out")
        }
        affine |= {f"{layer}.self_attn_layer_norm": (width,), f"{layer}.final_layer_norm": (width,)}
        affine |= {f"{layer}.fc1": (4 * width, width), f"{layer}.fc2": (width, 4 * width)}
    for name, shape in affine.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes
