"""Parts of scikit-learn that are not public: imported here alone, so that one module follows it."""

from functools import partial

from sklearn.base import _fit_context
from sklearn.utils import _param_validation, _safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.metadata_routing import _raise_for_params, _routing_enabled
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_method_params,
    _get_feature_names,
)

validate_params = partial(_param_validation.validate_params, prefer_skip_nested_validation=True)

__all__ = [
    "HasMethods",
    "Interval",
    "RealNotInt",
    "StrOptions",
    "_check_feature_names_in",
    "_check_method_params",
    "_fit_context",
    "_get_feature_names",
    "_raise_for_params",
    "_routing_enabled",
    "_safe_indexing",
    "validate_parameter_constraints",
    "validate_params",
]
