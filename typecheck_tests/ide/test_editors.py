"""Whoever writes a program in an editor is offered, told and shown what the types know."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest

from typecheck_tests.ide.editors import SERVERS, Editor, JediEditor, ServerEditor

EDITORS = (*SERVERS, "jedi")
#: Those whose texts are the same but for the layout. What the others show they write in ways of their own.
ALIKE = ("pyright", "basedpyright", "jedi")


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[[str], Editor]]:
    """Start the server of an editor if it is not running yet."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda name: stack.enter_context(ServerEditor.start(name)))


@pytest.fixture
def editor(request: pytest.FixtureRequest, start: Callable[[str], Editor]) -> Editor:
    return JediEditor() if request.param == "jedi" else start(request.param)


# What an editor does not do although it should. The tests expect these, so that a repair is noticed.
AFTER_DOT = (
    "Before a letter follows the dot, the call is not understood, so that the lambda's parameter has no type: "
    "https://github.com/InSyncWithFoo/pyright-langserver-for-pycharm/issues/57"
)
LAMBDA = "The parameters of lambdas have no types: https://github.com/davidhalter/jedi/issues/1643"
PARAM_SPEC = "Parameters are not taken over from another function: https://github.com/davidhalter/jedi/issues/1812"
OVERLOADS = "Below `functools.partial`, every overload is shown: https://github.com/davidhalter/jedi/issues/1812"
OPTIONS = "The options of fields are not understood: https://github.com/davidhalter/jedi/pull/2049"
OWN_INIT = "If `dataclass_transform` has options, `__init__` is ignored: https://github.com/davidhalter/jedi/pull/2049"
PARTIAL = (
    "What `functools.partial` makes of a generic function is unknown: "
    "https://github.com/python/typeshed/blob/main/stdlib/functools.pyi"
)


def ask(code: str, *expected: Any, editors: Sequence[str] = EDITORS, **gaps: str) -> Iterable[Any]:
    """The parameters of a test for each of the editors, some of which have a gap."""
    for editor in editors:
        marks = [pytest.mark.xfail(reason=gaps[editor], raises=AssertionError)] if editor in gaps else []
        yield pytest.param(editor, code, *expected, marks=marks, id=f"{code}-{editor}")


ask_alike = functools.partial(ask, editors=ALIKE)

MODEL = {"first", "rest", "mlp"}
LAYER = {"weight", "bias", "name", "norm", "apply"}


@pytest.mark.parametrize(
    ("editor", "code", "names"),
    [
        *ask("model.|", MODEL),
        *ask("model.first.|", LAYER),
        *ask("model.rest[0].|", LAYER),
        *ask("model.mlp.layers[0].|", {"weight", "bias", "in_features"}),
        *ask(
            "eqx.tree_at(lambda m: m.|, model, x)",
            MODEL,
            pyright=AFTER_DOT,
            basedpyright=AFTER_DOT,
            zuban=AFTER_DOT,
            jedi=LAMBDA,
        ),
        *ask("eqx.tree_at(lambda m: m.f|, model, x)", {"first"}, jedi=LAMBDA),
        *ask("eqx.tree_at(lambda m: m.first.w|, model, x)", {"weight"}, jedi=LAMBDA),
        *ask("eqx.tree_at(lambda m: m.rest[0].n|, model, x)", {"norm", "name"}, jedi=LAMBDA),
        *ask("predict(model, x).sh|", {"shape", "sharding"}),
        *ask("step(model, x).|", MODEL, zuban=PARTIAL),
        *ask("gradient(model, x, x).|", MODEL, jedi=PARAM_SPEC),
        *ask("slope(model, x, x).first.|", LAYER, jedi=PARAM_SPEC),
        *ask("eqx.filter_value_and_grad(loss)(model, x, x)[1].|", MODEL, jedi=PARAM_SPEC),
        *ask("eqx.partition(model, eqx.is_array)[0].|", MODEL),
        *ask("eqx.apply_updates(model, model).|", MODEL),
        *ask("eqx.aot(step).|", {"lower", "trace", "eval_shape", "clear_cache"}),
        *ask("@eqx.filter_jit\ndef f(m: Model) -> Array:\n    return m.|", MODEL),
        *ask("@ft.partial(eqx.jitf, filter_fn=eqx.is_array)\ndef f(m: Model) -> Array:\n    return m.|", MODEL),
        *ask("Linear(w|", {"weight="}),
        *ask("predict(model, x, rep|", {"repeat="}),
        *ask("step(model, x, r|", {"rate="}, zuban=PARTIAL),
        *ask("eqx.tree_|", {"tree_at", "tree_equal", "tree_check"}),
        *ask("eqx.nn.|", {"Linear", "MLP", "Sequential"}),
    ],
    indirect=["editor"],
)
def test_what_can_follow_is_offered(editor: Editor, code: str, names: set[str]) -> None:
    assert names <= editor.complete(code)


