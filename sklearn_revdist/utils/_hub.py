"""The hub: files of a repository at one commit, and whether they still are what was fetched."""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from ._messages import first_line


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
            raise FileNotFoundError(
                f"Fetching {filename!r} of {repository!r} at the commit {revision} failed "
                f"({type(error).__name__}: {first_line(error)}); correct the name or the commit, "
                "or without a network fetch the files elsewhere and give their folder."
            ) from error
        folder = Path(path).parent
    if folder is None:
        raise FileNotFoundError(
            f"{repository!r} has no file {filenames[0]!r} at the commit {revision}; correct the "
            "variant, or the commit."
        )
    return folder


def check_fetched(path: Path) -> None:
    """Refuse a file that is not the one that was fetched from the hub, where that is known.

    The hub knows a small file by git's hash of it and a large one by its SHA-256. The cache keeps
    a file under that name and links to it; a download into a folder leaves the name and the time
    in a file beside.

    Parameters
    ----------
    path : Path
        A file of a snapshot in the cache, or of any folder.

    Raises
    ------
    ValueError
        If the file's hash is another.
    """
    name = _name_on_hub(path)
    if name is None:
        return
    if len(name) == 40:
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    else:
        digest = hashlib.sha256()
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: digest).hexdigest()
    if found != name:
        raise ValueError(
            f"{str(path)!r} is damaged: its hash is not {name}, that of the file on the hub; "
            "delete it and what it links to, and fetch it again."
        )


def _name_on_hub(path):
    """The hash of a file that was fetched and has not been changed on purpose since, or None."""
    if path.is_symlink():
        target = Path(os.readlink(path))
        name = target.name if target.parent.name == "blobs" else ""
    else:
        record = path.parent / ".cache" / "huggingface" / "download" / f"{path.name}.metadata"
        try:
            _, name, fetched = record.read_text(encoding="ascii").split()
            if path.stat().st_mtime > float(fetched) + 1:
                return None
        except (OSError, ValueError):
            return None
    return name if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", name) else None
