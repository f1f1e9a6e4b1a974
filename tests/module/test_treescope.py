from typing import Any

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx

treescope: Any = pytest.importorskip("treescope")
# Treescope looks at every name that JAX has, at those too that it should not use any more.
pytestmark = pytest.mark.filterwarnings(r"ignore:jax\..* is deprecated:DeprecationWarning")
formatting_util: Any = pytest.importorskip("treescope.formatting_util")


class Model(eqx.Module):
    layer: eqx.nn.Linear
    size: int = eqx.field(static=True)
    hidden: int = eqx.field(repr=False, default=3)
    _private: int = 4
    __mangled: int = 5  # pyright: ignore[reportGeneralTypeIssues] # it can, and the name it gets is what is tested

    def __call__(self):
        return self.size

    def method(self):
        return self.size


MODEL = Model(eqx.nn.Linear(1, 1, key=jax.random.key(0)), size=2)


def squeezed(text: str) -> str:
    return "".join(text.split()).replace(",)", ")").replace(",]", "]")


def text_of(tree: Any) -> str:
    structs = jax.tree.map(lambda leaf: "array" if eqx.is_array(leaf) else leaf, tree)
    return squeezed(treescope.render_to_text(structs))


LAYER = "Linear(weight='array',bias='array',in_features=1,out_features=1,use_bias=True)"
SHOWN = f"Model(layer={LAYER},size=2,_private=4,_Model__mangled=5)"


def test_a_module_shows_its_fields_unless_they_are_hidden() -> None:
    assert text_of([MODEL]) == f"[{SHOWN}]"


def test_arrays_show_as_treescope_shows_arrays() -> None:
    assert "jax.Array" in treescope.render_to_text(MODEL)


def test_classes_have_colours() -> None:
    assert formatting_util.color_from_string("Linear") in treescope.render_to_html(MODEL, compressed=False)


def test_a_wrapper_shows_what_it_wraps() -> None:
    assert text_of(eqx.filter_jit(MODEL)) == f"Jitted(__wrapped__={SHOWN})"
    assert "<lambda>" in treescope.render_to_text(eqx.filter_grad(lambda x: x))


def test_bound_methods_and_partials_show_their_parts() -> None:
    assert text_of(MODEL.method).endswith(f"__self__={SHOWN})")
    assert text_of(eqx.Partial(jnp.sin, 2)) == "Partial(func=jax.numpy.sin,args=(2),keywords={})"


def test_a_module_that_is_not_finished_shows_what_is_there() -> None:
    shown: list[str] = []

    class Watched(eqx.Module):
        first: int
        second: int

        def __init__(self):
            self.first = 1
            shown.append(treescope.render_to_text(self))
            self.second = 2

    Watched()
    assert list(map(squeezed, shown)) == ["Watched(first=1)"]


def test_a_part_can_be_found_by_the_path_that_is_shown_for_it() -> None:
    assert ".layer.weight" in treescope.render_to_html({"model": MODEL}, compressed=False)
