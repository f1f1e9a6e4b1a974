"""Callable PyTrees and filtered transformations for JAX."""

from typing import TYPE_CHECKING

# The parts that every program uses. `X as X` says that a name is re-exported on purpose.
# Models
from ._module import AbstractVar as AbstractVar
from ._module import Module as Module
from ._module import Partial as Partial
from ._module import StrictConfig as StrictConfig
from ._module import field as field
from ._module import module_update_wrapper as module_update_wrapper
from ._module import static_field as static_field

# Filtered transformations
from ._transforms.aot import aot as aot
from ._transforms.cache import clear_caches as clear_caches
from ._transforms.grad import filter_grad as filter_grad
from ._transforms.grad import filter_value_and_grad as filter_value_and_grad
from ._transforms.grad import gradf as gradf
from ._transforms.grad import value_and_grad_f as value_and_grad_f
from ._transforms.jit import filter_jit as filter_jit
from ._transforms.jit import jitf as jitf

# Trees
from ._tree.at import tree_at as tree_at
from ._tree.check import tree_check as tree_check
from ._tree.equal import tree_equal as tree_equal
from ._tree.one_level import tree_flatten_one_level as tree_flatten_one_level

# Filters
from ._tree.partition import combine as combine
from ._tree.partition import filter as filter
from ._tree.partition import partition as partition
from ._tree.predicates import is_array as is_array
from ._tree.predicates import is_array_like as is_array_like
from ._tree.predicates import is_inexact_array as is_inexact_array
from ._tree.predicates import is_inexact_array_like as is_inexact_array_like
from ._tree.pretty import tree_pformat as tree_pformat
from ._tree.pretty import tree_pprint as tree_pprint
from ._tree.updates import apply_updates as apply_updates

# The parts that are loaded on first use, so that a program which does not need them starts sooner. Type checkers and
# editors see ordinary imports; the table at the end of this file says the same
# to Python.
if TYPE_CHECKING:
    from . import nn as nn

# isort: split
# Last of all: where it meets this name, `pyright --verifytypes` forgets what it knows of metaclasses.
from ._module import AbstractClassVar as AbstractClassVar

__version__ = "1.0.0.dev0"

# Type checkers must not see this `__getattr__`: they would believe that it makes every misspelt name.
if not TYPE_CHECKING:
    from ._first_use import load_on_first_use

    __getattr__, __dir__ = load_on_first_use(
        __name__,
        {
            "nn": ".",
        },
    )
    del load_on_first_use
