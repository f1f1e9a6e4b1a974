# ruff: noqa: PYI002 # `MYPY` is a condition
# The rule overlooks that type variables may have a default.
# pyright: reportInvalidTypeVarUse=false
from collections.abc import Hashable
from collections.abc import Set as AbstractSet
from typing import Any, overload

from jax.sharding import AbstractMesh, Mesh

from .jit import _F, _FD, MYPY, PYREFLY, _Same, not_here  # pyright: ignore[reportPrivateUsage] # what is mapped keeps its type too

# `jit.pyi` says why there are three branches.
if MYPY:
    def filter_shard_map(  # pyright: ignore[reportRedeclaration] # the other branch
        fun: _FD = ...,
        *,
        in_specs: Any,
        out_specs: Any,
        mesh: Mesh | AbstractMesh | None = None,
        axis_names: AbstractSet[Hashable] = ...,
        check_vma: bool = True,
    ) -> _FD: ...
    not_here()  # pyright: ignore[reportInvalidStubStatement] # for pyrefly

elif PYREFLY:
    def filter_shard_map(  # pyright: ignore[reportRedeclaration] # the other branch
        *fun: _FD,
        in_specs: Any,
        out_specs: Any,
        mesh: Mesh | AbstractMesh | None = None,
        axis_names: AbstractSet[Hashable] = ...,
        check_vma: bool = True,
    ) -> _FD: ...

else:
    @overload
    def filter_shard_map(
        fun: _F,
        *,
        in_specs: Any,
        out_specs: Any,
        mesh: Mesh | AbstractMesh | None = None,
        axis_names: AbstractSet[Hashable] = ...,
        check_vma: bool = True,
    ) -> _F: ...
    @overload
    def filter_shard_map(
        *,
        in_specs: Any,
        out_specs: Any,
        mesh: Mesh | AbstractMesh | None = None,
        axis_names: AbstractSet[Hashable] = ...,
        check_vma: bool = True,
    ) -> _Same: ...
    not_here()  # pyright: ignore[reportInvalidStubStatement] # for pyrefly
