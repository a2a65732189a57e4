"""Entries of a chain that Hugging Face's transformers computes: find, check and load them."""

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..utils._file_states import FileState, found_once
from ..utils._hub import check_fetched, fetch_main
from ..utils._messages import first_line
from ._hugging_face import read_json, shards
from ._vocabulary import Vocabulary, read_vocabulary

if TYPE_CHECKING:
    import torch

    from ._padded import PaddedModel

# Weights, in the order in which they are looked for.
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_SMALL = ("*.json", "*.txt", "*.model")  # configurations and vocabularies
# What is downloaded of a repository; the second only if there is no first.
_WHOLE = ((*_SMALL, "model*.safetensors"), (*_SMALL, "pytorch_model*.bin"))
_quiet_lock = threading.RLock()
_configs: dict[tuple[FileState, ...], Any] = {}
_vocabularies: dict[tuple[FileState, ...], Vocabulary] = {}


class TransformersEntry(NamedTuple):
    """A model of Hugging Face.

    Attributes
    ----------
    source : str or Path
        A repository, as ``"owner/name"``, or a folder.
    """

    source: str | Path

    @property
    def name(self) -> str:
        """Name in the columns: that of the repository without its owner, or of the folder."""
        return Path(self.source).name

    @property
    def is_published(self) -> bool:
        """Whether the name stands for the weights; those of a repository may change."""
        return False

    def files(self) -> list[Path]:
        """Files of the configuration, the vocabulary and the weights, downloaded if need be."""
        folder = self._folder(_has_weights, _WHOLE)
        return sorted({*_small_files(folder), *_weight_files(folder)})

    def shape(self) -> tuple[int, int]:
        """Number of layers, and of columns; the weights are not needed."""
        config = self._config(self._folder(_has_config, [["config.json"]]))
        return config.num_hidden_layers, config.hidden_size

    def vocabulary(self) -> Vocabulary:
        """Read the vocabulary."""
        folder = self.files()[0].parent
        small = _small_files(folder)
        return found_once(_vocabularies, small, lambda: self._vocabulary(folder))

    def load(self, device: "torch.device", dtype: "torch.dtype") -> "PaddedModel":
        """Load the model."""
        from ._padded import PaddedModel

        files = self.files()
        for file in files:
            check_fetched(file)
        folder = files[0].parent
        how = {"device": device, "dtype": dtype}
        with _quiet():
            # a copy, since loading writes into it
            config = copy.deepcopy(self._config(folder))
            return PaddedModel(self.name, folder, config, self.vocabulary(), **how)

    def _folder(
        self, is_complete: Callable[[Path], bool], choices: Sequence[Sequence[str]]
    ) -> Path:
        import_transformers()
        if isinstance(self.source, str):
            return fetch_main(self.source, is_complete, choices)
        if not is_complete(self.source):
            raise FileNotFoundError(
                f"There is no folder {str(self.source.absolute())!r} with a config.json and "
                f"{' or '.join(_WEIGHTS)}; correct the path in chain."
            )
        return self.source

    def _config(self, folder: Path) -> Any:
        return found_once(_configs, [folder / "config.json"], lambda: _read_config(folder))

    def _vocabulary(self, folder: Path) -> Vocabulary:
        from transformers import AutoTokenizer

        with _quiet():
            what = f"The tokenizer of {self.name} in {str(folder)!r} cannot be read"
            with any_error_as(what, "replace its files"):
                tokenizer = AutoTokenizer.from_pretrained(
                    folder, trust_remote_code=False, local_files_only=True
                )
            return read_vocabulary(tokenizer, self.name)


def import_transformers() -> None:
    """Import transformers, or say which extra has it."""
    try:
        import transformers  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "Models of other families need transformers; install it with "
            'pip install "sklearn-revdist[transformers]".'
        ) from error


def _read_config(folder: Path) -> Any:
    """Read a configuration, of an architecture that needs no code of the repository."""
    from transformers import CONFIG_MAPPING, AutoConfig

    path = folder / "config.json"
    content = read_json(path)
    architecture = content.get("model_type")
    if architecture not in CONFIG_MAPPING:
        if "auto_map" in content:
            raise ValueError(
                f"{str(path)!r} asks for code of its repository, which is never executed; choose "
                "a model whose architecture transformers has."
            )
        raise ValueError(
            f"{str(path)!r} is of the architecture {architecture!r:.60}, which this version of "
            "transformers does not have; install a later one, or choose another model."
        )
    what = f"{str(path)!r} is not the configuration of an encoder of sequences"
    with any_error_as(what, "choose another model"), _quiet():
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        shape = config.num_hidden_layers, config.hidden_size
        if not all(isinstance(n, int) and n > 0 for n in shape):
            raise ValueError(f"{shape[0]!r} layers and {shape[1]!r} columns")
    return config


@contextmanager
def any_error_as(what: str, remedy: str) -> Iterator[None]:
    """Say what is wrong, since damaged and foreign files make transformers raise anything."""
    try:
        yield
    except Exception as error:
        import torch

        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            raise
        raise ValueError(
            f"{what} ({type(error).__name__}: {first_line(error)}); {remedy}."
        ) from error


def _has_config(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def _has_weights(folder: Path) -> bool:
    return _has_config(folder) and bool(_weight_files(folder))


def _small_files(folder: Path) -> list[Path]:
    return sorted(path for pattern in _SMALL for path in folder.glob(pattern))


def _weight_files(folder: Path) -> list[Path]:
    """Files of the weights, if all of them are there."""
    for name in _WEIGHTS:
        whole, index = folder / name, folder / f"{name}.index.json"
        files = [whole] if whole.is_file() else shards(index) if index.is_file() else []
        if files and all(file.is_file() for file in files):
            return files
    return []


@contextmanager
def _quiet() -> Iterator[None]:
    """Let transformers write nothing, and restore its settings."""
    from transformers.utils import logging

    with _quiet_lock:
        level, shows_progress = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if shows_progress:
                logging.enable_progress_bar()
