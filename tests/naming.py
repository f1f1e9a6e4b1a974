"""Names of parameters in the names of tests."""

import re


def show(value: object) -> str:
    """The `repr` without addresses, which differ from one worker of pytest-xdist to the next."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
