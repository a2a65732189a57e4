"""Group ridge: exact leave-one-out residuals of a ridge with a penalty for each group of columns.

With centred columns X, of which group g has the penalty lambda_g, D = diag(lambda) and
A = X'X + D, let Z = X A^-1. Predictions are Z X'y, leverages h_i = 1 / n + (Z X')_ii, and the
residual of row i without row i is r_i / (1 - h_i) (Cook and Weisberg 1982, section 2.2). Both
change with a penalty by

    dr / dlambda_g = Z_g b_g        dh_i / dlambda_g = -|Z_ig|^2

where b are the coefficients and Z_g the columns of the group, so that the gradient for all groups
costs no more than Z itself. A row of weight w counts as w rows, of which one is left out; one of
weight below 1 is left out whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize, minimize_scalar

_N_COMMON = 13  # penalties that are tried for all groups together
_ALONE = 100.0  # by how much others are penalised more, where a search starts from one group
_SMALL, _N_SEARCHES = 100_000, 2  # of larger matrices, a search takes a minute, so few are made
_TOLERANCE = 1e-7  # relative decrease of the error at which a search ends


@dataclass
class GroupRidge:
    """The ridge of some rows, as a function of the penalties.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns), float64
        Centred columns.
    Y : ndarray of shape (n_rows, n_targets), float64
        Centred targets.
    weight : ndarray of shape (n_rows,), float64
        Positive.
    groups : list of ndarray of int
        Columns of each group.
    """

    X: NDArray[np.float64]
    Y: NDArray[np.float64]
    weight: NDArray[np.float64]
    groups: list[NDArray[np.int64]]

    def __post_init__(self):
        """Multiply rows by the square roots of their weights."""
        root = np.sqrt(self.weight)[:, np.newaxis]
        self.X, self.Y = self.X * root, self.Y * root
        self._of_intercept = self.weight / self.weight.sum()
        self._left_out = np.minimum(1, 1 / self.weight)
        variance = (self.Y**2).sum(axis=0) / self.weight.sum()
        self._variance = np.where(variance == 0, 1, variance)

    def coefficients(self, penalties: NDArray[np.float64]) -> NDArray[np.float64]:
        """Solve the ridge.

        Parameters
        ----------
        penalties : ndarray of shape (n_groups,), float64
            Positive.

        Returns
        -------
        coef : ndarray of shape (n_columns, n_targets), float64
        """
        penalty = self.of_columns(penalties)
        if self._has_few_rows:
            scaled = self.X / penalty
            return scaled.T @ cho_solve(cho_factor(scaled @ self.X.T + np.eye(len(self.X))), self.Y)
        return cho_solve(cho_factor(self._gram + np.diag(penalty)), self.X.T @ self.Y)

    def error(self, penalties: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Compute the mean squared left-out residual, and its slopes.

        Parameters
        ----------
        penalties : ndarray of shape (n_groups,), float64

        Returns
        -------
        error : float
            Mean over rows and targets, in units of the variance of each target.
        slopes : ndarray of shape (n_groups,), float64
            Derivatives by the logarithms of the penalties.
        """
        Z, coef, kept, left_out = self._solve(penalties)
        slopes = []
        for columns in self.groups:
            of_residuals = Z[:, columns] @ coef[columns]
            of_leverage = -np.einsum("ij,ij->i", Z[:, columns], Z[:, columns]) * self._left_out
            change = (of_residuals + left_out * of_leverage[:, np.newaxis]) / kept
            slopes.append(2 * self._mean(left_out * change))
        return self._mean(left_out**2), np.array(slopes) * penalties

    def best_penalties(
        self, low: float, high: float, max_iter: int
    ) -> tuple[NDArray[np.float64], float, int]:
        """Find the penalties with the least error.

        The best penalty that all groups share is found by one eigendecomposition, and is the answer
        for a single group. From there, and from penalties with one group almost alone or almost
        absent, a quasi-Newton method (L-BFGS-B) descends in the logarithms; of large matrices, from
        the two best of these.

        Parameters
        ----------
        low, high : float
            Bounds of a penalty.
        max_iter : int
            Number of steps of a search.

        Returns
        -------
        penalties : ndarray of shape (n_groups,), float64
        error : float
        n_iter : int
            Largest number of steps.
        """
        n_groups = len(self.groups)
        error_of = self._common_error()
        logs = np.linspace(np.log(low), np.log(high), _N_COMMON)
        best = int(np.argmin([error_of(log) for log in logs]))
        if n_groups == 1:
            around = logs[max(best - 1, 0)], logs[min(best + 1, _N_COMMON - 1)]
            found = minimize_scalar(
                error_of, bounds=around, method="bounded", options={"maxiter": max_iter}
            )
            return np.exp([found.x]), float(found.fun), found.nfev
        common = np.exp(logs[best])
        alone = np.eye(n_groups, dtype=bool)
        penalties = [np.where(which, common, common * _ALONE) for which in (alone, ~alone)]
        starts = [np.full(n_groups, common), *np.clip(np.concatenate(penalties), low, high)]
        starts.sort(key=lambda penalties: self.error(penalties)[0])
        n_searches = len(starts) if self.X.size <= _SMALL else _N_SEARCHES
        bounds = [(np.log(low), np.log(high))] * n_groups
        found = [
            minimize(
                lambda logs: self.error(np.exp(logs)),
                np.log(start),
                jac=True,
                method="L-BFGS-B",
                bounds=bounds,
                options={"maxiter": max_iter, "ftol": _TOLERANCE},
            )
            for start in starts[:n_searches]
        ]
        best = min(found, key=lambda result: result.fun)
        n_iter = max(1, *(result.get("nit", 0) for result in found))  # none if bounds are equal
        return np.exp(best.x), float(best.fun), n_iter

    @property
    def _has_few_rows(self) -> bool:
        return len(self.X) < self.X.shape[1]

    @cached_property
    def _gram(self) -> NDArray[np.float64]:
        return self.X.T @ self.X

    def _mean(self, of_rows: NDArray[np.float64]) -> float:
        """Mean over rows, which have their weights, and targets."""
        return float((of_rows / self._variance).mean(axis=1).sum() / self.weight.sum())

    def of_columns(self, penalties: NDArray[np.float64]) -> NDArray[np.float64]:
        """Penalties of the columns, from those of the groups."""
        penalty = np.empty(self.X.shape[1])
        for columns, of_group in zip(self.groups, penalties, strict=True):
            penalty[columns] = of_group
        return penalty

    def _solve(self, penalties: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Compute Z, coefficients, leverages and residuals of some penalties.

        Returns
        -------
        Z : ndarray of shape (n_rows, n_columns)
        coef : ndarray of shape (n_columns, n_targets)
        kept : ndarray of shape (n_rows, 1)
            One minus the leverage of what is left out.
        left_out : ndarray of shape (n_rows, n_targets)
            Residuals without the row, times the square roots of the weights.
        """
        penalty = self.of_columns(penalties)
        if self._has_few_rows:  # (X D^-1 X' + I)^-1 X D^-1 is the same Z
            scaled = self.X / penalty
            Z = cho_solve(cho_factor(scaled @ self.X.T + np.eye(len(self.X))), scaled)
        else:
            Z = self.X @ _inverse(self._gram + np.diag(penalty))
        coef = Z.T @ self.Y
        leverage = self._of_intercept + np.einsum("ij,ij->i", Z, self.X)
        kept = (1 - leverage * self._left_out)[:, np.newaxis]
        return Z, coef, kept, (self.Y - self.X @ coef) / kept

    def _common_error(self) -> Callable[[float], float]:
        """Error by the logarithm of a penalty of all groups, after one eigendecomposition."""
        if self._has_few_rows:
            values, U = np.linalg.eigh(self.X @ self.X.T)
        else:
            values, vectors = np.linalg.eigh(self._gram)
            present = values > max(values[-1], 0) * 1e-12
            values = values[present]
            U = self.X @ (vectors[:, present] / np.sqrt(values))
        values = values.clip(min=0)
        projected, squared = U.T @ self.Y, U**2

        def error_of(log):
            shrunk = values / (values + np.exp(log))
            residuals = self.Y - U @ (shrunk[:, np.newaxis] * projected)
            leverage = self._of_intercept + squared @ shrunk
            return self._mean((residuals / (1 - leverage * self._left_out)[:, np.newaxis]) ** 2)

        return error_of


def _inverse(A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of a positive definite matrix, at half the cost of solving for the identity."""
    factor, lower = cho_factor(A, lower=True)
    inverse, _ = dpotri(factor, lower=lower)
    return np.tril(inverse) + np.tril(inverse, -1).T
