# ruff: noqa: PYI002 # `MYPY` is a condition
# The rule overlooks that type variables may have a default.
# pyright: reportInvalidTypeVarUse=false
from collections.abc import Hashable
from typing import Any, overload

from .jit import _F, _FD, MYPY, PYREFLY, _Same, not_here  # pyright: ignore[reportPrivateUsage] # what is mapped keeps its type too

# `jit.pyi` says why there are three branches.
if MYPY:
    def filter_vmap(  # pyright: ignore[reportRedeclaration] # the other branch
        fun: _FD = ...,
        *,
        in_axes: Any = ...,
        out_axes: Any = ...,
        axis_name: Hashable = None,
        axis_size: int | None = None,
        spmd_axis_name: Hashable = None,
    ) -> _FD: ...
    not_here()  # pyright: ignore[reportInvalidStubStatement] # for pyrefly

elif PYREFLY:
    def filter_vmap(  # pyright: ignore[reportRedeclaration] # the other branch
        *fun: _FD,
        in_axes: Any = ...,
        out_axes: Any = ...,
        axis_name: Hashable = None,
        axis_size: int | None = None,
        spmd_axis_name: Hashable = None,
    ) -> _FD: ...

else:
    @overload
    def filter_vmap(
        fun: _F,
        *,
        in_axes: Any = ...,
        out_axes: Any = ...,
        axis_name: Hashable = None,
        axis_size: int | None = None,
        spmd_axis_name: Hashable = None,
    ) -> _F: ...
    @overload
    def filter_vmap(
        *,
        in_axes: Any = ...,
        out_axes: Any = ...,
        axis_name: Hashable = None,
        axis_size: int | None = None,
        spmd_axis_name: Hashable = None,
    ) -> _Same: ...
    not_here()  # pyright: ignore[reportInvalidStubStatement] # for pyrefly
