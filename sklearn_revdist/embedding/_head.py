"""The head of a masked language model: from a row of the last layer to probabilities (torch)."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..sequences._tokens import TOKENS
from ..utils._torch_settings import default_settings
from ._checkpoints import Checkpoint

_PARTS = ("dense.weight", "dense.bias", "layer_norm.weight", "layer_norm.bias", "bias")


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
        parts = [tensors.get(f"lm_head.{name}") for name in _PARTS]
        for name, part, shape in zip(_PARTS, parts, shapes, strict=True):
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
