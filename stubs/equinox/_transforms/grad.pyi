# Functions of type Any fit several overloads; then the first one is right.
# mypy: disable-error-code="overload-overlap"
# ruff: noqa: PYI002 # `MYPY` is a condition
# The rule overlooks that type variables may have a default.
# pyright: reportInvalidTypeVarUse=false
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Protocol, Self, TypeAlias, overload, type_check_only

from jax.typing import ArrayLike
from typing_extensions import TypeVar

from .jit import MYPY, PYREFLY, not_here

_P = ParamSpec("_P")
_Q = ParamSpec("_Q")
_A = TypeVar("_A")
_B = TypeVar("_B")
_C = TypeVar("_C")
_D = TypeVar("_D")
_S = TypeVar("_S")
_X = TypeVar("_X")
_T = TypeVar("_T")
_R = TypeVar("_R", bound=ArrayLike)
_A_contra = TypeVar("_A_contra", contravariant=True)
_D_co = TypeVar("_D_co", covariant=True)
_F_co = TypeVar("_F_co", covariant=True)
_O_co = TypeVar("_O_co", covariant=True)
_R_co = TypeVar("_R_co", covariant=True)
_X_co = TypeVar("_X_co", covariant=True)

_Filter: TypeAlias = Callable[[Any], bool]
_Axes: TypeAlias = Sequence[Hashable]
_WithAux: TypeAlias = tuple[ArrayLike, _X]

# Gradients with respect to the first argument. `__call__` keeps all parameters as they are, and finds the type of the
# first by matching `self` with a protocol. A method of a protocol is what every checker understands here.

@type_check_only
class _First(Protocol[_A_contra, _Q]):
    def __wrapped__(self, a: _A_contra, /, *args: _Q.args, **kwargs: _Q.kwargs) -> Any: ...

