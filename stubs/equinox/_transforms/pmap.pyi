# ruff: noqa: PYI002 # `MYPY` is a condition
# The rule overlooks that type variables may have a default.
# pyright: reportInvalidTypeVarUse=false
from collections.abc import Hashable, Sequence
from typing import Any, Literal, overload

from .jit import _F, _FD, MYPY, PYREFLY, _Same, not_here  # pyright: ignore[reportPrivateUsage] # what is mapped keeps its type too

# `jit.pyi` says why there are three branches.
if MYPY:
    def filter_pmap(  # pyright: ignore[reportRedeclaration] # the other branch
        fun: _FD = ...,
        *,
        in_axes: Any = ...,
        out_axes: Any = ...,
        axis_name: Hashable = None,
        axis_size: int | None = None,
        donate: Literal["all", "warn", "none"] = "none",
        devices: Sequence[Any] | None = None,
        backend: str | None = None,
    ) -> _FD: ...
    not_here()  # pyright: ignore[reportInvalidStubStatement] # for pyrefly

elif PYREFLY:
    def filter_pmap(  # pyright: ignore[reportRedeclaration] # the other branch
        *fun: _FD,
        in_axes: Any = ...,
        out_axes: Any = ...,
        axis_name: Hashable = None,
        axis_size: int | None = None,
        donate: Literal["all", "warn", "none"] = "none",
        devices: Sequence[Any] | None = None,
        backend: str | None = None,
    ) -> _FD: ...

else:
    @overload
    def filter_pmap(
        fun: _F,
        *,
        in_axes: Any = ...,
        out_axes: Any = ...,
        axis_name: Hashable = None,
        axis_size: int | None = None,
        donate: Literal["all", "warn", "none"] = "none",
        devices: Sequence[Any] | None = None,
        backend: str | None = None,
    ) -> _F: ...
    @overload
    def filter_pmap(
        *,
        in_axes: Any = ...,
        out_axes: Any = ...,
        axis_name: Hashable = None,
        axis_size: int | None = None,
        donate: Literal["all", "warn", "none"] = "none",
        devices: Sequence[Any] | None = None,
        backend: str | None = None,
    ) -> _Same: ...
    not_here()  # pyright: ignore[reportInvalidStubStatement] # for pyrefly
