"""The exceptions that tell a user that a check in their program has failed."""

from typing import Any


class EquinoxRuntimeError(RuntimeError):
    """A runtime check failed: see [`error_if`][equinox.error_if].

    **Example**
    ```python
    >>> try:
    ...     eqx.error_if(jnp.array(-1.0), jnp.array(True), "x must be positive")
    ... except eqx.EquinoxRuntimeError as error:
    ...     print("x must be positive" in str(error))
    True

    ```
    """

    # So that tracebacks print the bare name, as they do for Python's own exceptions.
    __module__ = "builtins"

    def __reduce__(self) -> Any:
        if type(self) is EquinoxRuntimeError:  # which `pickle` would look for where its `__module__` says
            return _runtime_error, self.args
        return super().__reduce__()


def _runtime_error(*args: Any) -> EquinoxRuntimeError:
    return EquinoxRuntimeError(*args)


class EquinoxTracetimeError(EquinoxRuntimeError):
    """A runtime check is known to fail while the function is still being traced. Its text is the check's message.

    **Example**
    ```python
    >>> eqx.error_if(jnp.array(-1.0), True, "x must be positive")
    Traceback (most recent call last):
        ...
    equinox._runtime.errors.EquinoxTracetimeError: x must be positive

    ```
    """