@type_check_only
class _Gradient(Generic[_P]):
    def __wrapped__(self, *args: _P.args, **kwargs: _P.kwargs) -> Any: ...
    def __call__(self: _First[_A, _Q], *args: _P.args, **kwargs: _P.kwargs) -> _A: ...
    @overload
    def __get__(self, instance: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(self: _First[_S, _Q], instance: _S, owner: Any = None) -> Callable[_Q, _S]: ...

@type_check_only
class _GradientAux(Generic[_P, _X_co]):
    def __wrapped__(self, *args: _P.args, **kwargs: _P.kwargs) -> Any: ...
    def __call__(self: _First[_A, _Q], *args: _P.args, **kwargs: _P.kwargs) -> tuple[_A, _X_co]: ...
    @overload
    def __get__(self, instance: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(self: _First[_S, _Q], instance: _S, owner: Any = None) -> Callable[_Q, tuple[_S, _X_co]]: ...

@type_check_only
class _ValueAndGradient(Generic[_P, _O_co]):
    def __wrapped__(self, *args: _P.args, **kwargs: _P.kwargs) -> _O_co: ...
    def __call__(self: _First[_A, _Q], *args: _P.args, **kwargs: _P.kwargs) -> tuple[_O_co, _A]: ...
    @overload
    def __get__(self, instance: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(self: _First[_S, _Q], instance: _S, owner: Any = None) -> Callable[_Q, tuple[_O_co, _S]]: ...

@type_check_only
class _ToGradient(Protocol):
    def __call__(self, fun: Callable[_P, ArrayLike], /) -> _Gradient[_P]: ...

@type_check_only
class _ToGradientAux(Protocol):
    def __call__(self, fun: Callable[_P, _WithAux[_X]], /) -> _GradientAux[_P, _X]: ...

@type_check_only
class _ToValueAndGradient(Protocol):
    def __call__(self, fun: Callable[_P, _R], /) -> _ValueAndGradient[_P, _R]: ...

@type_check_only
class _ToValueAndGradientAux(Protocol):
    def __call__(self, fun: Callable[_P, tuple[_R, _X]], /) -> _ValueAndGradient[_P, tuple[_R, _X]]: ...

# Gradients with respect to other arguments.

_No: TypeAlias = Literal[False]
_Yes: TypeAlias = Literal[True]
_At0: TypeAlias = Literal[0]
_At1: TypeAlias = Literal[1]
_At2: TypeAlias = Literal[2]
_In0: TypeAlias = tuple[_At0]
_In01: TypeAlias = tuple[_At0, _At1]
_Nums: TypeAlias = int | Sequence[int]
_Argnums = TypeVar("_Argnums", _At0, _At1, _At2, _In0, _In01, int, Sequence[int], default=_At0)
_HasAux = TypeVar("_HasAux", _No, _Yes, bool, default=_No)
_N = TypeVar("_N")
_H_contra = TypeVar("_H_contra", contravariant=True)
_S_contra = TypeVar("_S_contra", contravariant=True)

# The rest is tables.
# fmt: off

# Decorators, by the values of `argnums` and `has_aux`.

@type_check_only
class _ToGradientAt(Generic[_N, _H_contra]):
    def _argnums(self, value: _N, /) -> _N: ...
    def _has_aux(self, value: _H_contra, /) -> None: ...
    @overload
    def __call__(
        self: _ToGradientAt[_At1, _No], fun: Callable[Concatenate[_A, _B, _Q], ArrayLike], /
    ) -> Callable[Concatenate[_A, _B, _Q], _B]: ...
    @overload
    def __call__(
        self: _ToGradientAt[_At1, _Yes], fun: Callable[Concatenate[_A, _B, _Q], _WithAux[_X]], /
    ) -> Callable[Concatenate[_A, _B, _Q], tuple[_B, _X]]: ...
    @overload
    def __call__(
        self: _ToGradientAt[_At2, _No], fun: Callable[Concatenate[_A, _B, _C, _Q], ArrayLike], /
    ) -> Callable[Concatenate[_A, _B, _C, _Q], _C]: ...
    @overload
    def __call__(
        self: _ToGradientAt[_At2, _Yes], fun: Callable[Concatenate[_A, _B, _C, _Q], _WithAux[_X]], /
    ) -> Callable[Concatenate[_A, _B, _C, _Q], tuple[_C, _X]]: ...
    @overload
    def __call__(
        self: _ToGradientAt[_In0, _No], fun: Callable[Concatenate[_A, _Q], ArrayLike], /
    ) -> Callable[Concatenate[_A, _Q], tuple[_A]]: ...
    @overload
    def __call__(
        self: _ToGradientAt[_In0, _Yes], fun: Callable[Concatenate[_A, _Q], _WithAux[_X]], /
    ) -> Callable[Concatenate[_A, _Q], tuple[tuple[_A], _X]]: ...
    @overload
    def __call__(
        self: _ToGradientAt[_In01, _No], fun: Callable[Concatenate[_A, _B, _Q], ArrayLike], /
    ) -> Callable[Concatenate[_A, _B, _Q], tuple[_A, _B]]: ...
    @overload
    def __call__(
        self: _ToGradientAt[_In01, _Yes], fun: Callable[Concatenate[_A, _B, _Q], _WithAux[_X]], /
    ) -> Callable[Concatenate[_A, _B, _Q], tuple[tuple[_A, _B], _X]]: ...
    @overload
    def __call__(
        self: _ToGradientAt[int, Any] | _ToGradientAt[Sequence[int], Any],
        fun: Callable[_P, ArrayLike | _WithAux[Any]], /
    ) -> Callable[_P, Any]: ...

@type_check_only
class _ToValueAndGradientAt(Generic[_N, _H_contra]):
    def _argnums(self, value: _N, /) -> _N: ...
    def _has_aux(self, value: _H_contra, /) -> None: ...
    @overload
    def __call__(
        self: _ToValueAndGradientAt[_At1, _No], fun: Callable[Concatenate[_A, _B, _Q], _R], /
    ) -> Callable[Concatenate[_A, _B, _Q], tuple[_R, _B]]: ...
    @overload
    def __call__(
        self: _ToValueAndGradientAt[_At1, _Yes], fun: Callable[Concatenate[_A, _B, _Q], tuple[_R, _X]], /
    ) -> Callable[Concatenate[_A, _B, _Q], tuple[tuple[_R, _X], _B]]: ...
    @overload
    def __call__(
        self: _ToValueAndGradientAt[_At2, _No], fun: Callable[Concatenate[_A, _B, _C, _Q], _R], /
    ) -> Callable[Concatenate[_A, _B, _C, _Q], tuple[_R, _C]]: ...
    @overload
    def __call__(
        self: _ToValueAndGradientAt[_At2, _Yes], fun: Callable[Concatenate[_A, _B, _C, _Q], tuple[_R, _X]], /
    ) -> Callable[Concatenate[_A, _B, _C, _Q], tuple[tuple[_R, _X], _C]]: ...
    @overload
    def __call__(
        self: _ToValueAndGradientAt[_In0, _No], fun: Callable[Concatenate[_A, _Q], _R], /
    ) -> Callable[Concatenate[_A, _Q], tuple[_R, tuple[_A]]]: ...
    @overload
    def __call__(
        self: _ToValueAndGradientAt[_In0, _Yes], fun: Callable[Concatenate[_A, _Q], tuple[_R, _X]], /
    ) -> Callable[Concatenate[_A, _Q], tuple[tuple[_R, _X], tuple[_A]]]: ...
    @overload
    def __call__(
        self: _ToValueAndGradientAt[_In01, _No], fun: Callable[Concatenate[_A, _B, _Q], _R], /
    ) -> Callable[Concatenate[_A, _B, _Q], tuple[_R, tuple[_A, _B]]]: ...
    @overload
    def __call__(
        self: _ToValueAndGradientAt[_In01, _Yes], fun: Callable[Concatenate[_A, _B, _Q], tuple[_R, _X]], /
    ) -> Callable[Concatenate[_A, _B, _Q], tuple[tuple[_R, _X], tuple[_A, _B]]]: ...
    @overload
    def __call__(
        self: _ToValueAndGradientAt[int, Any] | _ToValueAndGradientAt[Sequence[int], Any],
        fun: Callable[_P, ArrayLike | _WithAux[Any]], /
    ) -> Callable[_P, Any]: ...

@overload
def filter_grad(fun: Callable[_P, ArrayLike], *, has_aux: _No = False,
    holomorphic: bool = False, allow_int: bool = False, reduce_axes: _Axes = ()) -> _Gradient[_P]: ...
@overload
def filter_grad(fun: Callable[_P, _WithAux[_X]], *, has_aux: _Yes,
    holomorphic: bool = False, allow_int: bool = False, reduce_axes: _Axes = ()) -> _GradientAux[_P, _X]: ...
@overload
def filter_grad(*, has_aux: _No = False,
    holomorphic: bool = False, allow_int: bool = False, reduce_axes: _Axes = ()) -> _ToGradient: ...
@overload
def filter_grad(*, has_aux: _Yes,
    holomorphic: bool = False, allow_int: bool = False, reduce_axes: _Axes = ()) -> _ToGradientAux: ...

@overload
def filter_value_and_grad(fun: Callable[_P, _R], *, has_aux: _No = False,
    holomorphic: bool = False, allow_int: bool = False, reduce_axes: _Axes = ()) -> _ValueAndGradient[_P, _R]: ...
@overload
def filter_value_and_grad(fun: Callable[_P, tuple[_R, _X]], *, has_aux: _Yes,
    holomorphic: bool = False, allow_int: bool = False,
    reduce_axes: _Axes = ()) -> _ValueAndGradient[_P, tuple[_R, _X]]: ...
@overload
def filter_value_and_grad(*, has_aux: _No = False,
    holomorphic: bool = False, allow_int: bool = False, reduce_axes: _Axes = ()) -> _ToValueAndGradient: ...
@overload
def filter_value_and_grad(*, has_aux: _Yes,
    holomorphic: bool = False, allow_int: bool = False, reduce_axes: _Axes = ()) -> _ToValueAndGradientAux: ...

# Mypy, zuban and pyrefly see one signature instead of overloads; `jit.pyi` says why, and what the branches are. What
# overloads tell apart when decorating, the result tells apart when it is called. `functools.partial` would lose
# `argnums` and `has_aux` if `fun` were a `Callable[_P, ...]`; hence a type variable for the whole function.

# In place of a function: then the result is a decorator.
@type_check_only
class _Nothing:
    def __call__(self) -> ArrayLike: ...

_Loss = TypeVar("_Loss", bound=Callable[..., ArrayLike | _WithAux[Any]])
_LossOrNothing = TypeVar("_LossOrNothing", bound=Callable[..., ArrayLike | _WithAux[Any]], default=_Nothing)

@type_check_only
class _Fun(Protocol[_N, _F_co]):
    def _argnums(self, value: _N, /) -> _N: ...
    @property
    def _fun(self) -> _F_co: ...

if MYPY:
    # The output twice, once to tell overloads apart (where the bound of a type variable would not count), once to keep.
    @type_check_only
    class _Calls(Protocol[_H_contra, _P, _O_co, _R_co, _D_co]):
        def _has_aux(self, value: _H_contra, /) -> None: ...
        def _gradient(self) -> _D_co: ...
        @property
        def _fun(self) -> Callable[_P, _O_co]: ...
        @property
        def _same_fun(self) -> Callable[..., _R_co]: ...

    @type_check_only
    class _Of(Generic[_F_co, _N, _H_contra]):
        def _argnums(self, value: _N, /) -> _N: ...
        def _has_aux(self, value: _H_contra, /) -> None: ...
        @property
        def _fun(self) -> _F_co: ...
        @property
        def _same_fun(self) -> _F_co: ...
        @overload
        def _gradient(self: _Fun[_At0, Callable[Concatenate[_A, ...], Any]]) -> _A: ...
        @overload
        def _gradient(self: _Fun[_At1, Callable[Concatenate[_A, _B, ...], Any]]) -> _B: ...
        @overload
        def _gradient(self: _Fun[_At2, Callable[Concatenate[_A, _B, _C, ...], Any]]) -> _C: ...
        @overload
        def _gradient(self: _Fun[_In0, Callable[Concatenate[_A, ...], Any]]) -> tuple[_A]: ...
        @overload
        def _gradient(self: _Fun[_In01, Callable[Concatenate[_A, _B, ...], Any]]) -> tuple[_A, _B]: ...
        @overload
        def _gradient(self: _Fun[int, Any]) -> Any: ...
        @overload
        def _gradient(self: _Fun[Sequence[int], Any]) -> Any: ...

    @type_check_only
    class _GradientOf(_Of[_F_co, _N, _H_contra]):
        @overload
        def __call__(self: _Fun[Any, _Nothing], fun: _Loss, /) -> _GradientOf[_Loss, _N, _H_contra]: ...
        @overload
        def __call__(self: _Calls[_No, _P, ArrayLike, Any, _D], *args: _P.args, **kwargs: _P.kwargs) -> _D: ...
        @overload
        def __call__(self: _Calls[_Yes, _P, _WithAux[_X], Any, _D],
                     *args: _P.args, **kwargs: _P.kwargs) -> tuple[_D, _X]: ...
        @overload
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self: _Calls[_No, Concatenate[_S, _Q], ArrayLike, Any, _D], instance: _S, owner: Any = None
                    ) -> Callable[_Q, _D]: ...
        @overload
        def __get__(self: _Calls[_Yes, Concatenate[_S, _Q], _WithAux[_X], Any, _D], instance: _S, owner: Any = None
                    ) -> Callable[_Q, tuple[_D, _X]]: ...

    @type_check_only
    class _ValueAndGradientOf(_Of[_F_co, _N, _H_contra]):
        @overload
        def __call__(self: _Fun[Any, _Nothing], fun: _Loss, /) -> _ValueAndGradientOf[_Loss, _N, _H_contra]: ...
        @overload
        def __call__(self: _Calls[_No, _P, ArrayLike, _T, _D],
                     *args: _P.args, **kwargs: _P.kwargs) -> tuple[_T, _D]: ...
        @overload
        def __call__(self: _Calls[_Yes, _P, _WithAux[Any], _T, _D],
                     *args: _P.args, **kwargs: _P.kwargs) -> tuple[_T, _D]: ...
        @overload
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self: _Calls[_No, Concatenate[_S, _Q], ArrayLike, _T, _D], instance: _S, owner: Any = None
                    ) -> Callable[_Q, tuple[_T, _D]]: ...
        @overload
        def __get__(self: _Calls[_Yes, Concatenate[_S, _Q], _WithAux[Any], _T, _D], instance: _S, owner: Any = None
                    ) -> Callable[_Q, tuple[_T, _D]]: ...

    def gradf(  # pyright: ignore[reportRedeclaration] # the other branch
        fun: _LossOrNothing = ..., *, filter_fn: _Filter | None = None, filter_tree: Any = None,
        argnums: _Argnums = ..., has_aux: _HasAux = ...,
        holomorphic: bool = False, allow_int: bool = False, reduce_axes: _Axes = (),
    ) -> _GradientOf[_LossOrNothing, _Argnums, _HasAux]: ...

    def value_and_grad_f(  # pyright: ignore[reportRedeclaration] # the other branch
        fun: _LossOrNothing = ..., *, filter_fn: _Filter | None = None, filter_tree: Any = None,
        argnums: _Argnums = ..., has_aux: _HasAux = ...,
        holomorphic: bool = False, allow_int: bool = False, reduce_axes: _Axes = (),
    ) -> _ValueAndGradientOf[_LossOrNothing, _Argnums, _HasAux]: ...

    not_here()  # pyright: ignore[reportInvalidStubStatement] # for pyrefly

elif PYREFLY:
    # A type variable keeps its default, `Literal[0]`, but takes the argument `1` for any `int`. So what is known is
    # whether `argnums` and `has_aux` are given, and not what they are.
    @type_check_only
    class _Called(Protocol[_N, _H_contra, _P, _O_co, _D_co]):
        def _argnums(self, value: _N, /) -> _N: ...
        def _has_aux(self, value: _H_contra, /) -> None: ...
        def _gradient(self) -> _D_co: ...
        @property
        def _fun(self) -> Callable[_P, _O_co]: ...

    @type_check_only
    class _Binds(Protocol[_N, _H_contra, _S_contra, _Q, _O_co, _D_co]):
        def _argnums(self, value: _N, /) -> _N: ...
        def _has_aux(self, value: _H_contra, /) -> None: ...
        def _gradient(self) -> _D_co: ...
        @property
        def _fun(self) -> Callable[Concatenate[_S_contra, _Q], _O_co]: ...

    @type_check_only
    class _From(Generic[_F_co, _N, _H_contra]):
        def _argnums(self, value: _N, /) -> _N: ...
        def _has_aux(self, value: _H_contra, /) -> None: ...
        @property
        def _fun(self) -> _F_co: ...
        def _gradient(self: _Fun[Any, Callable[Concatenate[_A, ...], Any]]) -> _A: ...

    @type_check_only
    class _GradientFrom(_From[_F_co, _N, _H_contra]):
        @overload
        def __call__(self: _Fun[Any, _Nothing], fun: _Loss, /) -> _GradientFrom[_Loss, _N, _H_contra]: ...
        @overload
        def __call__(self: _Called[_At0, _No, _P, ArrayLike, _D], *args: _P.args, **kwargs: _P.kwargs) -> _D: ...
        @overload
        def __call__(self: _Called[_At0, bool, _P, _WithAux[_X], _D],
                     *args: _P.args, **kwargs: _P.kwargs) -> tuple[_D, _X]: ...
        @overload
        def __call__(self: _Called[int, Any, _P, Any, Any] | _Called[Sequence[int], Any, _P, Any, Any],
                     *args: _P.args, **kwargs: _P.kwargs) -> Any: ...
        @overload
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self: _Binds[_At0, _No, _S, _Q, ArrayLike, _D], instance: _S, owner: Any = None
                    ) -> Callable[_Q, _D]: ...
        @overload
        def __get__(self: _Binds[_At0, bool, _S, _Q, _WithAux[_X], _D], instance: _S, owner: Any = None
                    ) -> Callable[_Q, tuple[_D, _X]]: ...
        @overload
        def __get__(self: _Binds[Any, Any, _S, _Q, Any, Any], instance: _S, owner: Any = None
                    ) -> Callable[_Q, Any]: ...

    @type_check_only
    class _ValueAndGradientFrom(_From[_F_co, _N, _H_contra]):
        @overload
        def __call__(self: _Fun[Any, _Nothing], fun: _Loss, /) -> _ValueAndGradientFrom[_Loss, _N, _H_contra]: ...
        @overload
        def __call__(self: _Called[_At0, _No, _P, _R, _D],
                     *args: _P.args, **kwargs: _P.kwargs) -> tuple[_R, _D]: ...
        @overload
        def __call__(self: _Called[_At0, bool, _P, tuple[_R, _X], _D],
                     *args: _P.args, **kwargs: _P.kwargs) -> tuple[tuple[_R, _X], _D]: ...
        @overload
        def __call__(self: _Called[int, Any, _P, Any, Any] | _Called[Sequence[int], Any, _P, Any, Any],
                     *args: _P.args, **kwargs: _P.kwargs) -> Any: ...
        @overload
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self: _Binds[_At0, _No, _S, _Q, _R, _D], instance: _S, owner: Any = None
                    ) -> Callable[_Q, tuple[_R, _D]]: ...
        @overload
        def __get__(self: _Binds[_At0, bool, _S, _Q, tuple[_R, _X], _D], instance: _S, owner: Any = None
                    ) -> Callable[_Q, tuple[tuple[_R, _X], _D]]: ...
        @overload
        def __get__(self: _Binds[Any, Any, _S, _Q, Any, Any], instance: _S, owner: Any = None
                    ) -> Callable[_Q, Any]: ...

    def gradf(  # pyright: ignore[reportRedeclaration] # the other branch
        *fun: _LossOrNothing, filter_fn: _Filter | None = None, filter_tree: Any = None,
        argnums: _Argnums = ..., has_aux: _HasAux = ...,
        holomorphic: bool = False, allow_int: bool = False, reduce_axes: _Axes = (),
    ) -> _GradientFrom[_LossOrNothing, _Argnums, _HasAux]: ...

    def value_and_grad_f(  # pyright: ignore[reportRedeclaration] # the other branch
        *fun: _LossOrNothing, filter_fn: _Filter | None = None, filter_tree: Any = None,
        argnums: _Argnums = ..., has_aux: _HasAux = ...,
        holomorphic: bool = False, allow_int: bool = False, reduce_axes: _Axes = (),
    ) -> _ValueAndGradientFrom[_LossOrNothing, _Argnums, _HasAux]: ...

