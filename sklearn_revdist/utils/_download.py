"""Download a file whole or not at all, and continue a download that broke off."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from ._messages import warn_user
from ._progress import ProgressBar

_Bar = Callable[..., ProgressBar]

_CHUNK = 2**20  # bytes
_TIMEOUT = 60  # seconds without an answer
_BUSY = 429  # too many requests; codes from 500 on are troubles of the server itself


def download(
    address: str,
    target: Path,
    *,
    n_retries: int = 3,
    delay: float = 1.0,
    largest: int | None = None,
    check: Callable[[Path], object] | None = None,
    verbose: bool = False,
) -> None:
    """Download a file, and resume a download that broke off, in this call or in an earlier one.

    What has been downloaded is kept beside `target`, as ``NAME.part``. While a process continues
    it, the part has a name of its own, so two processes never write to one file.

    Parameters
    ----------
    address : str
    target : Path
        Where the file appears when it is complete; its folder is made.
    n_retries : int, default=3
        How often to try again if the server is busy, or if the download had begun.
    delay : float, default=1.0
        Seconds between two attempts.
    largest : int, default=None
        The most bytes that are accepted.
    check : callable, default=None
        Raises ValueError if the file at a path, which is complete, is not what it should be.
    verbose : bool, default=False
        Whether to show progress on standard error.

    Raises
    ------
    HTTPError
        If the server has no such file, or refuses to give it.
    OSError
        If the download fails otherwise; the message is the reason alone.
    ValueError
        If the file is larger than `largest`, or that of `check`; what was downloaded is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    kept = target.with_name(f"{target.name}.part")
    part = target.with_name(f"{target.name}.{os.urandom(6).hex()}.part")
    bar = partial(ProgressBar, desc=target.name, unit="B", unit_scale=True, disable=not verbose)
    with suppress(FileNotFoundError):
        kept.rename(part)
    try:
        with open(part, "ab") as file:
            _complete(address, file, n_retries, delay, largest, bar)
        if check is not None:
            check(part)
        part.replace(target)
    except ValueError:
        part.unlink()
        raise
    finally:
        if part.exists():
            if part.stat().st_size:
                part.replace(kept)
            else:
                part.unlink()


def is_refusal(error: OSError) -> bool:
    """Whether the server refuses to give the file, so that it is useless to try again."""
    return isinstance(error, HTTPError) and error.code < 500 and error.code != _BUSY


class _Interrupted(Exception):
    """The network or the server failed, for this reason."""


def _complete(
    address: str, file: BinaryIO, n_retries: int, delay: float, largest: int | None, bar: _Bar
) -> None:
    """Append what a file lacks, in several attempts if need be."""
    for attempt in range(n_retries + 1):
        try:
            _append(address, file, largest, bar)
            return
        except _Interrupted as error:
            answered = isinstance(error.__cause__, HTTPError)
            if attempt == n_retries or not (answered or file.tell()):
                raise OSError(str(error)) from error.__cause__
            warn_user(f"{address}: {error}; trying again.")
        time.sleep(delay)


def _append(address: str, file: BinaryIO, largest: int | None, bar: _Bar) -> None:
    """Append what a file lacks, or begin anew if the server cannot send the rest alone."""
    with _answer(address, file) as response:
        if response.status != 206:
            file.truncate(0)
        start = file.seek(0, os.SEEK_END)
        total = start + int(response.headers.get("Content-Length", 0))
        with bar(initial=start, total=total or None) as shown:
            while chunk := _read(response):
                if largest is not None and file.tell() + len(chunk) > largest:
                    raise ValueError(f"{address} is larger than {largest:,} bytes")
                file.write(chunk)
                shown.update(len(chunk))
    if file.tell() < total:
        raise _Interrupted(f"it ended after {file.tell()} of {total} bytes")


def _answer(address: str, file: BinaryIO) -> HTTPResponse:
    """Ask for what a file lacks."""
    start = file.seek(0, os.SEEK_END)
    headers = {"User-Agent": "sklearn-revdist"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        return urlopen(Request(address, headers=headers), timeout=_TIMEOUT)
    except HTTPError as answer:
        answer.close()
        if answer.code == 416 and start:  # what is here is at least as long as the file
            file.truncate(0)
            raise _Interrupted("the file has changed") from answer
        if is_refusal(answer):
            raise
        raise _Interrupted(f"{answer.code} {answer.reason}") from answer
    except (HTTPException, OSError) as error:
        raise _Interrupted(_reason(error)) from error


def _read(response: HTTPResponse) -> bytes:
    """Read some bytes; none are left at the end."""
    try:
        return response.read(_CHUNK)
    except (HTTPException, OSError) as error:
        raise _Interrupted(_reason(error)) from error


def _reason(error: Exception) -> str:
    """What went wrong, without the address."""
    return str(getattr(error, "reason", error)) or type(error).__name__
