"""verify_embeddings: compare our embeddings with fair-esm's and with published outputs."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..sequences._records import read_records
from ..utils._compat import StrOptions, validate_params
from ..utils._files import bundled
from ..utils._models import Model, model_name, resolve_chain
from ..utils._progress import ProgressBar
from ._agreement import Agreement, first_layer
from ._embedder import ESMEmbedder
from ._published_outputs import Comparison, published_outputs

if TYPE_CHECKING:
    from ._fair_esm import FairESM

# One and two residues, a mask alone, and ambiguous letters that have tokens.
_SMALL = ["M", "MK", "<mask>", "XBZUO"]
_LONG = (1022, 1200)  # residues: the longest in the training of ESM-2, and longer
_N_NATURAL = 6
_N_ROUNDS = 3  # the median of their times is taken


@validate_params(
    {
        "chain": [str, list, tuple],
        "device": [str, None],
        "dtype": [StrOptions({"float32", "float16", "bfloat16"})],
        "verbose": ["verbose"],
    }
)
def verify_embeddings(
    chain: str | Sequence[str] = "650M",
    *,
    device: str | None = None,
    dtype: str = "float32",
    verbose: bool = False,
) -> pd.DataFrame:
    """Compare the embeddings of each model of a chain with those of fair-esm.

    Both embed the same sequences with the same weights on this machine: natural proteins that
    come with the package, one and two residues, ambiguous and masked residues, 1,022 and 1,200
    residues. Our largest difference from fair-esm in float64 may be at most 8 times that of
    fair-esm in float32, plus 4 rounding units of the largest value (16 in half precision). Where
    outputs of a model have been published (ESM-2 8M to 3B), ours are also compared with those.
    They were computed in bfloat16, so differences within its rounding are allowed.

    Read more in the :ref:`User Guide <verify>`.

    Parameters
    ----------
    chain : str or list of str, default="650M"
        As :class:`ESMEmbedder` takes it. Published outputs are those of the model of the same
        name, so a checkpoint of yours must be named as ESM-2's is to be compared with them.

    device : str, default=None
        Device of torch, as in ``"cuda:1"``; None is the best there is.

    dtype : {"float32", "float16", "bfloat16"}, default="float32"
        Precision of our computation.

    verbose : bool, default=False
        Whether to show progress on standard error.

    Returns
    -------
    table : DataFrame
        A row for each model, with the columns

        - `model`: its name.
        - `rows_error`, `means_error`: the largest difference of our residue representations, and
          of their means, from float64; short and long sequences are judged separately, and the
          worse result is shown.
        - `rows_ratio`, `means_ratio`: the same in units of fair-esm's own largest difference.
        - `cosine`: the least cosine between a residue's representation and that of float64.
        - `published_error`, `published_allowed`: the largest difference from the published
          outputs, and what is allowed; NaN where there are none.
        - `speed`: our residues per second divided by those of fair-esm in the batches of its own
          program, from the median times of three alternating rounds.
        - `holds`: whether all differences are within what is allowed.
        - `finding`: a sentence that says what differs and where; empty if `holds`.

    Raises
    ------
    ValueError
        If the chain, a checkpoint or the device is not valid, or values in half precision are not
        finite.
    FileNotFoundError
        If there are no weights; the message says where to put them.

    See Also
    --------
    ESMEmbedder : The transformer whose embeddings are compared.

    Notes
    -----
    Each model is in memory twice, in our layout and in fair-esm's, and a third time while the
    first layer that differs is searched for. Float64 is computed on CUDA if that is the device,
    else on the CPU, one layer at a time.

    Examples
    --------
    >>> from sklearn_revdist import verify_embeddings
    >>> table = verify_embeddings(["demo-48"])
    >>> table[["model", "holds"]].values.tolist()
    [['esm2_t3_100K_demo', True]]
    """
    from ._checkpoints import locate

    models = resolve_chain(chain)
    for entry in models:
        locate(entry)  # before the work
    return pd.DataFrame([_verified(entry, device, dtype, bool(verbose)) for entry in models])


def _verified(entry: Model | Path, device: str | None, dtype: str, verbose: bool) -> dict[str, Any]:
    """Return the row of one model."""
    import torch

    from ..utils._torch_settings import default_settings
    from ._checkpoints import locate, read_checkpoint
    from ._esm2 import ESM2
    from ._fair_esm import FairESM
    from ._inference import resolve_device

    name = model_name(entry)
    torch_device, torch_dtype = resolve_device(device), getattr(torch, dtype)
    chain: list[Any] = [name if isinstance(entry, Model) else entry]
    embedder = ESMEmbedder(chain, device=device, dtype=dtype, unknown="keep")
    _rows(embedder, ["M"])  # says what is wrong with a checkpoint
    checkpoint = read_checkpoint(locate(entry))
    stock = FairESM(checkpoint, torch_device)
    natural = _natural()
    few = natural[:_N_NATURAL]
    long = ["".join(natural)[:length] for length in _LONG]
    rows: list[Agreement] = []
    means: list[Agreement] = []
    cosines: list[float] = []
    with ProgressBar(desc=name, total=0, disable=not verbose) as bar:
        for group in ([*few, *_SMALL, _unusual(few[0])], long):
            bar.total += len(group)
            single, double = [], []
            for sequence in group:
                single.append(stock.rows(sequence))
                double.append(stock.rows(sequence, double=True))
                bar.update()
            ours = _rows(embedder, group)
            rows.append(Agreement.of(group, ours, single, double, dtype))
            pooled = embedder.transform(group)[:, None]
            means.append(Agreement.of(group, pooled, _means(single), _means(double), dtype))
            cosines += map(_least_cosine, ours, double)
    published = published_outputs(name)
    compared = published and published.compare(_rows(embedder, published.sequences))
    worst_rows, worst_means = (max(judged, key=lambda j: j.share) for judged in (rows, means))
    finding = _differing(worst_rows, worst_means) or _not_published(compared)
    if not worst_rows.holds:
        with default_settings(torch_device):
            ours = ESM2(checkpoint, device=torch_device, dtype=torch_dtype)
            finding += _from_layer(first_layer(worst_rows.sequence, ours, stock, dtype), stock)
    return {
        "model": name,
        "rows_error": worst_rows.error,
        "rows_ratio": worst_rows.ratio,
        "means_error": worst_means.error,
        "means_ratio": worst_means.ratio,
        "cosine": min(cosines),
        "published_error": compared.difference if compared else float("nan"),
        "published_allowed": compared.allowed if compared else float("nan"),
        "speed": _speed(embedder, stock, few),
        "holds": not finding,
        "finding": f"{name}: {finding}." if finding else "",
    }


def _differing(rows: Agreement, means: Agreement) -> str:
    """Describe how our values differ from fair-esm's; empty if they agree."""
    if not rows.holds:
        return rows.described(f"residue {rows.row + 1}")
    if not means.holds:
        return f"{means.described('the mean')}; residues agree, so pooling is at fault"
    return ""


