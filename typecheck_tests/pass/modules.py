"""Modules as people write them: own and generated `__init__`, options of fields, inheritance, generics."""

import abc
import dataclasses
from collections.abc import Callable
from typing import ClassVar, Final, Generic, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Affine(eqx.Module):
    weight: Array
    bias: Array | None = None
    name: str = eqx.field(static=True, default="affine")
    _: dataclasses.KW_ONLY
    scale: float = 1.0

    #: Not a field.
    count: ClassVar[int] = 2

    def __call__(self, x: Array) -> Array:
        y: Array = self.scale * (self.weight @ x)
        return y if self.bias is None else y + self.bias

    def norm(self, order: int = 2) -> Array:
        return jnp.sum(jnp.abs(self.weight) ** order) ** (1 / order)


class Deep(Affine):
    depth: int = eqx.field(static=True, default=1, kw_only=True)

    def __call__(self, x: Array) -> Array:
        for _ in range(self.depth):
            x = super().__call__(x)
        return x


class WithInit(eqx.Module):
    weight: Final[Array]
    sizes: Final[tuple[int, int]]

    def __init__(self, in_size: int, out_size: int) -> None:
        self.weight = jnp.ones((out_size, in_size))
        self.sizes = (in_size, out_size)


class Child(WithInit):
    """Inherits the `__init__` of its parent."""

    def total(self) -> Array:
        return self.weight.sum()


class Extended(WithInit):
    bias: Array

    def __init__(self, in_size: int, out_size: int) -> None:
        super().__init__(in_size, out_size)  # gap: zuban(super-init)
        self.bias = jnp.zeros(out_size)


class Frozen(eqx.Module, frozen=True):
    value: Array


class KeywordsOnly(eqx.Module, kw_only=True):
    first: int
    second: str = "two"


class Checked(eqx.Module):
    size: int
    half: int = eqx.field(init=False)

    def __post_init__(self) -> None:
        self.half = self.size // 2

    def __check_init__(self) -> None:
        if self.size % 2:
            raise ValueError("odd")


_T = TypeVar("_T")


class Box(eqx.Module, Generic[_T]):
    content: _T

    def map(self, function: Callable[[_T], _T]) -> "Box[_T]":
        return Box(function(self.content))


class Solver(eqx.Module):
    order: eqx.AbstractVar[int]

    @abc.abstractmethod
    def step(self, y: Array, dt: float) -> Array: ...

    def run(self, y: Array, steps: int) -> Array:
        for _ in range(steps):
            y = self.step(y, 1.0 / steps)
        return y


class Euler(Solver):
    order: int = 1

    def step(self, y: Array, dt: float) -> Array:
        return y - dt * y


class Heun(Solver):
    @property  # gap: mypy(abstract-property) zuban(abstract-property)
    def order(self) -> int:  # gap: all(abstract-property)
        return 2

    def step(self, y: Array, dt: float) -> Array:
        return y - dt * y + dt**2 * y / 2


class Adaptive(Solver):
    tolerance: float  # gap: mypy(abstract-field-order) pyrefly(abstract-field-order) ty(abstract-field-order) zuban(abstract-field-order)
    order: int = 3

    def step(self, y: Array, dt: float) -> Array:
        return y - min(self.tolerance, dt) * y


class Named(eqx.Module):
    name: eqx.AbstractClassVar[str]
    size: int


class Concrete(Named):
    name = "concrete"


affine = Affine(jnp.eye(2), jnp.ones(2), scale=2.0)
assert affine(jnp.ones(2)).tolist() == [3.0, 3.0]
assert Affine(weight=jnp.eye(2)).norm(order=1) == 2.0
assert jax.tree.map(jnp.shape, affine).weight == (2, 2)
assert Affine.count == affine.count == 2
assert Affine.norm(affine) == affine.norm()

deep = Deep(jnp.eye(2), depth=3, scale=2.0)
assert deep(jnp.ones(2)).tolist() == [8.0, 8.0]
assert dataclasses.replace(deep, depth=1)(jnp.ones(2)).tolist() == [2.0, 2.0]

child = Child(2, out_size=3)  # gap: all(inherited-init)
assert child.total() == 6
assert Extended(2, 3).bias.shape == (3,)
assert Extended(2, 3).sizes == (2, 3)
assert Frozen(jnp.ones(1)).value.shape == (1,)
assert KeywordsOnly(first=1).second == "two"
assert Checked(4).half == 2
assert Box(2).map(lambda n: n + 1).content == 3

heun = Heun()  # gap: all(abstract-property)
adaptive = Adaptive(0.5)  # gap: all(abstract-field-order)
solvers: list[Solver] = [Euler(), heun, adaptive]
assert [solver.order for solver in solvers] == [1, 2, 3]
assert all(0 < solver.run(jnp.ones(()), 2) < 1 for solver in solvers)

assert Concrete(3).name == "concrete"  # gap: pyright(abstract-class-variable)
