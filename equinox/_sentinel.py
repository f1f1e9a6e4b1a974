"""The value that says "this argument was not given", where `None` already means something."""

from typing import Final, final


@final
class Sentinel:
    """A value that is equal only to itself and prints as `...`, the way signatures abbreviate a default."""

    def __repr__(self) -> str:
        return "..."


sentinel: Final = Sentinel()
