"""Refusal of arguments that no driver can take, with one wording for all of them."""

import numpy as np

from vectors.index import DimensionMismatch, Ids, InvalidArgument, NonFiniteVectors, Rows
from vectors.scoring import norms

# Two such rows give a product of 1e36, and so do all partial sums: float32 ends at 3.4e38.
_MAX_NORM = 1e18


def check_dim(dim: int) -> int:
    """Return `dim` if rows can have so many columns."""
    if dim < 1:
        msg = f"rows need at least 1 column, not {dim}"
        raise InvalidArgument(msg)
    return dim


def check_ids(ids: Ids) -> None:
    """Refuse anything but an int64 array of shape (n,)."""
    if not isinstance(ids, np.ndarray) or ids.dtype != np.int64 or ids.ndim != 1:
        msg = f"ids must be an int64 array of shape (n,), not {_describe(ids)}"
        raise InvalidArgument(msg)


def check_rows(rows: Rows, *, dim: int) -> None:
    """Refuse anything but a float32 array of shape (n, dim) of finite rows."""
    if not isinstance(rows, np.ndarray) or rows.dtype != np.float32 or rows.ndim != 2:
        msg = f"rows must be a float32 array of shape (n, {dim}), not {_describe(rows)}"
        raise InvalidArgument(msg)
    if rows.shape[1] != dim:
        msg = f"rows must have {dim} columns, not {rows.shape[1]}"
        raise DimensionMismatch(msg)
    bad = np.flatnonzero(~(norms(rows) <= _MAX_NORM))  # the negation catches NaN too
    if bad.size:
        msg = f"row {bad[0]} is not finite or longer than {_MAX_NORM:g} ({bad.size} such rows)"
        raise NonFiniteVectors(msg)


def check_pairs(ids: Ids, rows: Rows, *, dim: int) -> None:
    """Refuse ids and rows that cannot be added: unequal in number, or an id given twice."""
    check_ids(ids)
    check_rows(rows, dim=dim)
    if len(ids) != len(rows):
        msg = f"{len(ids)} ids were given for {len(rows)} rows"
        raise InvalidArgument(msg)
    values, counts = np.unique(ids, return_counts=True)
    if len(values) != len(ids):
        msg = f"id {values[counts > 1][0]} is given more than once"
        raise InvalidArgument(msg)


def check_search(rows: Rows, k: int, *, allowed: Ids | None, dim: int) -> None:
    """Refuse a search that has no answer."""
    check_rows(rows, dim=dim)
    if k < 1:
        msg = f"k must be at least 1, not {k}"
        raise InvalidArgument(msg)
    if allowed is not None:
        check_ids(allowed)


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return type(value).__name__
