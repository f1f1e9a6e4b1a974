"""Modules that build on others: interfaces, generic wrappers, layers with something added."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Layer(Protocol):
    def __call__(self, x: Array, /) -> Array: ...


_Layer = TypeVar("_Layer", bound=Layer)


class Residual(eqx.Module, Generic[_Layer]):
    layer: _Layer
    scale: float = eqx.field(static=True, default=1.0)

    def __call__(self, x: Array) -> Array:
        return x + self.scale * self.layer(x)


class Distribution(eqx.Module):
    """An interface: fields and methods that a subclass has to have."""

    size: eqx.AbstractVar[int]

    @abc.abstractmethod
    def sample(self, key: Array) -> Array: ...

    @abc.abstractmethod
    def log_density(self, x: Array) -> Array: ...

    def samples(self, key: Array, number: int) -> Array:
        return jnp.stack([self.sample(key) for key in jax.random.split(key, number)])


class Normal(Distribution):
    mean: Array
    deviation: float = 1.0

    # Computed, and not a field: to checkers the abstract field is one all the same.
    @property  # gap: mypy(abstract-property) zuban(abstract-property)
    def size(self) -> int:  # gap: all(abstract-property)
        return self.mean.size

    def sample(self, key: Array) -> Array:
        return self.mean + self.deviation * jax.random.normal(key, self.mean.shape)

    def log_density(self, x: Array) -> Array:
        return -jnp.sum(((x - self.mean) / self.deviation) ** 2) / 2


class Scaled(eqx.nn.Linear, init=False):
    """Inherits the `__init__` of its parent, and says so."""

    scale: float = 2.0

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        return self.scale * super().__call__(x, key=key)


class Named(eqx.nn.Linear):
    """Has one of its own, which calls that of its parent."""

    name: str = eqx.field(static=True)

    def __init__(self, size: int, *, name: str, key: Array) -> None:
        super().__init__(size, size, key=key)  # gap: zuban(super-init)
        self.name = name


class Point(eqx.Module, frozen=True):
    x: Array


class PointInSpace(Point, frozen=True):
    """To be frozen is not inherited: as with dataclasses, each class says it."""

    y: Array
    _: dataclasses.KW_ONLY
    unit: str = eqx.field(static=True, default="m")


class Scheduled(eqx.Module):
    """Fields that are functions are called as they are; they are no methods."""

    rate: Callable[[int], float]
    steps: list[int] = dataclasses.field(default_factory=list[int])
    start: dataclasses.InitVar[int] = 0

    def __post_init__(self, start: int) -> None:
        self.steps = [start, *self.steps]

    def rates(self) -> list[float]:
        return [self.rate(step) for step in self.steps]


class Described:
    """No Module: a plain class can be inherited from as well."""

    def describe(self) -> str:
        return f"a {type(self).__name__}"


class Mixed(Described, eqx.Module):
    value: int


key = jax.random.key(0)
residual = Residual(eqx.nn.Linear(2, 2, key=key))
assert residual(jnp.ones(2)).shape == (2,)
assert residual.layer.weight.shape == (2, 2)
nested = Residual(Residual(eqx.nn.Lambda(jnp.tanh)), scale=0.5)
assert nested.layer.layer.fn(jnp.zeros(())) == 0

normal = Normal(jnp.zeros(3))  # gap: all(abstract-property)
distribution: Distribution = normal
assert distribution.size == 3
assert distribution.samples(key, 4).shape == (4, 3)

scaled = Scaled(2, 3, key=key)  # gap: zuban(inherited-init)
assert jnp.allclose(scaled(jnp.ones(2)), 2 * eqx.nn.Linear(2, 3, key=key)(jnp.ones(2)))
named = Named(2, name="first", key=key)
assert (named.name, named.out_features) == ("first", 2)
layers: list[eqx.nn.Linear] = [scaled, named]
assert [layer.use_bias for layer in layers] == [True, True]

point = PointInSpace(jnp.zeros(()), jnp.ones(()), unit="km")
assert eqx.tree_at(lambda p: p.x, point, jnp.ones(())).x == 1
assert dataclasses.replace(point, unit="m").unit == "m"
assert Scheduled(lambda step: 1 / (step + 1), [1], start=0).rates() == [1.0, 0.5]
assert Mixed(3).describe() == "a Mixed"
