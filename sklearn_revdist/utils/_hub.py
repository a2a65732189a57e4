"""The hub: fetch files of a repository at one commit, and check that they are undamaged."""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ._messages import first_line


def fetch(repository: str, revision: str, filenames: Sequence[str]) -> Path:
    """Fetch files of a repository that are not in the cache, and return their folder.

    Parameters
    ----------
    repository : str
        Its name on the hub, as ``"owner/name"``.
    revision : str
        Hash of a commit. Its files never change, so that nothing in the cache is requested again.
    filenames : sequence of str
        Files of one folder, in order; those after the first that the repository does not have
        are not fetched.

    Returns
    -------
    folder : Path

    Raises
    ------
    FileNotFoundError
        If the repository does not have the first file, or a file cannot be fetched.
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
            missing = isinstance(error, EntryNotFoundError)
            if missing and not isinstance(error, LocalEntryNotFoundError):
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


def fetch_main(
    repository: str, is_complete: Callable[[Path], bool], choices: Sequence[Sequence[str]]
) -> Path:
    """Find a repository's revision ``main`` in the cache; what is not there is downloaded.

    Parameters
    ----------
    repository : str
        Its name on the hub, as ``"owner/name"``.
    is_complete : callable
        Whether a folder has all that is needed; then nothing is requested from the hub.
    choices : sequence of sequence of str
        Patterns of the names of files. Those of the first are downloaded; if that is not all that
        is needed, those of the next.

    Returns
    -------
    folder : Path

    Raises
    ------
    FileNotFoundError
        If files are neither in the cache nor can be downloaded, or the repository does not have
        them.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    with suppress(LocalEntryNotFoundError):
        folder = Path(snapshot_download(repository, local_files_only=True))
        if is_complete(folder):
            return folder
    try:
        for patterns in choices:
            # no patterns of files in folders of the repository
            how = {"allow_patterns": list(patterns), "ignore_patterns": "*/*"}
            folder = Path(snapshot_download(repository, **how))
            if is_complete(folder):
                return folder
    except Exception as error:  # those of its client for HTTP have no common class
        raise FileNotFoundError(
            f"Fetching {repository!r} from Hugging Face failed ({type(error).__name__}: "
            f"{first_line(error)}); correct the name, or without a network fetch the files "
            "elsewhere and give their folder, as in './folder'."
        ) from error
    raise FileNotFoundError(
        f"Neither Hugging Face nor its cache has a config.json of {repository!r} with weights in "
        "safetensors or PyTorch's format; choose another repository, or fetch its files elsewhere "
        "and give their folder."
    )


def check_fetched(path: Path) -> None:
    """Refuse a file that has changed since it was fetched from the hub, if its hash is known.

    The hub identifies a small file by git's hash of it and a large one by its SHA-256. The cache
    keeps a file under that name and links to it; a download into a folder writes the name and the
    time to a file beside it.

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
    """Hash of a file that was fetched and not changed on purpose since; None if unknown."""
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
