"""Fingerprints: strings that identify objects, to be used as keys of stored results.

Objects that cannot be identified are refused, so that no key stands for two different results.
"""

import hashlib
import itertools
import operator
import pickle
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import GeneratorType
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator

from ._file_states import file_digest

# Libraries whose objects (splitters, scorers, kernels, trees) are identified by the state that they
# would be pickled with. Other objects may depend on more than that.
_IDENTIFIED_BY_STATE = {"numpy", "scipy", "sklearn", "sklearn_revdist", "functools", "operator"}


def fingerprint(*parts: Any) -> str:
    """Return a string that is equal if all parts are equal, in any process, and else differs.

    Parameters
    ----------
    *parts : object
        Each one of these, or a list, tuple, dict, set or generator of such:

        - None, a bool, number, string, bytes, slice or range; 1, 1.0, True and "1" differ;
        - a NumPy array or dtype, by type, shape and content;
        - an object with a method ``fingerprint()``, by its class and the string it returns;
        - a scikit-learn estimator, by its class, its parameters and its fitted attributes;
        - a function or class that is found by its name in a module, also by the content of the
          module's file.

        A generator has the fingerprint of the list of its items.

    Returns
    -------
    fingerprint : str
        64 hexadecimal digits.

    Raises
    ------
    TypeError
        If an object cannot be identified; the message names it and says how it can be.
    """
    return _digest(parts).hex()


def _digest(value: Any) -> bytes:
    """Digest of a value: of its type, and of the digests of its parts."""
    kind = _name(type(value))
    match value:
        case np.ndarray() if type(value) in (np.ndarray, np.memmap):
            return _of_array(value)
        case np.dtype():
            return _joined(
                "dtype", value.str.encode(), _digest(value.descr if value.names else None)
            )
        case np.generic():  # results depend on its type
            return _joined("scalar", _of_array(np.asarray(value)))
        case None | bool() | int():
            return _joined(kind, str(value).encode())
        case float():
            return _joined(kind, struct.pack("<d", value))
        case str():
            return _joined(kind, value.encode("utf-8", "surrogatepass"))
        case bytes() | bytearray():
            return _joined(kind, value)
        case slice() | range():
            return _joined(kind, *map(_digest, (value.start, value.stop, value.step)))
        case list() | tuple():
            return _joined(kind, *map(_digest, value))
        case dict():
            items = ((_digest(key), _digest(item)) for key, item in value.items())
            return _joined(kind, *(part for item in sorted(items) for part in item))
        case set() | frozenset():
            return _joined(kind, *sorted(map(_digest, value)))
        case GeneratorType():
            return _joined(_name(list), *map(_digest, value))
        case type():
            return _of_name(value)
    if callable(getattr(value, "fingerprint", None)):
        return _of_method(value)
    if isinstance(value, BaseEstimator):
        parameters = value.get_params(deep=False)
        learnt = {name: held for name, held in vars(value).items() if name not in parameters}
        return _joined("estimator", _of_class(type(value)), _digest(parameters), _digest(learnt))
    if isinstance(value, joblib.Memory):
        return _joined("memory")  # it changes no result
    if callable(value) and _module_of(value) is not None:
        return _of_name(value)
    if type(value).__module__.partition(".")[0] in _IDENTIFIED_BY_STATE:
        return _of_state(value)
    raise _unknown(value)


def _joined(kind: str, *contents: Any) -> bytes:
    """Digest of parts, each preceded by its length."""
    digest = hashlib.sha256()
    for content in (kind.encode(), *contents):
        digest.update(struct.pack("<Q", len(content)))
        digest.update(content)
    return digest.digest()


def _of_array(array: np.ndarray) -> bytes:
    shape = _digest(array.shape)
    if array.dtype.names:  # without the undefined bytes between fields
        fields = (_of_array(array[name]) for name in array.dtype.names)
        return _joined("fields", shape, _digest(array.dtype.names), *fields)
    if array.dtype.hasobject:
        return _joined("objects", shape, *map(_digest, array.ravel().tolist()))
    flat = np.ascontiguousarray(array).reshape(-1)
    content = flat.view(np.uint8) if flat.size and flat.itemsize else b""
    return _joined("array", array.dtype.str.encode(), shape, content)


def _of_method(value: Any) -> bytes:
    """An object by its method, and by the files of classes derived from the one that defines it."""
    text = value.fingerprint()
    if not isinstance(text, str):
        raise TypeError(
            f"The method fingerprint() of {_name(type(value))} returned an object of type "
            f"{type(text).__name__}; let it return a string."
        )
    inherited = itertools.takewhile(
        lambda cls: "fingerprint" not in vars(cls), type(value).__mro__[:-1]
    )
    of_class = _digest(_name(type(value)))
    return _joined("fingerprint", of_class, *map(_of_name, inherited), _digest(text))


def _of_class(cls: type) -> bytes:
    """A class by all classes that it inherits from."""
    return _joined("class", *(_of_name(base) for base in cls.__mro__ if base is not object))


def _of_name(value: Any) -> bytes:
    """A function or class by its name and the file that defines it."""
    module = _module_of(value)
    if module is None:
        raise _unknown(value)
    name = _joined("name", _digest(module), _digest(_name(value)))
    if module.partition(".")[0] in sys.stdlib_module_names and module != "__main__":
        return name
    file = getattr(sys.modules[module], "__file__", None)
    if file is None or not Path(file).is_file():
        raise _unknown(value)
    return _joined("file", name, file_digest(Path(file)).encode())


def _of_state(value: Any) -> bytes:
    """An object by the state that it would be pickled with."""
    try:
        reduced = value.__reduce_ex__(4)
    except (TypeError, pickle.PicklingError) as error:
        raise _unknown(value) from error
    if isinstance(reduced, str):
        raise _unknown(value)
    parts = [list(part) if isinstance(part, Iterator) else part for part in reduced]
    return _joined("state", _of_class(type(value)), *map(_digest, parts))


def _module_of(value: Any) -> str | None:
    """Module in which a function or class is found by its name, or None."""
    name = _bare_name(value)
    if name is None:
        return None
    module = pickle.whichmodule(value, name)
    try:
        found = operator.attrgetter(name)(sys.modules[module])
    except (KeyError, AttributeError):
        return None
    return module if found is value else None


def _bare_name(value: Any) -> str | None:
    return getattr(value, "__qualname__", None) or getattr(value, "__name__", None)


def _name(value: Any) -> str:
    """Full name of a function or class, for digests and messages."""
    return f"{getattr(value, '__module__', None)}.{_bare_name(value)}"


def _unknown(value: Any) -> TypeError:
    named = isinstance(value, type) or (callable(value) and _bare_name(value))
    what = _name(value) if named else f"An object of type {_name(type(value))}"
    return TypeError(
        f"{what} cannot be identified, so that nothing can be stored for it; define a method "
        "fingerprint() that returns a string which changes whenever its results do."
    )
