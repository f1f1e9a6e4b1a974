"""`filter_pmap`: map a function over axes of the arrays in its arguments, each slice on a device of its own."""

import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from .._errors import first_user_frame
from .._jax_tree import tree_flatten
from .._module import module_update_wrapper
from .._sentinel import sentinel
from .aot import AheadOfTime
from .axes import argument_axes, axis_size, if_array
from .dispatch import Dispatcher
from .jit import filter_jit
from .mapped import Mapped, as_map_options, reject_keywords
from .wrapped import BoundWrapped, Wrapped, as_decorator, check_callable, reject_removed_options

#: The name of the axis of the mesh, if the caller gives none.
_UNNAMED: Final = "_filter_pmap"


# JAX does not type these, or too narrowly.
_shard_map = cast(Any, jax.shard_map)
_PartitionSpec = cast(Any, PartitionSpec)
_local_devices = cast(Any, jax.local_devices)


class _OnDevices(Mapped):
    """A function mapped by running it on several devices. It is compiled as a whole, with the splitting."""

    def mesh(self, size: int) -> Mesh:
        """The devices, one for each slice."""
        options = dict(self._options.more)
        devices: Sequence[Any] = options["devices"] or _local_devices(backend=options["backend"])[:size]
        if len(devices) != size:
            raise ValueError(
                f"`filter_pmap` needs one device for each slice: the mapped axes have size {size}, but there are "
                f"{len(devices)} devices. Use `filter_vmap` to map over more slices than devices, or both, one inside "
                "the other."
            )
        name = _UNNAMED if self._options.axis_name is None else self._options.axis_name
        return Mesh(np.array(devices), (name,))

    def place(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Move arrays that are bound to a single device to the devices where they are needed."""
        leaves, treedef = tree_flatten(args)
        if not any(map(_is_bound_to_one_device, leaves)):
            return args
        axes = argument_axes(self._options.in_axes, self._function, args)
        size = axis_size(self._function, args, axes, self._options.axis_size)
        if size is None:
            return args
        mesh = self.mesh(size)
        placed: tuple[Any, ...] = treedef.unflatten(
            jax.device_put(leaf, NamedSharding(mesh, _spec(leaf, axis, mesh)))
            if _is_bound_to_one_device(leaf)
            else leaf
            for leaf, axis in zip(leaves, axes, strict=True)
        )
        return placed

    def _map(self, of_slices: Callable[[list[Any]], Any], leaves: list[Any], axes: list[int], size: int) -> Any:
        mesh = self.mesh(size)

        def on_device(parts: list[Any]) -> Any:
            stacked, same, rest = of_slices([jnp.squeeze(part, axis) for part, axis in zip(parts, axes, strict=True)])
            return [jnp.expand_dims(leaf, 0) for leaf in stacked], same, rest

        return _shard_map(
            on_device,
            mesh=mesh,
            in_specs=([_spec(leaf, axis, mesh) for leaf, axis in zip(leaves, axes, strict=True)],),
            out_specs=(_PartitionSpec(*mesh.axis_names), _PartitionSpec(), _PartitionSpec()),
            # As in `jax.pmap`, what has no axis in `out_axes` is taken on trust to be the same everywhere.
            check_vma=False,
        )(leaves)


def _spec(leaf: Any, axis: int | None, mesh: Mesh) -> PartitionSpec:
    spec: PartitionSpec = _PartitionSpec(*([] if axis is None else [*[None] * (axis % leaf.ndim), *mesh.axis_names]))
    return spec


def _is_bound_to_one_device(leaf: Any) -> bool:
    if not isinstance(leaf, jax.Array) or isinstance(leaf, Tracer):
        return False
    return leaf.committed and leaf.sharding.num_devices == 1


class PerDevice(Wrapped, AheadOfTime[..., Any]):
    """A function mapped over devices, compiled as needed."""

    @property
    def __wrapped__(self) -> Any:
        return self._mapped.__wrapped__

    @property
    def _mapped(self) -> _OnDevices:
        mapped: _OnDevices = self._function.__wrapped__
        return mapped

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        reject_keywords(self._transformation, self.__wrapped__, kwargs)
        return self._function(*self._mapped.place(args))

    def _stage(self) -> tuple[Dispatcher, tuple[Any, ...]]:
        return self._function._dispatcher, ()

    def _bound_type(self) -> type[BoundWrapped]:
        return BoundPerDevice


class BoundPerDevice(BoundWrapped, AheadOfTime[..., Any]):
    """A method mapped over devices together with its instance."""

    def _stage(self) -> tuple[Dispatcher, tuple[Any, ...]]:
        dispatcher: Dispatcher = self.__func__._function._dispatcher  # what `PerDevice` bound, and `filter_jit` made
        return dispatcher, (self.__self__,)


_DONATIONS: Final = ("all", "warn", "none")


def filter_pmap(
    fun: Any = sentinel,
    *,
    in_axes: Any = if_array(0),  # noqa: B008 # it is immutable
    out_axes: Any = if_array(0),  # noqa: B008
    axis_name: Hashable = None,
    axis_size: int | None = None,
    donate: str = "none",
    **pmapkwargs: Any,
) -> Any:
    """Map a function over axes of the arrays in its arguments, each slice on a device of its own. Like `jax.pmap`.

    It is [`filter_vmap`][equinox.filter_vmap] over the devices of this process, compiled as by
    [`filter_jit`][equinox.filter_jit]: arrays are traced, those of `fun` itself included, and everything else is
    static. New programs are better off with `filter_jit` and shardings, or with
    [`filter_shard_map`][equinox.filter_shard_map].

    **Arguments**

    - `fun`, `in_axes`, `out_axes`, `axis_name`, `axis_size`: as in `filter_vmap`.
    - `donate`: which arrays may be overwritten with the results: all (`"all"`), or none (`"none"`). `"warn"` is
        `"all"`, and warns of arrays that could not be used.
    - `**pmapkwargs`: `devices`, a sequence with one device for each slice, or else `backend`, as in `jax.pmap`.

    **Returns**

    A callable with the parameters of `fun`, all to be passed by position, and with the methods `lower`, `trace`,
    `eval_shape` and `clear_cache`. It is a PyTree with the leaves of `fun`, and binds like a function when it is found
    in a class body.

    **Raises**

    As `filter_vmap` and `filter_jit`; and:

    - `ValueError`: an option of `jax.pmap` that filtering takes the place of; a bad value of `donate`; when called,
        there is not a device for each slice.

    **Example**
    ```python
    >>> @eqx.filter_pmap(axis_name="device", in_axes=(0, None))
    ... def normalise(x, kind):
    ...     return x / jax.lax.psum(x, "device")
    >>> normalise(jnp.ones((jax.local_device_count(), 1)), "sum").shape == (jax.local_device_count(), 1)
    True

    ```
    """
    for name in ("static_broadcasted_argnums", "donate_argnums"):
        if name in pmapkwargs:
            raise ValueError(
                f"`filter_pmap` does not take `{name}`: which leaves are traced follows from what they are. Use "
                "`donate` for donation."
            )
    reject_removed_options("filter_pmap", pmapkwargs, "default", "fn", "args", "kwargs", "out")
    for name in pmapkwargs:
        if name not in ("devices", "backend"):
            raise TypeError(f"filter_pmap() got an unexpected keyword argument {name!r}")
    if donate == "arrays":
        warnings.warn(
            "`donate='arrays'` of `filter_pmap` is now called `donate='all'`.",
            DeprecationWarning,
            stacklevel=first_user_frame(),
        )
        donate = "all"
    if donate not in _DONATIONS:
        raise ValueError(f"`donate` must be one of {', '.join(map(repr, _DONATIONS))}. Found {donate!r}.")
    devices: Sequence[Any] | None = pmapkwargs.get("devices")
    map_options = as_map_options(
        in_axes,
        out_axes,
        axis_name,
        axis_size,
        devices=None if devices is None else tuple(devices),
        backend=pmapkwargs.get("backend"),
    )
    if fun is sentinel:
        options = {"in_axes": in_axes, "out_axes": out_axes, "axis_name": axis_name, "axis_size": axis_size}
        return as_decorator(filter_pmap, {**options, "donate": donate, **pmapkwargs})
    check_callable("filter_pmap", fun)
    mapped = module_update_wrapper(_OnDevices(fun, "filter_pmap", map_options))
    compiled = filter_jit(mapped, donate=cast(Any, donate))
    return module_update_wrapper(PerDevice(compiled, "filter_pmap"))
