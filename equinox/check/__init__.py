"""Find shape, dtype and annotation errors in models of any size without computing anything.

`python -m equinox.check` does it on the command line; [`check`][equinox.check.check] does it in Python.
"""

from ._check import check as check
from ._notation import UsageError as UsageError
from ._result import CallResult as CallResult
from ._result import Failure as Failure
from ._result import Result as Result
