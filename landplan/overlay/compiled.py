"""What numba makes of the engine's inner loops, kept on disk where that can be."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

__all__ = ["compile_loop"]

_F = TypeVar("_F", bound=Callable[..., Any])

_MODULES = ("blocks", "kernel", "outlines", "trapezoids")
"""All modules with compiled functions: they call one another."""


def compile_loop(function: _F) -> _F:
    """
    Compile a function of plain arrays and numbers; it lets other threads run, and rounds as it is written.

    Parameters
    ----------
    function : callable
        In the part of Python that numba knows.

    Returns
    -------
    callable
        The same, compiled when it is first called and kept on disk.
    """
    plain = numba.njit(nogil=True, fastmath=False)
    try:
        kept = numba.njit(cache=True, nogil=True, fastmath=False)(function)
    except RuntimeError:
        # Neither the installation nor the user has a folder that can be written: compiled anew by every process.
        return cast(_F, plain(function))
    # What is kept holds the functions it calls as well, yet numba asks only whether its own file is the same: after a change
    # in another module it would go on with the old one, and measure wrongly. So it is asked about all of them.
    stamped: Any = getattr(getattr(kept, "_cache", None), "_cache_file", None)
    if not hasattr(stamped, "_source_stamp"):
        return cast(_F, plain(function))
    stamped._source_stamp = _stamp()
    return cast(_F, kept)


@cache
def _stamp() -> bytes:
    """Digest of everything that is compiled."""
    folder = Path(__file__).parent
    return sha256(b"".join((folder / f"{name}.py").read_bytes() for name in _MODULES)).digest()
