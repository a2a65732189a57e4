"""StoreUser: an estimator with a `store`, which says where a relative one is after it was saved."""

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..utils._files import local_path
from ._store import EmbeddingStore


class StoreUser:
    """Base class of estimators that keep embeddings in the file that their `store` names.

    A relative path stays as it was given, so that a saved pipeline also works on a machine without
    the folder. A pickle remembers the file that it meant.
    """

    store: Any

    def _open_store(self) -> AbstractContextManager[EmbeddingStore | None]:
        """Open the store, if there is one to use, and make it if there is no such file."""
        if self.store is None:
            return nullcontext()
        meant, path = vars(self).pop("_meant_store", None), local_path(self.store).absolute()
        if meant not in (None, str(path)) and not path.exists():
            warnings.warn(
                f"store={str(self.store)!r} is relative and meant {meant!r} where this "
                f"{type(self).__name__} was saved; here it is {str(path)!r}, a new file, so that "
                "sequences are embedded again; set `store` to the absolute path to use the former.",
                UserWarning,
                stacklevel=5,
            )
        return EmbeddingStore.create(self.store, exist_ok=True)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())  # type: ignore[arg-type]  # that of BaseEstimator
        if self.store is not None and not local_path(self.store).is_absolute():
            state.setdefault("_meant_store", str(local_path(self.store).absolute()))
        return state
