"""Progress on standard error: a bar in a terminal, one line in a notebook, else one per tenth.

The bars of tqdm share a lock with forked processes. If one of these is killed while it holds the
lock, every later bar waits for ever, even a hidden one. These have a lock of their own.
"""

import sys
from collections.abc import Callable
from threading import RLock
from typing import Any

from tqdm import tqdm

# Seconds before the first line of text: what is done sooner needs none.
_QUICK = 5.0


class ProgressBar(tqdm):
    """A tqdm bar that writes lines of text where there is no terminal to draw a bar in.

    Lines are of the outermost bar only, at each tenth of its total, and none at the very beginning.
    In a notebook one line of output, which is not an error's, is changed as work goes on. Bars
    within a bar vanish when they are complete.
    """

    _lock = RLock()

    def __init__(self, *arguments: Any, **settings: Any):
        self._show = _shown_by(sys.stderr)
        self._tenth = 0
        settings = {"leave": None, "gui": self._show is not None, **settings}
        super().__init__(*arguments, **settings)

    def display(self, msg: str | None = None, pos: int | None = None) -> Any:
        """Draw the bar, or write a line if another tenth is complete."""
        if self._show is None:
            return super().display(msg, pos)
        if self.pos == 0:
            self._show(self)
        return None

    def close(self) -> None:
        """Show what is complete, and end."""
        if self._show is not None and not self.disable:
            self.display()
        super().close()


def _shown_by(stream: Any) -> Callable[[ProgressBar], None] | None:
    """What shows a bar as text, or None where the stream is a terminal."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if hasattr(shell, "kernel"):
        return _line_of_output()
    return None if stream is not None and stream.isatty() else _write_line


def _line_of_output() -> Callable[[ProgressBar], None]:
    """Make what writes one line of a notebook's output, and then changes it."""
    handle = None

    def show(bar: ProgressBar) -> None:
        from IPython.display import display

        nonlocal handle
        content = {"text/plain": str(bar)}
        if handle is None:
            handle = display(content, raw=True, display_id=True)
        else:
            handle.update(content, raw=True)

    return show


def _write_line(bar: ProgressBar) -> None:
    """Write a line if another tenth is complete."""
    elapsed = bar.format_dict["elapsed"]
    tenth = int(10 * bar.n // bar.total) if bar.total else 0
    if tenth <= bar._tenth or elapsed < _QUICK:
        return
    bar._tenth = tenth
    parts = [f"{10 * tenth} % of {_counted(bar)}", f"{bar.format_interval(elapsed)} elapsed"]
    if bar.initial < bar.n < bar.total:
        left = elapsed * (bar.total - bar.n) / (bar.n - bar.initial)
        parts.append(f"{bar.format_interval(left)} left")
    what = bar.desc.removesuffix(": ")
    bar.fp.write(f"{what}: {', '.join(parts)}\n" if what else f"{', '.join(parts)}\n")
    bar.fp.flush()


def _counted(bar: ProgressBar) -> str:
    """The total, with what is counted."""
    total = bar.format_sizeof(bar.total) if bar.unit_scale else str(bar.total)
    if bar.unit in ("it", "B"):
        return total if bar.unit == "it" else f"{total}B"
    plural = f"{bar.unit[:-1]}ies" if bar.unit.endswith("y") else f"{bar.unit}s"
    return f"{total} {plural}"