def _from_layer(layer: int | None, stock: "FairESM") -> str:
    """Say in which layer the difference begins."""
    if layer is None:
        return "; alone it agrees in every layer, so batching is at fault"
    part = f"layer {layer} of {stock.n_layers}" if layer else "the input"
    return f"; the first part that differs is {part}"


def _not_published(compared: Comparison | None) -> str:
    """Describe how outputs differ from the published ones; empty if they agree."""
    if compared is None or compared.holds:
        return ""
    return (
        f"{compared.where} is {compared.difference:.2g} away from the published one, where "
        f"{compared.allowed:.2g} is allowed, and all differ by {compared.share_of_spread:.2g} of "
        "their spread, though fair-esm agrees with us; these are not the published weights, so "
        "fetch them again, or give a model of your own another name"
    )


def _natural() -> list[str]:
    """Return natural proteins of the bundled data."""
    return [sequence for _, sequence in islice(read_records(bundled("FLIP_SS3_240.csv.gz")), 20)]


def _unusual(sequence: str) -> str:
    """Replace some residues by X, and some by masks."""
    letters = list(sequence)
    letters[3::7] = ["X"] * len(letters[3::7])
    letters[5::9] = ["<mask>"] * len(letters[5::9])
    return "".join(letters)


def _rows(embedder: ESMEmbedder, sequences: list[str]) -> list[NDArray]:
    """Return our residue rows of each sequence."""
    blocks, index = zip(*embedder.iter_residues(sequences), strict=True)
    starts = np.searchsorted(np.concatenate(index), np.arange(1, len(sequences)))
    return np.split(np.concatenate(blocks), starts)


def _means(rows: list[NDArray]) -> list[NDArray]:
    """Take means in the precision of the rows, as fair-esm's own program does."""
    import torch

    return [torch.from_numpy(r).mean(0, keepdim=True).numpy() for r in rows]


def _least_cosine(x: NDArray, y: NDArray) -> float:
    x = x.astype(np.float64)
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    return float((np.sum(x * y, axis=1) / norms).min())


def _speed(embedder: ESMEmbedder, stock: "FairESM", sequences: list[str]) -> float:
    """Return our speed divided by fair-esm's, timed alternately."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(_N_ROUNDS):
        for taken, embed in zip(seconds, (embedder.transform, stock.means), strict=True):
            start = perf_counter()
            embed(sequences)
            taken.append(perf_counter() - start)
    ours, theirs = map(median, seconds)
    return theirs / ours
