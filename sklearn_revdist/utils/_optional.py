"""Import packages that not everybody needs, or say how to install them."""

import importlib
from types import ModuleType


def import_optional(module: str, purpose: str, extra: str, remedy: str = "run") -> ModuleType:
    """Import a module of a package that an extra installs.

    Parameters
    ----------
    module : str
    purpose : str
        What needs the package, as the beginning of a message: "HDF5 files need h5py".
    extra : str
        Extra of this package that has it.
    remedy : str, default="run"
        What comes before the command that installs it, in the message.

    Returns
    -------
    module : module

    Raises
    ------
    ImportError
        If it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'{purpose}, which is not installed; {remedy} `pip install "sklearn-revdist[{extra}]"`.'
        ) from error
