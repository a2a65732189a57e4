"""Chains that are fitted already, for a distiller that takes one instead of solving it."""

import inspect
import os
from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator


def fitted_source(pretrained: Any, kind: type, read: Callable[[Any], Any]) -> Any:
    """Return the fitted distiller that the parameter `pretrained` means.

    Parameters
    ----------
    pretrained : str, path-like or FrozenEstimator
        What is read, or a distiller that was fitted and frozen.
    kind : type
        Class of the distiller.
    read : callable
        Reads a distiller from a path or by its name.

    Returns
    -------
    source : object
        Of class `kind`.

    Raises
    ------
    ValueError
        If no fitted distiller is frozen in it, or the file does not hold one.
    FileNotFoundError
        If there is no such file.
    """
    if not isinstance(pretrained, FrozenEstimator):
        return read(pretrained)
    source = pretrained.estimator
    if not isinstance(source, kind) or not hasattr(source, "model_names_"):
        raise ValueError(
            f"pretrained=FrozenEstimator({type(source).__name__}(...)) holds no fitted "
            f"{kind.__name__}; freeze one after its fit, or give the path of a saved one."
        )
    return source


def check_alone(estimator: BaseEstimator) -> None:
    """Refuse parameters of a fit beside `pretrained`; `n_components` is none."""
    given = []
    for name, parameter in inspect.signature(type(estimator)).parameters.items():
        value, default = getattr(estimator, name), parameter.default
        unchanged = value is default or (isinstance(value, str) and value == default)
        if name not in ("pretrained", "n_components") and not unchanged:
            given.append(f"{name}={value!r}")
    if given:
        raise ValueError(
            f"{spelled(estimator.pretrained)} is fitted already, so that {', '.join(given)} would "
            "have no effect; leave out either."
        )


def refuse_pretrained(pretrained: Any) -> None:
    """Refuse to fit a chain on moments where a fitted one is given."""
    if pretrained is not None:
        raise ValueError(
            f"{spelled(pretrained)} is fitted already, so that no rows can be added to it; leave "
            "it out to fit a chain, or call fit, which takes it as it is."
        )


def spelled(pretrained: Any) -> str:
    """Spell the parameter as in code, shortened."""
    if isinstance(pretrained, FrozenEstimator):
        return f"pretrained=FrozenEstimator({type(pretrained.estimator).__name__}(...))"
    return f"pretrained={os.fspath(pretrained)!r}"
