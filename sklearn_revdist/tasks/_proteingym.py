"""Fetch ProteinGym: download it once, check it, and put it in place whole."""

import hashlib
import os
import re
import shutil
import zipfile
from numbers import Integral, Real
from pathlib import Path, PurePosixPath

from sklearn.datasets import get_data_home
from sklearn.utils import Bunch

from ..utils._compat import Interval, validate_params
from ..utils._download import download, is_refusal
from ..utils._files import replaced
from ..utils._messages import first_line

# From the README of github.com/OATML-Markslab/ProteinGym, which lists all versions.
_PROTEINGYM = (
    "https://marks.hms.harvard.edu/proteingym/ProteinGym_v1.3/DMS_ProteinGym_substitutions.zip"
)
# According to ProteinGym, its substitutions take 1.1 GB unzipped.
_LARGEST_FOLDER = 8 * 2**30
_LARGEST_ARCHIVE = 4 * 2**30
_CHUNK = 2**20


@validate_params(
    {
        "data_home": [str, os.PathLike, None],
        "download_if_missing": ["boolean"],
        "n_retries": [Interval(Integral, 0, None, closed="left")],
        "delay": [Interval(Real, 0, None, closed="left")],
        "url": [str],
        "sha256": [str, None],
    }
)
def fetch_proteingym(
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
    url: str = _PROTEINGYM,
    sha256: str | None = None,
) -> Bunch:
    """Fetch the substitution scans of ProteinGym: 43 MB, 1.1 GB unpacked.

    The 217 deep mutational scans [1]_ are one table each, for :func:`read_tasks` and ``revdist
    evaluate``.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of datasets; None is scikit-learn's, ``~/scikit_learn_data``.
    download_if_missing : bool, default=True
        If False, raise an error instead of downloading.
    n_retries : int, default=3
        How often a download that broke off is resumed.
    delay : float, default=1.0
        Seconds between two attempts.
    url : str, default=ProteinGym 1.3
        Address of the archive, a zip of ``.csv`` files: another version, or a mirror.
    sha256 : str, default=None
        Checksum that the archive must have. ProteinGym publishes none, so None accepts any sound
        zip from the address. The result has its checksum, which can be passed the next time or on
        another machine.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the following attributes.

        path : str
            The folder of scans.
        filenames : list of str
            The files in it, sorted.
        sha256 : str
            Checksum of the archive.
        url : str
            Its address.
        DESCR : str
            Description, licence and reference.

    Raises
    ------
    OSError
        If it is missing and `download_if_missing` is False, or if the download fails; the part
        that was downloaded is kept, and the next call resumes from there.
    ValueError
        If the archive has another checksum, is damaged, is larger than 4 GiB or 8 GiB unpacked,
        or has a path that leads out of its folder.

    References
    ----------
    .. [1] Notin et al. (2023). ProteinGym: large-scale benchmarks for protein fitness
       prediction and design. Advances in Neural Information Processing Systems 36.

    Examples
    --------
    >>> from sklearn_revdist import fetch_proteingym, read_tasks
    >>> proteingym = fetch_proteingym()  # doctest: +SKIP
    >>> tasks = read_tasks(proteingym.path)  # doctest: +SKIP
    """
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"url={url!r} is not a web address; give one with https://.")
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ValueError(
            f"sha256={sha256!r} is not a SHA-256 checksum; give 64 hexadecimal digits."
        )
    home = Path(get_data_home(None if data_home is None else os.fspath(data_home)))
    # Each address and checksum has its own folder, so that versions do not mix.
    digest = hashlib.sha256(f"{url}\n{(sha256 or '').lower()}".encode()).hexdigest()[:12]
    folder = home / f"proteingym-{digest}"
    checksum_file = folder.with_suffix(".sha256")
    if not (folder.is_dir() and checksum_file.is_file()):
        if not download_if_missing:
            raise OSError(
                f"There is no ProteinGym in {str(home)!r}; set download_if_missing=True, or copy "
                "it there."
            )
        archive = folder.with_suffix(".zip")
        if not archive.exists():
            _download(url, archive, n_retries, delay)
        with open(archive, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if sha256 is not None and found != sha256.lower():
            archive.unlink()
            raise ValueError(
                f"The archive from {url} has the SHA-256 checksum {found}, not {sha256}, and was "
                "removed; check the address, or fetch it again."
            )
        _unpack(archive, folder)
        with replaced(checksum_file) as part:
            part.write_text(found)
        archive.unlink()
    return Bunch(
        path=str(folder),
        filenames=sorted(path.name for path in folder.glob("*.csv")),
        sha256=checksum_file.read_text(),
        url=url,
        DESCR=_PROTEINGYM_DESCR,
    )


_PROTEINGYM_DESCR = """ProteinGym's substitution scans

Deep mutational scans, each a table with the columns mutant (substitutions such as A24G:K31R,
positions from 1), mutated_sequence, DMS_score (the larger, the fitter) and DMS_score_bin. They are
published under the MIT licence by

Notin et al. (2023). ProteinGym: large-scale benchmarks for protein fitness prediction and design.
Advances in Neural Information Processing Systems 36.

Cite the papers of the assays that you use as well; ProteinGym lists them.
"""


def _download(url: str, archive: Path, n_retries: int, delay: float) -> None:
    try:
        download(url, archive, n_retries=n_retries, delay=delay, largest=_LARGEST_ARCHIVE)
    except OSError as error:
        remedy = (
            "check the address"
            if is_refusal(error)
            else "check the network and call again, which resumes the download, or copy a folder "
            "of scans from another machine"
        )
        raise OSError(f"{url} cannot be downloaded ({first_line(error)}); {remedy}.") from error
    except ValueError as error:
        raise ValueError(f"{error}; check the address.") from error


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack the tables of an archive into a folder, which appears when it is complete."""
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        with zipfile.ZipFile(archive) as content:
            tables = {}
            for entry in content.infolist():
                path = PurePosixPath(entry.filename.replace("\\", "/"))
                if path.is_absolute() or ".." in path.parts or ":" in entry.filename:
                    raise ValueError(f"it has the path {entry.filename!r}, which leads elsewhere")
                # Folders and other files are not needed.
                if path.suffix == ".csv" and not path.name.startswith("._"):
                    if path.name in tables:
                        raise ValueError(f"it has two tables named {path.name!r}")
                    tables[path.name] = entry
            if not tables:
                raise ValueError("it has no .csv")
            if sum(entry.file_size for entry in tables.values()) > _LARGEST_FOLDER:
                raise ValueError("it unpacks to more than 8 GiB")
            for name, entry in tables.items():
                # zipfile stops at the size that the archive states, and checks the CRC.
                with content.open(entry) as source, open(part / name, "wb") as target:
                    shutil.copyfileobj(source, target, _CHUNK)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        shutil.rmtree(part)
        archive.unlink()
        raise ValueError(
            f"The archive {str(archive)!r} was not unpacked: {first_line(error)}. It was "
            "removed; check the address, or fetch it again."
        ) from error
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
