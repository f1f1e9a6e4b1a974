"""`filter_shard_map`: run a function on every device, each with its part of the arrays."""

import dataclasses
from collections.abc import Hashable
from collections.abc import Set as AbstractSet
from typing import Any, Final, cast

import jax
from jax.sharding import AbstractMesh, Mesh, PartitionSpec

from .._errors import describe, locate
from .._jax_tree import tree_flatten, tree_leaves_with_path
from .._module import field, module_update_wrapper
from .._sentinel import sentinel
from .._tree.predicates import is_array, is_none
from .._tree.prefix import flatten_up_to
from .arguments import Arguments
from .conceal import conceal
from .eager import compiled_if_eager
from .options import Prefix
from .template import Template
from .wrapped import Wrapped, as_decorator, check_callable

# JAX does not type these, or too narrowly.
_shard_map = cast(Any, jax.shard_map)
_WHOLE: Final[PartitionSpec] = cast(Any, PartitionSpec)()


@dataclasses.dataclass(frozen=True)
class _ShardMapOptions:
    in_specs: Prefix
    out_specs: Prefix
    #: Further options for `jax.shard_map`.
    jax_options: tuple[tuple[str, Any], ...]


class ShardMapped(Wrapped):
    """A function that runs on every device of a mesh."""

    _options: _ShardMapOptions = field(static=True)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return compiled_if_eager(ShardMapped._shard, self, *Arguments(self._function).canonical(args, kwargs))

    def _shard(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        leaves, treedef = tree_flatten((args, self._function, kwargs))
        mask: list[bool] = [is_array(leaf) for leaf in leaves]
        template = Template(treedef, leaves, mask, None)
        specs = _spread(self._options.in_specs.tree, args)
        # The callable's arrays, and what can be passed by keyword alone, are whole on every device.
        specs += [_WHOLE] * (len(leaves) - len(specs))

        def of_arrays(arrays: list[Any]) -> Any:
            args, function, kwargs = template.fill(arrays)
            return conceal(function(*args, **kwargs), is_array, in_place=True)

        return _shard_map(
            of_arrays,
            in_specs=([spec for spec, is_dynamic in zip(specs, mask, strict=True) if is_dynamic],),
            out_specs=self._options.out_specs.tree,
            **dict(self._options.jax_options),
        )([leaf for leaf, is_dynamic in zip(leaves, mask, strict=True) if is_dynamic])


def _spread(in_specs: Any, args: tuple[Any, ...]) -> list[PartitionSpec]:
    """Repeat each leaf of a prefix for every leaf of the arguments below it."""
    specs, subtrees, _ = flatten_up_to(in_specs, args, argument="in_specs", tree_argument="args", is_leaf=is_none)
    return [spec for spec, subtree in zip(specs, subtrees, strict=True) for _ in tree_flatten(subtree)[0]]


def _as_specs(argument: str, specs: Any) -> Prefix:
    """Check a tree of partition specs, and make it an option; `None` in it means the same as `PartitionSpec()`."""
    for path, spec in tree_leaves_with_path(specs):
        if not isinstance(spec, PartitionSpec):
            raise TypeError(
                f"{locate(argument, path)} of `filter_shard_map`: found {describe(spec)}; expected a "
                "`jax.sharding.PartitionSpec`, or `None` for what every device has all of."
            )
    prefix = Prefix.of(specs)
    whole = tuple(_WHOLE if spec is None else spec for spec in prefix.leaves)
    return dataclasses.replace(prefix, leaves=whole)


def filter_shard_map(
    fun: Any = sentinel,
    *,
    in_specs: Any,
    out_specs: Any,
    mesh: Mesh | AbstractMesh | None = None,
    axis_names: AbstractSet[Hashable] = frozenset(),
    check_vma: bool = True,
) -> Any:
    """Run a function on every device of a mesh, each with its part of the arrays. Wraps `jax.shard_map`.

    Arguments and results may be Modules and hold anything: arrays are split, everything else is as it is on every
    device. The arrays of `fun` itself, if it is a Module, are whole on every device.

    **Arguments**

    - `fun`: a function, or any other callable. Without it, the result is a decorator.
    - `in_specs`: how arguments are split: a prefix of the tuple of positional arguments. Its leaves are
        `jax.sharding.PartitionSpec`s, or `None` for what every device has all of (and for what is no array). What can
        only be passed by keyword is not split.
    - `out_specs`: how the parts of the results make up the whole: a prefix of what `fun` returns, with such leaves.
    - `mesh`, `axis_names`, `check_vma`: as in `jax.shard_map`.

    **Returns**

    A callable with the parameters of `fun`. It is a PyTree with the leaves of `fun`, and binds like a function when it
    is found in a class body.

    **Raises**

    - `TypeError`: `fun` is not callable, `mesh` is no mesh, or a leaf of `in_specs` or `out_specs` is no partition
      spec.
    - `ValueError`, when called: they are no prefixes, or an array cannot be split that way.

    **Example**
    ```python
    >>> from jax.sharding import PartitionSpec as P
    >>> mesh = jax.make_mesh((1,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
    >>> @eqx.filter_shard_map(mesh=mesh, in_specs=(None, P("batch")), out_specs=P())
    ... def mean(model, x):
    ...     return jax.lax.pmean(model["activation"](x).mean(), "batch")
    >>> mean({"activation": jax.nn.relu}, jnp.array([-1.0, 1.0]))
    Array(0.5, dtype=float32)

    ```
    """
    options = {"mesh": mesh, "axis_names": frozenset(axis_names), "check_vma": check_vma}
    if fun is sentinel:
        return as_decorator(filter_shard_map, {"in_specs": in_specs, "out_specs": out_specs, **options})
    check_callable("filter_shard_map", fun)
    if not (mesh is None or isinstance(cast(object, mesh), (Mesh, AbstractMesh))):
        raise TypeError(
            f"argument `mesh` of `filter_shard_map`: found {describe(mesh)}; expected a `jax.sharding.Mesh`, such as "
            "`jax.make_mesh` returns, or `None` for that of `jax.set_mesh`."
        )
    shard_map_options = _ShardMapOptions(
        _as_specs("in_specs", in_specs), _as_specs("out_specs", out_specs), tuple(options.items())
    )
    return module_update_wrapper(ShardMapped(fun, "filter_shard_map", shard_map_options))
