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

# Errors
from ._runtime.errors import EquinoxRuntimeError as EquinoxRuntimeError
from ._runtime.errors import EquinoxTracetimeError as EquinoxTracetimeError

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
# editors see ordinary imports; the table at the end of this file says the same to Python.
if TYPE_CHECKING:
    from . import debug as debug
    from . import internal as internal
    from . import nn as nn
    from ._enumeration import Enumeration as Enumeration
    from ._files.deserialise import tree_deserialise_leaves as tree_deserialise_leaves
    from ._files.report import LoadReport as LoadReport
    from ._files.safetensors import load_safetensors as load_safetensors
    from ._files.safetensors import save_safetensors as save_safetensors
    from ._files.serialise import tree_serialise_leaves as tree_serialise_leaves
    from ._files.specs import default_deserialise_filter_spec as default_deserialise_filter_spec
    from ._files.specs import default_serialise_filter_spec as default_serialise_filter_spec
    from ._files.state_dict import load_state_dict as load_state_dict
    from ._files.state_dict import state_dict as state_dict
    from ._files.tree_path_error import TreePathError as TreePathError
    from ._optimizer import Optimizer as Optimizer
    from ._runtime.error_if import branched_error_if as branched_error_if
    from ._runtime.error_if import error_if as error_if
    from ._summary.data import TreeSummary as TreeSummary
    from ._summary.summary import tree_summary as tree_summary
    from ._transforms.axes import if_array as if_array
    from ._transforms.checkpoint import filter_checkpoint as filter_checkpoint
    from ._transforms.closure_convert import filter_closure_convert as filter_closure_convert
    from ._transforms.cond import filter_cond as filter_cond
    from ._transforms.cond import filter_switch as filter_switch
    from ._transforms.custom_jvp import filter_custom_jvp as filter_custom_jvp
    from ._transforms.custom_vjp import filter_custom_vjp as filter_custom_vjp
    from ._transforms.eval_shape import filter_eval_shape as filter_eval_shape
    from ._transforms.jacobian import filter_hessian as filter_hessian
    from ._transforms.jacobian import filter_jacfwd as filter_jacfwd
    from ._transforms.jacobian import filter_jacrev as filter_jacrev
    from ._transforms.jvp import filter_jvp as filter_jvp
    from ._transforms.make_jaxpr import filter_make_jaxpr as filter_make_jaxpr
    from ._transforms.pmap import filter_pmap as filter_pmap
    from ._transforms.pure_callback import filter_pure_callback as filter_pure_callback
    from ._transforms.scan import filter_scan as filter_scan
    from ._transforms.shard import filter_shard as filter_shard
    from ._transforms.shard_map import filter_shard_map as filter_shard_map
    from ._transforms.vjp import filter_vjp as filter_vjp
    from ._transforms.vmap import filter_vmap as filter_vmap
    from ._transforms.while_loop import filter_fori_loop as filter_fori_loop
    from ._transforms.while_loop import filter_while_loop as filter_while_loop
    from ._tree.inference import tree_inference as tree_inference
    from ._tree.trainable import freeze as freeze
    from ._tree.trainable import trainable as trainable

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
            "debug": ".",
            "internal": ".",
            "nn": ".",
            "Enumeration": "._enumeration",
            "tree_deserialise_leaves": "._files.deserialise",
            "LoadReport": "._files.report",
            "load_safetensors": "._files.safetensors",
            "save_safetensors": "._files.safetensors",
            "tree_serialise_leaves": "._files.serialise",
            "default_deserialise_filter_spec": "._files.specs",
            "default_serialise_filter_spec": "._files.specs",
            "load_state_dict": "._files.state_dict",
            "state_dict": "._files.state_dict",
            "TreePathError": "._files.tree_path_error",
            "Optimizer": "._optimizer",
            "branched_error_if": "._runtime.error_if",
            "error_if": "._runtime.error_if",
            "TreeSummary": "._summary.data",
            "tree_summary": "._summary.summary",
            "if_array": "._transforms.axes",
            "filter_checkpoint": "._transforms.checkpoint",
            "filter_closure_convert": "._transforms.closure_convert",
            "filter_cond": "._transforms.cond",
            "filter_switch": "._transforms.cond",
            "filter_custom_jvp": "._transforms.custom_jvp",
            "filter_custom_vjp": "._transforms.custom_vjp",
            "filter_eval_shape": "._transforms.eval_shape",
            "filter_hessian": "._transforms.jacobian",
            "filter_jacfwd": "._transforms.jacobian",
            "filter_jacrev": "._transforms.jacobian",
            "filter_jvp": "._transforms.jvp",
            "filter_make_jaxpr": "._transforms.make_jaxpr",
            "filter_pmap": "._transforms.pmap",
            "filter_pure_callback": "._transforms.pure_callback",
            "filter_scan": "._transforms.scan",
            "filter_shard": "._transforms.shard",
            "filter_shard_map": "._transforms.shard_map",
            "filter_vjp": "._transforms.vjp",
            "filter_vmap": "._transforms.vmap",
            "filter_fori_loop": "._transforms.while_loop",
            "filter_while_loop": "._transforms.while_loop",
            "tree_inference": "._tree.inference",
            "freeze": "._tree.trainable",
            "trainable": "._tree.trainable",
        },
    )
    del load_on_first_use
