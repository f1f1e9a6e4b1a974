"""The environment variables that this library reads, once, when it is imported."""

import os
import warnings
from typing import Final, Literal, TypeAlias, cast, get_args

OnError: TypeAlias = Literal["raise", "breakpoint", "nan", "off"]
"""What happens when a runtime check fails."""

ON_ERROR_VALUES: Final[tuple[str, ...]] = get_args(OnError)


def _read_on_error() -> OnError:
    value = os.environ.get("EQX_ON_ERROR", "raise")
    if value not in ON_ERROR_VALUES:
        raise ValueError(
            f"Environment variable `EQX_ON_ERROR`: found {value!r}, expected one of "
            f"{', '.join(map(repr, ON_ERROR_VALUES))}. Unset it for the default, 'raise'."
        )
    if value == "breakpoint":
        warnings.warn(
            "Environment variable `EQX_ON_ERROR` is 'breakpoint': a runtime check that fails opens a debugger, and the "
            "program goes on with NaNs. Arrays that the debugger may show are kept, which takes memory and time.",
            UserWarning,
            stacklevel=2,
        )
    return cast(OnError, value)


def _read_integer(name: str) -> int | None:
    value = os.environ.get(name)
    try:
        return None if value is None else int(value)
    except ValueError:
        raise ValueError(f"Environment variable `{name}`: found {value!r}, expected an integer.") from None


#: What `on_error="default"` means.
ON_ERROR: Final = _read_on_error()

_frames: Final = _read_integer("EQX_ON_ERROR_BREAKPOINT_FRAMES")
#: How many stack frames the debugger can show if a check opens it.
BREAKPOINT_FRAMES: Final = 1 if _frames is None else _frames

#: The seed from which tests make their random keys; None for a random one.
GETKEY_SEED: Final = _read_integer("EQX_GETKEY_SEED")
