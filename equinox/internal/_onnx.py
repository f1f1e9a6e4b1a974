"""`to_onnx`: export a function in the ONNX format, by way of TensorFlow."""

import importlib
from collections.abc import Callable
from typing import Any

import jax

from ._finalise import finalise_fn


def to_onnx(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that exports another one in the ONNX format.

    The packages `tensorflow` and `tf2onnx`, and a version of JAX that has `jax.experimental.jax2tf`, must be installed.

    **Arguments**

    - `fn`: a function of positional arguments, which are PyTrees of arrays, as are its outputs.

    **Returns**

    A function that is called with arguments like those of `fn`, or with a `jax.ShapeDtypeStruct` in place of each
    array, and returns the ONNX model.

    **Raises** (when called)

    - `ImportError`: one of the packages is not installed.

    **Example**
    ```python
    >>> export = to_onnx(eqx.nn.Linear(2, 3, key=jax.random.key(0)))
    >>> model = export(jax.ShapeDtypeStruct((2,), jnp.float32))  # doctest: +SKIP

    ```
    """

    def export(*args: Any) -> Any:
        jax2tf: Any = importlib.import_module("jax.experimental.jax2tf")
        tf: Any = importlib.import_module("tensorflow")
        tf2onnx: Any = importlib.import_module("tf2onnx")
        function = jax2tf.convert(finalise_fn(fn), enable_xla=False)

        def spec(array: Any) -> Any:
            return tf.TensorSpec(array.shape, array.dtype)

        model, _ = tf2onnx.convert.from_function(
            tf.function(function, autograph=False), input_signature=jax.tree.map(spec, list(args))
        )
        return model

    return export
