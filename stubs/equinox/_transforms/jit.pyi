# ruff: noqa: PYI002 # `MYPY` is a condition
# The rule overlooks that type variables may have a default.
# pyright: reportInvalidTypeVarUse=false
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, NoReturn, Protocol, TypeAlias, overload, type_check_only

from typing_extensions import TypeVar

# Anything callable. A property, not a method: `bound=Callable[..., Any]` makes pyright and pyrefly infer Any for calls
# inside of one another, as in `filter_jit(filter_grad(f))`.
@type_check_only
class _AnyCallable(Protocol):
    @property
    def __call__(self) -> Any: ...

_F = TypeVar("_F", bound=_AnyCallable)

# A decorator whose result has the type of the function.
@type_check_only
class _Same(Protocol):
    def __call__(self, fun: _F, /) -> _F: ...

_FD = TypeVar("_FD", bound=_AnyCallable, default=_Same)

_FilterFn: TypeAlias = Callable[[Any], bool]
_Nums: TypeAlias = int | Sequence[int] | None
_Names: TypeAlias = str | Iterable[str] | None
_Donate: TypeAlias = Literal["all", "all-except-first", "warn", "warn-except-first", "none"]
_Device: TypeAlias = Any  # `jax.Device` has no type
_CompilerOptions: TypeAlias = dict[str, Any] | None

# Where a checker's support of `functools.partial` ends at overloads, it sees one signature, in which a type variable
# with a default makes direct, partial and factory use right, but which does not say that precisely one of `filter_fn`
# and `filter_tree` is needed. Everyone else sees overloads, which do.
#
# Mypy, and zuban after it, takes any name `MYPY` for true, and reads the first branch. Pyrefly takes neither name for
# anything, but knows that what follows a function that never returns counts for nothing: that leaves the second. It
# settles at once what a parameter is that `functools.partial` leaves out, but not what `*fun` is.
MYPY: Final = False
PYREFLY: Final = False

@type_check_only
def not_here() -> NoReturn: ...

if MYPY:
    def jitf(  # pyright: ignore[reportRedeclaration] # the other branch
        fun: _FD = ...,
        *,
        filter_fn: _FilterFn | None = None,
        filter_tree: Any = None,
        static_argnums: _Nums = None,
        static_argnames: _Names = None,
        donate_argnums: _Nums = None,
        donate_argnames: _Names = None,
        keep_unused: bool = False,
        inline: bool = False,
        device: _Device = None,
        backend: str | None = None,
        compiler_options: _CompilerOptions = None,
        in_shardings: Any = ...,
        out_shardings: Any = ...,
    ) -> _FD: ...
    def filter_jit(  # pyright: ignore[reportRedeclaration] # the other branch
        fun: _FD = ...,
        *,
        donate: _Donate = "none",
        keep_unused: bool = False,
        inline: bool = False,
        device: _Device = None,
        backend: str | None = None,
        compiler_options: _CompilerOptions = None,
        in_shardings: Any = ...,
        out_shardings: Any = ...,
    ) -> _FD: ...
    not_here()  # pyright: ignore[reportInvalidStubStatement] # for pyrefly

elif PYREFLY:
    def jitf(  # pyright: ignore[reportRedeclaration] # the other branch
        *fun: _FD,
        filter_fn: _FilterFn | None = None,
        filter_tree: Any = None,
        static_argnums: _Nums = None,
        static_argnames: _Names = None,
        donate_argnums: _Nums = None,
        donate_argnames: _Names = None,
        keep_unused: bool = False,
        inline: bool = False,
        device: _Device = None,
        backend: str | None = None,
        compiler_options: _CompilerOptions = None,
        in_shardings: Any = ...,
        out_shardings: Any = ...,
    ) -> _FD: ...
    def filter_jit(  # pyright: ignore[reportRedeclaration] # the other branch
        *fun: _FD,
        donate: _Donate = "none",
        keep_unused: bool = False,
        inline: bool = False,
        device: _Device = None,
        backend: str | None = None,
        compiler_options: _CompilerOptions = None,
        in_shardings: Any = ...,
        out_shardings: Any = ...,
    ) -> _FD: ...

else:
    @overload
    def jitf(
        fun: _F,
        *,
        filter_fn: _FilterFn,
        static_argnums: _Nums = None,
        static_argnames: _Names = None,
        donate_argnums: _Nums = None,
        donate_argnames: _Names = None,
        keep_unused: bool = False,
        inline: bool = False,
        device: _Device = None,
        backend: str | None = None,
        compiler_options: _CompilerOptions = None,
        in_shardings: Any = ...,
        out_shardings: Any = ...,
    ) -> _F: ...
    @overload
    def jitf(
        fun: _F,
        *,
        filter_tree: Any,
        static_argnums: _Nums = None,
        static_argnames: _Names = None,
        donate_argnums: _Nums = None,
        donate_argnames: _Names = None,
        keep_unused: bool = False,
        inline: bool = False,
        device: _Device = None,
        backend: str | None = None,
        compiler_options: _CompilerOptions = None,
        in_shardings: Any = ...,
        out_shardings: Any = ...,
    ) -> _F: ...
    @overload
    def jitf(
        *,
        filter_fn: _FilterFn,
        static_argnums: _Nums = None,
        static_argnames: _Names = None,
        donate_argnums: _Nums = None,
        donate_argnames: _Names = None,
        keep_unused: bool = False,
        inline: bool = False,
        device: _Device = None,
        backend: str | None = None,
        compiler_options: _CompilerOptions = None,
        in_shardings: Any = ...,
        out_shardings: Any = ...,
    ) -> _Same: ...
    @overload
    def jitf(
        *,
        filter_tree: Any,
        static_argnums: _Nums = None,
        static_argnames: _Names = None,
        donate_argnums: _Nums = None,
        donate_argnames: _Names = None,
        keep_unused: bool = False,
        inline: bool = False,
        device: _Device = None,
        backend: str | None = None,
        compiler_options: _CompilerOptions = None,
        in_shardings: Any = ...,
        out_shardings: Any = ...,
    ) -> _Same: ...
    @overload
    def filter_jit(
        fun: _F,
        *,
        donate: _Donate = "none",
        keep_unused: bool = False,
        inline: bool = False,
        device: _Device = None,
        backend: str | None = None,
        compiler_options: _CompilerOptions = None,
        in_shardings: Any = ...,
        out_shardings: Any = ...,
    ) -> _F: ...
    @overload
    def filter_jit(
        *,
        donate: _Donate = "none",
        keep_unused: bool = False,
        inline: bool = False,
        device: _Device = None,
        backend: str | None = None,
        compiler_options: _CompilerOptions = None,
        in_shardings: Any = ...,
        out_shardings: Any = ...,
    ) -> _Same: ...
    not_here()  # pyright: ignore[reportInvalidStubStatement] # for pyrefly
