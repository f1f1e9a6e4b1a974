"""Options that have two names: `bias` is also `use_bias`, and `deterministic` is also `inference`.

Both names mean the same thing and none of them is deprecated. This is the one rule about what happens when several are
given; every constructor and every call goes through it.
"""


def spelled(default: bool, **spellings: bool | None) -> bool:
    """Return the value of an option that can be given by more than one name.

    **Arguments**

    - `default`: the value where nothing was given: in a constructor the parameter that has a position, in a call the
        flag that the layer holds.
    - `**spellings`: the other names with what was given for them, `None` for those that were not used.

    **Returns**

    What was given, by whichever name, or else `default`.

    **Raises**

    - `ValueError`: different values are given by two names.

    **Example**
    ```python
    >>> spelled(True, use_bias=None), spelled(True, use_bias=False)
    (True, False)

    ```
    """
    given = {name: value for name, value in spellings.items() if value is not None}
    first, *others = given.values() or [default]
    if any(other != first for other in others):
        named = " and ".join(f"`{name}={value}`" for name, value in given.items())
        raise ValueError(f"{named} are two names for one option, and contradict each other. Pass one of them.")
    return first
