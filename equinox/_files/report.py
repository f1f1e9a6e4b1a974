"""What a file and a tree had in common, where they need not agree."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """Which leaves were loaded, where the file and the tree need not agree (`strict=False`).

    **Attributes**

    - `matched`: the leaves that were loaded.
    - `missing`: the leaves of the tree that are not in the file, and are what they were.
    - `unexpected`: what is in the file and has no leaf in the tree.

    Each is a tuple of key paths as text, such as `.layers[0].weight`; in a safetensors file, of dotted names.

    **Example**
    ```python
    >>> eqx.tree_serialise_leaves("old", {"a": jnp.ones(2), "b": 1})
    >>> tree, report = eqx.tree_deserialise_leaves("old", {"a": jnp.zeros(2), "c": 2}, strict=False)
    >>> tree
    {'a': Array([1., 1.], dtype=float32), 'c': 2}
    >>> report
    LoadReport(matched=("['a']",), missing=("['c']",), unexpected=("['b']",))

    ```
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
