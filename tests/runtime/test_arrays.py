from hypothesis import given

from equinox._jax_tree import tree_flatten
from equinox._runtime.arrays import is_jax_array, map_arrays
from tests.strategies import pytrees


@given(pytrees())
def test_arrays_are_replaced_and_everything_else_is_the_same_object(tree):
    leaves, treedef = tree_flatten(tree)
    seen = []

    def function(arrays):
        seen.append(arrays)
        return [("replaced", i) for i, _ in enumerate(arrays)]

    result, result_treedef = tree_flatten(
        map_arrays(function, tree), is_leaf=lambda x: type(x) is tuple and x[:1] == ("replaced",)
    )
    arrays = [leaf for leaf in leaves if is_jax_array(leaf)]
    assert len(seen) == (1 if arrays else 0)
    assert [leaf for leaf in result if type(leaf) is tuple and leaf[:1] == ("replaced",)] == [
        ("replaced", i) for i in range(len(arrays))
    ]
    assert result_treedef == treedef
    assert all(is_jax_array(a) or a is b for a, b in zip(leaves, result, strict=True))
