"""A model of Hugging Face's transformers, on padded batches (torch)."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..sequences._tokens import encode_sequences
from ._esm2 import N_SPECIAL, to_device
from ._transformers import any_error_as
from ._vocabulary import Vocabulary

# Parts that base models have and that no representation depends on.
_UNUSED = ("pooler", "contact_head")
_TABLES_OF_POSITIONS = ("position_embeddings", "embed_positions", "wpe")


class PaddedModel:
    """An encoder, for inference.

    Parameters
    ----------
    name : str
        For messages.
    folder : Path
        Its configuration and weights. No code of the folder is executed.
    config : PretrainedConfig
    vocabulary : Vocabulary
    device : torch.device
    dtype : torch.dtype
        Of weights and activations.

    Attributes
    ----------
    width, n_layers : int
    is_packed, max_residues
        See :class:`LoadedModel`.

    Raises
    ------
    ValueError
        If weights are missing or do not fit, or the model is not an encoder of residues.
    """

    is_packed = False

    def __init__(
        self,
        name: str,
        folder: Path,
        config: Any,
        vocabulary: Vocabulary,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ):
        self.device = device
        self.width = config.hidden_size
        self.n_layers = config.num_hidden_layers
        self.vocabulary = vocabulary
        self.model = _load(name, folder, config, dtype).to(device).eval()
        self.max_residues = self._n_positions()
        self._check(name)

    @torch.inference_mode()
    def forward(
        self, sequences: list[NDArray[np.uint8]], layers: Collection[int]
    ) -> Iterator[torch.Tensor]:
        """Compute the representations of some layers.

        Parameters
        ----------
        sequences : list of ndarray of shape (n_residues,)
            Tokens of ESM-2's alphabet.
        layers : collection of int
            0 is the input of the first layer, `n_layers` the last representation.

        Yields
        ------
        x : Tensor of shape (n_tokens, width)
            Of one layer after another, from the lowest; see :class:`LoadedModel`.
        """
        before, after = self.vocabulary.before, self.vocabulary.after
        ids = [np.concatenate([before, self.vocabulary.ids[s], after]) for s in sequences]
        lengths = np.array([len(of_sequence) for of_sequence in ids])
        present = np.arange(lengths.max()) < lengths[:, None]
        padded = np.full(present.shape, self.vocabulary.padding)
        padded[present] = np.concatenate(ids)
        output = self.model(
            input_ids=to_device(padded, self.device),
            attention_mask=to_device(present.astype(np.int64), self.device),
            output_hidden_states=min(layers) < self.n_layers,
            return_dict=True,
        )
        for layer in sorted(layers):
            is_last = layer == self.n_layers
            yield self._unpadded(
                output.last_hidden_state if is_last else output.hidden_states[layer], lengths
            )

    def _unpadded(self, x: torch.Tensor, lengths: NDArray) -> torch.Tensor:
        """Rows of ``<cls>``, residues and ``<eos>``; of those that a model does not have, zeros."""
        n_before, n_after = len(self.vocabulary.before), len(self.vocabulary.after)
        none = x.new_zeros(1, x.shape[-1])
        parts = []
        for rows, length in zip(x, lengths.tolist(), strict=True):
            parts += [
                rows[:1] if n_before else none,
                rows[n_before : length - n_after],
                rows[length - 1 : length] if n_after else none,
            ]
        return torch.cat(parts)

    def _n_positions(self) -> int | None:
        """Length of the longest sequence, by the tables of absolute positions."""
        limits = []
        for path, module in self.model.named_modules():
            is_table = path.rpartition(".")[2] in _TABLES_OF_POSITIONS
            if is_table and isinstance(module, torch.nn.Embedding):
                # counted from the padding's on, where that has a position, as in RoBERTa
                unused = 0 if module.padding_idx is None else module.padding_idx + 1
                limits.append(module.num_embeddings - unused)
        n_special = len(self.vocabulary.before) + len(self.vocabulary.after)
        return min(limits) - n_special if limits else None

    def _check(self, name: str) -> None:
        """Refuse what is not an encoder: its first residue does not depend on the second."""
        one, other = encode_sequences(["AC", "AW"])
        what = f"{name} cannot be used as an encoder of residues"
        with any_error_as(what, "choose another model"):  # models take and return anything
            layers = range(self.n_layers + 1)
            found = [[*self.forward([tokens], layers)] for tokens in (one, other)]
            shapes = {tuple(x.shape) for of_sequence in found for x in of_sequence}
        if shapes != {(len(one) + N_SPECIAL, self.width)}:
            raise ValueError(
                f"{name} does not return {self.width} columns for each token and layer; choose an "
                "encoder of residues."
            )
        if torch.equal(found[0][-1][1], found[1][-1][1]):
            raise ValueError(
                f"{name} is a decoder, in which no residue depends on those after it; choose an "
                "encoder."
            )


def _load(name: str, folder: Path, config: Any, dtype: torch.dtype) -> torch.nn.Module:
    """Load the encoder's weights, all of which must be there."""
    from transformers import (
        MODEL_FOR_TEXT_ENCODING_MAPPING,
        AutoModel,
        AutoModelForTextEncoding,
    )

    has_encoder = type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING  # by itself, as in T5
    if config.is_encoder_decoder and not has_encoder:
        raise ValueError(
            f"{name} has an encoder and a decoder, and transformers does not load its encoder by "
            "itself; choose another model."
        )
    auto = AutoModelForTextEncoding if has_encoder else AutoModel
    what = f"The weights of {name} in {str(folder)!r} cannot be read"
    with any_error_as(what, "replace the files"):
        model, report = auto.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            trust_remote_code=False,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # for an error that names one
            output_loading_info=True,
        )
    wrong = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}
    wrong = sorted(key for key in wrong if not any(unused in key for unused in _UNUSED))
    if wrong:
        raise ValueError(
            f"{len(wrong)} tensors of {name} are missing in {str(folder)!r} or of another shape, "
            f"such as {wrong[0]!r}; replace its files by those of a trained model."
        )
    return model
