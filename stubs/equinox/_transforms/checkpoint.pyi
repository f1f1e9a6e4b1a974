# ruff: noqa: PYI002 # `MYPY` is a condition
# The rule overlooks that type variables may have a default.
# pyright: reportInvalidTypeVarUse=false
from collections.abc import Callable
from typing import Any, TypeAlias, overload

from .jit import _F, _FD, MYPY, PYREFLY, _Same, not_here  # pyright: ignore[reportPrivateUsage] # this keeps the function's type too

_Policy: TypeAlias = Callable[..., Any] | None

# `jit.pyi` says why there are three branches.
if MYPY:
    def filter_checkpoint(  # pyright: ignore[reportRedeclaration] # the other branch
        fun: _FD = ..., *, prevent_cse: bool = True, policy: _Policy = None
    ) -> _FD: ...
    not_here()  # pyright: ignore[reportInvalidStubStatement] # for pyrefly

elif PYREFLY:
    def filter_checkpoint(  # pyright: ignore[reportRedeclaration] # the other branch
        *fun: _FD, prevent_cse: bool = True, policy: _Policy = None
    ) -> _FD: ...

else:
    @overload
    def filter_checkpoint(fun: _F, *, prevent_cse: bool = True, policy: _Policy = None) -> _F: ...
    @overload
    def filter_checkpoint(*, prevent_cse: bool = True, policy: _Policy = None) -> _Same: ...
    not_here()  # pyright: ignore[reportInvalidStubStatement] # for pyrefly
