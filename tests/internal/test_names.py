"""The names that libraries which build on this one import, and which of them are known elsewhere too."""

import subprocess
import sys

import pytest

import equinox as eqx
from equinox import debug, internal

NAMES = (
    "while_loop scan buffer_at_set MaybeBuffer nondifferentiable nondifferentiable_backward nonbatchable "
    "nontraceable unvmap_any unvmap_all unvmap_max nextafter prevbefore eval_empty eval_zero scan_trick "
    "str2jax Static ω closure_to_pytree create_vprim filter_primitive_def filter_primitive_jvp "
    "filter_primitive_transpose filter_primitive_bind materialise_zeros register_impl_finalisation "
    "cached_filter_eval_shape Enumeration error_if doc_repr doc_remove_args AbstractVar AbstractClassVar "
    "AbstractProgressMeter ContainerMeta GetKey NoProgressMeter TextProgressMeter TqdmProgressMeter "
    "TreeWLCustom announce_jaxpr_p announce_transform assert_dce branched_error_if breakpoint_if "
    "debug_backward_nan filter_primitive_batching finalise_eval_jaxpr finalise_fn finalise_jaxpr "
    "finalise_jaxpr_as_fn finalise_make_jaxpr hashable_combine hashable_partition inspect_dce "
    "left_broadcast_to maybe_set_p noinline noinline_p nonbatchable_p nondifferentiable_backward_p "
    "nontraceable_p primitive_finalisations select_if_vmap_p store_dce to_onnx unvmap_all_p unvmap_any_p "
    "unvmap_max_p "
)


@pytest.mark.parametrize("name", NAMES.split())
def test_every_name_is_there(name):
    assert hasattr(internal, name)


@pytest.mark.parametrize("name", ["AbstractClassVar", "AbstractVar", "Enumeration", "branched_error_if", "error_if"])
def test_a_name_that_is_known_at_the_top_is_the_same_object_here(name):
    assert getattr(internal, name) is getattr(eqx, name)


@pytest.mark.parametrize("name", ["announce_transform", "breakpoint_if", "inspect_dce", "store_dce"])
def test_a_debugging_aid_is_the_same_object_here(name):
    assert getattr(internal, name) is getattr(debug, name)
    assert internal.debug_backward_nan is debug.backward_nan


def test_it_is_an_attribute_of_the_package_and_loaded_when_it_is_asked_for():
    program = (
        "import sys, equinox; print('equinox.internal' in sys.modules); equinox.internal.GetKey;"
        "print('equinox.internal' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]
