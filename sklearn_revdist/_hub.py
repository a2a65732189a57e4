"""The hub: files of a repository at one commit, from the local cache or over the network."""

from collections.abc import Sequence
from pathlib import Path


def fetch(repository: str, revision: str, filenames: Sequence[str]) -> Path:
    """The folder that holds some files of a repository, after fetching those not yet there.

    Parameters
    ----------
    repository : str
        Its name on the hub, as ``"owner/name"``.
    revision : str
        Hash of a commit. What the cache holds of it never changes, so that nothing is asked of
        the network that has been answered before.
    filenames : sequence of str
        Files of one folder, in the order of their need: the first that the repository does not
        have is the end of them.

    Returns
    -------
    folder : Path

    Raises
    ------
    FileNotFoundError
        If the repository has not even the first file, or it cannot be known.
    ImportError
        If huggingface_hub is not installed.
    """
    try:
        from huggingface_hub import _CACHED_NO_EXIST, hf_hub_download, try_to_load_from_cache
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
    except ImportError as error:
        raise ImportError(
            f"Reading {repository!r} from the hub needs huggingface_hub; install it with "
            'pip install "sklearn-revdist[hub]".'
        ) from error
    folder = None
    for filename in filenames:
        path = try_to_load_from_cache(repository, filename, revision=revision)
        if path is _CACHED_NO_EXIST:
            break
        try:
            path = path or hf_hub_download(repository, filename, revision=revision)
        except (EntryNotFoundError, OSError, ValueError) as error:
            known = not isinstance(error, LocalEntryNotFoundError)
            if known and isinstance(error, EntryNotFoundError):
                break
            reason = str(error).strip().partition("\n")[0]
            raise FileNotFoundError(
                f"Fetching {filename!r} of {repository!r} at the commit {revision} failed "
                f"({type(error).__name__}: {reason}); correct the name or the commit, or without a "
                "network fetch the files elsewhere and give the folder that holds them."
            ) from error
        folder = Path(path).parent
    if folder is None:
        raise FileNotFoundError(
            f"{repository!r} has no file {filenames[0]!r} at the commit {revision}; correct the "
            "variant, or the commit."
        )
    return folder
