"""Mistakes with functions that are mapped, sharded or traced ahead of time."""

from jax import Array
from jax.sharding import PartitionSpec

import equinox as eqx


def plain(x: Array, times: int = 2) -> Array:
    return x


@eqx.filter_vmap
def mapped(x: Array, times: int = 2) -> Array:
    return x


class Model(eqx.Module):
    weight: Array

    @eqx.filter_vmap(in_axes=(None, 0))
    def mapped(self, x: Array) -> Array:
        return x

    @eqx.filter_pmap
    def on_devices(self, x: Array) -> Array:
        return x


def calls(model: Model, x: Array, spec: PartitionSpec) -> None:
    mapped("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    mapped()  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.filter_vmap(plain, in_axes=0)(x, "two")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_pmap(plain)("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_shard_map(plain, in_specs=spec, out_specs=spec)("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    model.mapped("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    model.on_devices()  # error: mypy[call-arg] pyright[reportCallIssue]
    _mapped: str = mapped(x)  # error: mypy[assignment] pyright[reportAssignmentType]
    _shape: str = eqx.filter_eval_shape(plain, x)  # error: mypy[assignment] pyright[reportAssignmentType]
    _sharded: str = eqx.filter_shard(x, None)  # error: mypy[assignment] pyright[reportAssignmentType]
    eqx.filter_closure_convert(plain, x)("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_make_jaxpr(plain)(x).jaxpr  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]


def options(x: Array, spec: PartitionSpec) -> None:
    eqx.filter_vmap(plain, in_axis=0)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.filter_vmap(plain, axis_size="3")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_vmap(3)  # error: mypy[type-var] pyright[reportArgumentType]
    eqx.filter_pmap(plain, donate="first")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_pmap(plain, static_broadcasted_argnums=0)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.filter_shard_map(plain, in_specs=spec)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.if_array("0")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_pure_callback(plain, x)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.filter_eval_shape(fun=plain)  # error: mypy[call-arg] pyright[reportCallIssue]