@pytest.mark.parametrize(
    ("editor", "code", "signature"),
    [
        *ask_alike(
            "Linear(|)",
            '(weight: Array, bias: Array | None=None, *, name: str="linear") -> Linear',
            jedi=OPTIONS,
        ),
        *ask_alike("Model(|)", "(width: int, *, depth: int=3, key: Array) -> Model", jedi=OWN_INIT),
        *ask_alike(
            "eqx.nn.Dropout(|)",
            "(p: float | Array=0.5, deterministic: bool=False, *, inference: bool | None=None, "
            "broadcast_axes: Sequence[int]=()) -> Dropout",
            jedi=OWN_INIT,
        ),
        *ask_alike("model.first.norm(|)", "(order: int=2) -> Array"),
        *ask_alike("model.first.apply(|)", "(x: Array, *, scale: float=1.5) -> Array"),
        *ask_alike("model.mlp(|)", "(x: Array, *, key: Array | None=None) -> Array"),
        *ask_alike("predict(|)", "(model: Model, x: Array, *, repeat: int=1) -> Array"),
        *ask_alike("step(|)", "(model: Model, x: Array, *, rate: float=0.1) -> Model", jedi=OVERLOADS),
        *ask_alike("gradient(|)", "(model: Model, x: Array, target: Array) -> Model", jedi=PARAM_SPEC),
        *ask_alike("slope(|)", "(model: Model, x: Array, target: Array) -> Model", jedi=PARAM_SPEC),
        *ask_alike("eqx.filter_grad(loss)(|)", "(model: Model, x: Array, target: Array) -> Model", jedi=PARAM_SPEC),
        *ask_alike(
            "eqx.filter_jit(eqx.filter_grad(loss))(|)",
            "(model: Model, x: Array, target: Array) -> Model",
            jedi=PARAM_SPEC,
        ),
    ],
    indirect=["editor"],
)
def test_parameters_are_shown_where_something_is_called(editor: Editor, code: str, signature: str) -> None:
    assert editor.signatures(code) == [signature]


@pytest.mark.parametrize(
    ("editor", "code", "signature", "documentation"),
    [
        *ask_alike(
            "Lin|ear",
            "Linear(weight: Array, bias: Array | None=None, *, name: str=",
            "Multiplies by a matrix.",
            jedi=OPTIONS,
        ),
        *ask_alike(
            "Mod|el",
            "Model(width: int, *, depth: int=3, key: Array)",
            "Has an `__init__` of its own.",
            jedi=OWN_INIT,
        ),
        *ask_alike("model.first.no|rm()", "norm(order: int=2) -> Array", "The norm of the matrix."),
        *ask_alike("model.first.ap|ply(x)", "apply(x: Array, *, scale: float=1.5) -> Array", "Multiply a vector."),
        *ask_alike(
            "pre|dict(model, x)", "predict(model: Model, x: Array, *, repeat: int=1) -> Array", "Predict with a model."
        ),
        *ask_alike("st|ep(model, x)", "step(model: Model, x: Array, *, rate: float=0.1) -> Model", "Take one step."),
        *ask_alike("grad|ient(model, x, x)", "(model: Model, x: Array, target: Array)", "Say how wrong a model is."),
        *ask_alike("slo|pe(model, x, x)", "slope(model: Model, x: Array, target: Array) -> Model", "", jedi=PARAM_SPEC),
        *ask_alike("eqx.filter_j|it", "filter_jit(", "Compile a function, tracing all arrays"),
        *ask_alike("eqx.ji|tf", "jitf(", "Compile a function"),
        *ask_alike("eqx.filter_gr|ad", "filter_grad(", "Differentiate a function"),
        *ask_alike("eqx.gra|df", "gradf(", "Differentiate a function with respect to those leaves"),
        *ask_alike("eqx.tree|_at", "tree_at(", "Replace one or several nodes of a PyTree"),
        *ask_alike("eqx.nn.ML|P", "MLP(in_size: int |", "A multilayer perceptron", jedi=OWN_INIT),
    ],
    indirect=["editor"],
)
def test_a_name_explains_itself(editor: Editor, code: str, signature: str, documentation: str) -> None:
    shown = editor.hover(code)
    assert signature in shown
    assert documentation in shown


@pytest.mark.parametrize(
    ("editor", "code", "place"),
    [
        *ask("pre|dict(model, x)", "program.py: def predict("),
        *ask("st|ep(model, x)", "program.py: def step("),
        *ask("grad|ient(model, x)", "program.py: def gradient("),
        *ask("model.first.ap|ply(x)", "program.py: def apply("),
        *ask("model.first.wei|ght", "program.py: weight: Array"),
        *ask("model.mlp.layers[0].use_bi|as", "_linear.py: "),
        *ask("eqx.nn.ML|P", "_mlp.py: class MLP("),
        *ask("eqx.Mod|ule", "module.py: class Module("),
        *ask("eqx.tree|_at", "at.py: def tree_at("),
        *ask("eqx.part|ition", "partition.py: def partition("),
        *ask("eqx.aot(step).lo|wer", "aot.py: def lower("),
        # These have a stub, and yet:
        *ask("eqx.filter_j|it", "jit.py: def filter_jit("),
        *ask("eqx.ji|tf", "jit.py: def jitf("),
        *ask("eqx.filter_gr|ad", "grad.py: def filter_grad("),
        *ask("eqx.gra|df", "grad.py: def gradf("),
    ],
    indirect=["editor"],
)
def test_the_definition_of_a_name_is_in_its_source(editor: Editor, code: str, place: str) -> None:
    assert any(found.startswith(place) for found in editor.definitions(code))
