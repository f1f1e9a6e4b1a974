"""Aids for finding out what a program does."""

from .._transforms.difference import Difference as Difference
from .._transforms.explain import Explanation as Explanation
from .._transforms.explain import RecompilationWarning as RecompilationWarning
from .._transforms.explain import log_recompiles as log_recompiles
from ._announce_transform import announce_transform as announce_transform
from ._backward_nan import backward_nan as backward_nan
from ._breakpoint_if import breakpoint_if as breakpoint_if
from ._dce import inspect_dce as inspect_dce
from ._dce import store_dce as store_dce
from ._max_traces import assert_max_traces as assert_max_traces
from ._max_traces import get_num_traces as get_num_traces