else:
    # Without a function, `filter_fn` and `filter_tree` share their overloads: with a set for each, pyright goes astray
    # where `functools.partial` is applied to these functions, or does not come to an end.
    @overload
    def gradf(fun: Callable[_P, ArrayLike], *,
        filter_fn: _Filter, argnums: _At0 = 0, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _Gradient[_P]: ...
    @overload
    def gradf(fun: Callable[_P, _WithAux[_X]], *,
        filter_fn: _Filter, argnums: _At0 = 0, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _GradientAux[_P, _X]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _B, _Q], ArrayLike], *,
        filter_fn: _Filter, argnums: _At1, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], _B]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _B, _Q], _WithAux[_X]], *,
        filter_fn: _Filter, argnums: _At1, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[_B, _X]]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _B, _C, _Q], ArrayLike], *,
        filter_fn: _Filter, argnums: _At2, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _C, _Q], _C]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _B, _C, _Q], _WithAux[_X]], *,
        filter_fn: _Filter, argnums: _At2, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _C, _Q], tuple[_C, _X]]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _Q], ArrayLike], *,
        filter_fn: _Filter, argnums: _In0, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _Q], tuple[_A]]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _Q], _WithAux[_X]], *,
        filter_fn: _Filter, argnums: _In0, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _Q], tuple[tuple[_A], _X]]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _B, _Q], ArrayLike], *,
        filter_fn: _Filter, argnums: _In01, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[_A, _B]]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _B, _Q], _WithAux[_X]], *,
        filter_fn: _Filter, argnums: _In01, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[tuple[_A, _B], _X]]: ...
    @overload
    def gradf(fun: Callable[_P, ArrayLike], *,
        filter_fn: _Filter, argnums: _Nums, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[_P, Any]: ...
    @overload
    def gradf(fun: Callable[_P, _WithAux[Any]], *,
        filter_fn: _Filter, argnums: _Nums, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[_P, Any]: ...
    @overload
    def gradf(fun: Callable[_P, ArrayLike], *,
        filter_tree: Any, argnums: _At0 = 0, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _Gradient[_P]: ...
    @overload
    def gradf(fun: Callable[_P, _WithAux[_X]], *,
        filter_tree: Any, argnums: _At0 = 0, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _GradientAux[_P, _X]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _B, _Q], ArrayLike], *,
        filter_tree: Any, argnums: _At1, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], _B]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _B, _Q], _WithAux[_X]], *,
        filter_tree: Any, argnums: _At1, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[_B, _X]]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _B, _C, _Q], ArrayLike], *,
        filter_tree: Any, argnums: _At2, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _C, _Q], _C]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _B, _C, _Q], _WithAux[_X]], *,
        filter_tree: Any, argnums: _At2, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _C, _Q], tuple[_C, _X]]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _Q], ArrayLike], *,
        filter_tree: Any, argnums: _In0, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _Q], tuple[_A]]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _Q], _WithAux[_X]], *,
        filter_tree: Any, argnums: _In0, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _Q], tuple[tuple[_A], _X]]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _B, _Q], ArrayLike], *,
        filter_tree: Any, argnums: _In01, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[_A, _B]]: ...
    @overload
    def gradf(fun: Callable[Concatenate[_A, _B, _Q], _WithAux[_X]], *,
        filter_tree: Any, argnums: _In01, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[tuple[_A, _B], _X]]: ...
    @overload
    def gradf(fun: Callable[_P, ArrayLike], *,
        filter_tree: Any, argnums: _Nums, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[_P, Any]: ...
    @overload
    def gradf(fun: Callable[_P, _WithAux[Any]], *,
        filter_tree: Any, argnums: _Nums, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[_P, Any]: ...
    @overload
    def gradf(*, filter_fn: _Filter = ..., filter_tree: Any = ...,
        argnums: _At0 = 0, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _ToGradient: ...
    @overload
    def gradf(*, filter_fn: _Filter = ..., filter_tree: Any = ...,
        argnums: _At0 = 0, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _ToGradientAux: ...
    @overload
    def gradf(*, filter_fn: _Filter = ..., filter_tree: Any = ...,
        argnums: _Argnums, has_aux: _HasAux = ..., holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _ToGradientAt[_Argnums, _HasAux]: ...

    @overload
    def value_and_grad_f(fun: Callable[_P, _R], *,
        filter_fn: _Filter, argnums: _At0 = 0, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _ValueAndGradient[_P, _R]: ...
    @overload
    def value_and_grad_f(fun: Callable[_P, tuple[_R, _X]], *,
        filter_fn: _Filter, argnums: _At0 = 0, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _ValueAndGradient[_P, tuple[_R, _X]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _B, _Q], _R], *,
        filter_fn: _Filter, argnums: _At1, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[_R, _B]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _B, _Q], tuple[_R, _X]], *,
        filter_fn: _Filter, argnums: _At1, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[tuple[_R, _X], _B]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _B, _C, _Q], _R], *,
        filter_fn: _Filter, argnums: _At2, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _C, _Q], tuple[_R, _C]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _B, _C, _Q], tuple[_R, _X]], *,
        filter_fn: _Filter, argnums: _At2, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _C, _Q], tuple[tuple[_R, _X], _C]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _Q], _R], *,
        filter_fn: _Filter, argnums: _In0, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _Q], tuple[_R, tuple[_A]]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _Q], tuple[_R, _X]], *,
        filter_fn: _Filter, argnums: _In0, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _Q], tuple[tuple[_R, _X], tuple[_A]]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _B, _Q], _R], *,
        filter_fn: _Filter, argnums: _In01, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[_R, tuple[_A, _B]]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _B, _Q], tuple[_R, _X]], *,
        filter_fn: _Filter, argnums: _In01, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[tuple[_R, _X], tuple[_A, _B]]]: ...
    @overload
    def value_and_grad_f(fun: Callable[_P, ArrayLike], *,
        filter_fn: _Filter, argnums: _Nums, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[_P, Any]: ...
    @overload
    def value_and_grad_f(fun: Callable[_P, _WithAux[Any]], *,
        filter_fn: _Filter, argnums: _Nums, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[_P, Any]: ...
    @overload
    def value_and_grad_f(fun: Callable[_P, _R], *,
        filter_tree: Any, argnums: _At0 = 0, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _ValueAndGradient[_P, _R]: ...
    @overload
    def value_and_grad_f(fun: Callable[_P, tuple[_R, _X]], *,
        filter_tree: Any, argnums: _At0 = 0, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _ValueAndGradient[_P, tuple[_R, _X]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _B, _Q], _R], *,
        filter_tree: Any, argnums: _At1, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[_R, _B]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _B, _Q], tuple[_R, _X]], *,
        filter_tree: Any, argnums: _At1, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[tuple[_R, _X], _B]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _B, _C, _Q], _R], *,
        filter_tree: Any, argnums: _At2, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _C, _Q], tuple[_R, _C]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _B, _C, _Q], tuple[_R, _X]], *,
        filter_tree: Any, argnums: _At2, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _C, _Q], tuple[tuple[_R, _X], _C]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _Q], _R], *,
        filter_tree: Any, argnums: _In0, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _Q], tuple[_R, tuple[_A]]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _Q], tuple[_R, _X]], *,
        filter_tree: Any, argnums: _In0, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _Q], tuple[tuple[_R, _X], tuple[_A]]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _B, _Q], _R], *,
        filter_tree: Any, argnums: _In01, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[_R, tuple[_A, _B]]]: ...
    @overload
    def value_and_grad_f(fun: Callable[Concatenate[_A, _B, _Q], tuple[_R, _X]], *,
        filter_tree: Any, argnums: _In01, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[Concatenate[_A, _B, _Q], tuple[tuple[_R, _X], tuple[_A, _B]]]: ...
    @overload
    def value_and_grad_f(fun: Callable[_P, ArrayLike], *,
        filter_tree: Any, argnums: _Nums, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[_P, Any]: ...
    @overload
    def value_and_grad_f(fun: Callable[_P, _WithAux[Any]], *,
        filter_tree: Any, argnums: _Nums, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> Callable[_P, Any]: ...
    @overload
    def value_and_grad_f(*, filter_fn: _Filter = ..., filter_tree: Any = ...,
        argnums: _At0 = 0, has_aux: _No = False, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _ToValueAndGradient: ...
    @overload
    def value_and_grad_f(*, filter_fn: _Filter = ..., filter_tree: Any = ...,
        argnums: _At0 = 0, has_aux: _Yes, holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _ToValueAndGradientAux: ...
    @overload
    def value_and_grad_f(*, filter_fn: _Filter = ..., filter_tree: Any = ...,
        argnums: _Argnums, has_aux: _HasAux = ..., holomorphic: bool = False, allow_int: bool = False,
        reduce_axes: _Axes = ()) -> _ToValueAndGradientAt[_Argnums, _HasAux]: ...
    not_here()  # pyright: ignore[reportInvalidStubStatement] # for pyrefly
