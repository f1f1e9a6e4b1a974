import collections
import dataclasses
import functools as ft
import inspect
import math
import types
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Optional, Union

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
import pytest
import wadler_lindig as wl

from equinox._module import Module, Partial, field
from equinox._tree.pretty import TreeWLCustom, tree_pformat, tree_pprint


def double(x, y=0):
    return 2 * x + y


@ft.wraps(double)
def wraps_double(x):
    return double(x)


class Point(NamedTuple):
    x: Any
    y: Any


class Empty(NamedTuple):
    pass


ORIGIN = Point(0, 0)


@dataclasses.dataclass
class Defaulted:
    given: Any = ORIGIN
    made: Any = dataclasses.field(default_factory=list)


@jtu.register_dataclass
@dataclasses.dataclass
class Record:
    value: Any
    kept: Any = None
    static: int = dataclasses.field(default=4, metadata={"static": True})
    hidden: str = dataclasses.field(default="", repr=False)


@dataclasses.dataclass
class WithSecret:
    __secret: int  # pyright: ignore[reportGeneralTypeIssues] # Python allows it
    _WithSecretly: int = 0  # not a mangled name


@dataclasses.dataclass
class InheritsSecret(WithSecret):
    own: int = 0


@dataclasses.dataclass
class _PrivateWithSecret:
    __secret: int  # pyright: ignore[reportGeneralTypeIssues] # Python allows it
    shown: Any = 1
    hidden: int = dataclasses.field(default=3, repr=False)


# Arrays


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (jnp.zeros((3, 4)), "f32[3,4]"),
        (jnp.asarray(1), "weak_i32[]"),
        (jnp.array(1, jnp.int32), "i32[]"),
        (jnp.ones(1, bool), "bool[1]"),
        (jnp.zeros(2, jnp.uint8), "u8[2]"),
        (jnp.zeros(2, jnp.bfloat16), "bf16[2]"),
        (jnp.zeros(2, jnp.complex64), "c64[2]"),
        (jnp.zeros(2, jnp.int4), "i4[2]"),
        (jnp.zeros(2, jnp.float8_e4m3fn), "f8_e4m3fn[2]"),
        (jnp.zeros((0, 2)), "f32[0,2]"),
        (jax.random.key(0), "key<fry>[]"),
        (jax.random.split(jax.random.key(0), 3), "key<fry>[3]"),
        (jnp.asarray(1.0), "weak_f32[]"),
        (jnp.asarray(1j), "weak_c64[]"),
    ],
)
def test_a_jax_array_is_its_dtype_and_shape(array, text):
    assert tree_pformat(array) == text


def test_a_weak_type_is_told_from_a_strong_one():
    assert tree_pformat([jnp.asarray(1.0), jnp.float32(1)]) == "[weak_f32[], f32[]]"


@pytest.mark.parametrize(
    ("transform", "text"),
    [(jax.jit, "[f32[3], i32[], 'a']"), (jax.vmap, "[f32[], i32[], 'a']"), (jax.linearize, "[f32[3], i32[], 'a']")],
)
def test_a_tracer_prints_like_the_array_it_stands_for(transform, text):
    printed = []

    def f(x):
        printed.append(tree_pformat([x, jnp.int32(1), "a"]))
        return x

    x = jnp.ones(3)
    if transform is jax.linearize:
        jax.linearize(f, x)
    else:
        transform(f)(x)
    assert printed == [text]


def test_a_weakly_typed_tracer_has_the_prefix():
    printed = []
    jax.jit(lambda x: printed.append(tree_pformat(x)))(1.0)
    assert printed == ["weak_f32[]"]


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((2, 3)), "f64[2,3](numpy)"),
        (np.array([None]), "object[1](numpy)"),
        (np.zeros(2, jnp.bfloat16), "bf16[2](numpy)"),
        (np.array(True), "bool[](numpy)"),
        (np.zeros(2, jax.dtypes.float0), "f0[2](numpy)"),
    ],
)
def test_a_numpy_array_says_so(array, text):
    assert tree_pformat(array) == text


@pytest.mark.parametrize("scalar", [np.float32(1.5), np.int8(3), np.bool_(True), np.complex64(1j)])
def test_a_numpy_scalar_is_its_repr(scalar):
    assert tree_pformat(scalar) == repr(scalar)


def test_without_short_arrays_an_array_is_its_repr():
    for array in (jnp.arange(3), np.arange(3.0), jnp.zeros((2, 2))):
        assert tree_pformat(array, short_arrays=False) == repr(array)


def test_a_tracer_without_short_arrays_is_its_repr():
    printed = []
    jax.jit(lambda x: printed.append((tree_pformat(x, short_arrays=False), repr(x))))(1.0)
    [(text, expected)] = printed
    assert text == expected


def test_the_lines_of_a_long_array_stay_aligned():
    tree = {"a": np.zeros((2, 2))}
    assert tree_pformat(tree, short_arrays=False) == "{'a': array([[0., 0.],\n             [0., 0.]])}"


def test_a_deleted_array_still_prints():
    array = jnp.ones(3)
    array.delete()
    assert tree_pformat([array]) == "[f32[3]]"


STRUCT = jax.ShapeDtypeStruct((2, 3), jnp.float32)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, repr(STRUCT)),
        ({"struct_as_array": True}, "f32[2,3]"),
        ({"struct_as_array": True, "short_arrays": False}, repr(STRUCT)),
        ({"short_arrays": False}, repr(STRUCT)),
    ],
)
def test_a_shape_dtype_struct_prints_as_an_array_on_request(options, text):
    assert tree_pformat(STRUCT, **options) == text


def test_a_weakly_typed_struct_as_an_array_has_the_prefix():
    struct = jax.ShapeDtypeStruct((), jnp.float32, weak_type=True)
    assert tree_pformat(struct, struct_as_array=True) == "weak_f32[]"


# Dataclasses


def test_a_dataclass_shows_its_fields_static_ones_too():
    assert tree_pformat(Record(jnp.ones(2), kept="b", static=5)) == "Record(value=f32[2], kept='b', static=5)"


def test_a_field_that_holds_its_default_is_hidden():
    assert tree_pformat(Record(1)) == "Record(value=1)"


def test_a_default_is_recognised_by_identity_not_by_equality():
    assert tree_pformat(Defaulted()) == "Defaulted(made=[])"
    assert tree_pformat(Defaulted(given=ORIGIN)) == "Defaulted(made=[])"
    assert tree_pformat(Defaulted(given=Point(0, 0))) == "Defaulted(given=Point(x=0, y=0), made=[])"


def test_a_field_without_repr_is_hidden_whatever_its_value():
    assert tree_pformat(Record(1, hidden="x")) == "Record(value=1)"


def test_a_dataclass_with_nothing_to_show_has_empty_brackets():
    @dataclasses.dataclass
    class Nothing:
        x: int = 0

    assert tree_pformat(Nothing()) == f"{Nothing.__qualname__}()"


def test_the_module_of_a_dataclass_is_not_shown():
    text = tree_pformat(Record(1))
    assert text.startswith("Record(")


def test_a_missing_value_is_uninitialised():
    record = Record.__new__(Record)
    assert tree_pformat(record) == "Record(value=<uninitialised>)"
    assert tree_pformat(_PrivateWithSecret.__new__(_PrivateWithSecret)) == (
        "_PrivateWithSecret(__secret=<uninitialised>)"
    )


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (WithSecret(2), "WithSecret(__secret=2)"),
        (WithSecret(2, 3), "WithSecret(__secret=2, _WithSecretly=3)"),
        (InheritsSecret(2, own=3), "InheritsSecret(__secret=2, own=3)"),
        (_PrivateWithSecret(2), "_PrivateWithSecret(__secret=2)"),
        (_PrivateWithSecret(2, True), "_PrivateWithSecret(__secret=2, shown=True)"),
        (_PrivateWithSecret(2, [jnp.ones(3)], hidden=4), "_PrivateWithSecret(__secret=2, shown=[f32[3]])"),
    ],
)
def test_a_private_field_has_the_name_that_was_written(obj, text):
    assert tree_pformat(obj) == text


def test_a_dataclass_with_private_fields_follows_all_options():
    text = tree_pformat(
        {"a": _PrivateWithSecret(1, [[jnp.ones(1), double], STRUCT])},
        width=30,
        indent=4,
        struct_as_array=True,
        truncate_leaf=callable,
    )
    assert text == (
        "{\n"
        "    'a': _PrivateWithSecret(\n"
        "        __secret=1,\n"
        "        shown=[\n"
        "            [\n"
        "                f32[1],\n"
        "                function(...)\n"
        "            ],\n"
        "            f32[2,3]\n"
        "        ]\n"
        "    )\n"
        "}"
    )


# Functions and classes


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (double, "<function double>"),
        (wraps_double, "<wrapped function double>"),
        (Record.__init__, "<function Record.__init__>"),
        (jax.custom_jvp(double), "<function double>"),
        (jax.custom_vjp(double), "<function double>"),
        (jax.custom_jvp(wraps_double), "<wrapped function double>"),
        (jax.nn.gelu, "<function gelu>"),
        (ft.partial(Record, 1, kept=jnp.ones(3)), f"partial({__name__}.Record, 1, kept=f32[3])"),
        (ft.partial(double), "partial(<function double>)"),
        (jtu.Partial(double, 1, k=2), "Partial(func=<function double>, args=(1,), keywords={'k': 2})"),
        (jtu.Partial(double), "Partial(func=<function double>, args=(), keywords={})"),
        (Partial(double, 1, k=2), "Partial(func=<function double>, args=(1,), keywords={'k': 2})"),
        (jax.custom_jvp(ft.partial(double, jnp.ones(2))), "partial(<function double>, f32[2])"),
        (math.sin, "<built-in function sin>"),
    ],
)
def test_a_function_is_its_name_and_a_partial_its_parts(function, text):
    assert tree_pformat(function) == text


def test_a_lambda_shows_its_qualified_name():
    assert tree_pformat(lambda: 0) == ("<function test_a_lambda_shows_its_qualified_name.<locals>.<lambda>>")


def test_a_jitted_function_is_its_repr():
    jitted = jax.jit(double)
    assert tree_pformat(jitted) == repr(jitted)
    assert "<function double at 0x" in tree_pformat(jitted)


def test_a_jax_partial_follows_all_options():
    text = tree_pformat(jtu.Partial(double, [jnp.ones(1), STRUCT]), width=30, indent=1, struct_as_array=True)
    assert text == "Partial(\n func=<function double>,\n args=([f32[1], f32[2,3]],),\n keywords={}\n)"
    assert tree_pformat(jtu.Partial(double, np.arange(2)), short_arrays=False) == (
        "Partial(func=<function double>, args=(array([0, 1]),), keywords={})"
    )


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        (int, "int"),
        (type, "type"),
        (ValueError, "ValueError"),
        (Record, f"{__name__}.Record"),
        (np.ndarray, "numpy.ndarray"),
        (collections.OrderedDict, "collections.OrderedDict"),
    ],
)
def test_a_class_shows_its_module_unless_it_is_built_in(cls, text):
    assert tree_pformat(cls) == text


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (list[int], "list[int]"),
        (dict[str, tuple[int, ...]], "dict[str, tuple[int, ...]]"),
        (int | None, "int | None"),
        (Optional[int], "int | None"),  # noqa: UP045 # the other spelling
        (Union[int, str], "int | str"),  # noqa: UP007 # the other spelling
        (Literal["a"], "Literal['a']"),
        (Callable[[int], str], "Callable[[int], str]"),
        (Any, "Any"),
        (..., "..."),
    ],
)
def test_a_typing_form_prints_as_it_is_written(form, text):
    assert tree_pformat(form) == text


# Containers and everything else


class ListSubclass(list):
    pass


class TupleSubclass(tuple):  # noqa: SLOT001 # as users write it
    pass


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ((), "()"),
        ((1,), "(1,)"),
        ((1, 2), "(1, 2)"),
        ([], "[]"),
        ([1], "[1]"),
        ({}, "{}"),
        ({"a": 1, 2: None}, "{'a': 1, 2: None}"),
        (set(), "set()"),
        ({1}, "{1}"),
        (frozenset(), "frozenset()"),
        (frozenset({1}), "frozenset({1})"),
        (Point(1, jnp.ones(2)), "Point(x=1, y=f32[2])"),
        (Empty(), "Empty()"),
        (ListSubclass([1]), "[1]"),
        (TupleSubclass((1,)), "(1,)"),
        (collections.OrderedDict(a=1), "{'a': 1}"),
        (collections.defaultdict(int, a=1), "{'a': 1}"),
    ],
)
def test_a_container_prints_as_python_writes_it(tree, text):
    assert tree_pformat(tree) == text


class HasRepr:
    def __repr__(self):
        return "two\nlines"


@pytest.mark.parametrize("leaf", [None, True, 1, 1.5, 2j, "a'b", b"c", range(3), slice(1, 2)])
def test_any_other_object_is_its_repr(leaf):
    assert tree_pformat(leaf) == repr(leaf)


def test_the_lines_of_any_long_repr_stay_aligned():
    assert tree_pformat([1, HasRepr()]) == "[1, two\n    lines]"


def test_an_object_inside_itself_is_recursive():
    items: list[Any] = [1]
    items.append(items)
    mapping: dict[str, Any] = {}
    mapping["a"] = [mapping]
    record = Record(1)
    record.value = (record,)
    assert tree_pformat(items) == "[1, <recursive>]"
    assert tree_pformat(mapping) == "{'a': [<recursive>]}"
    assert tree_pformat(record) == "Record(value=(<recursive>,))"


def test_an_object_inside_itself_is_recursive_where_the_hook_prints_it():
    items: list[Any] = []
    partial = jtu.Partial(double, items)
    items.append(partial)
    secret = _PrivateWithSecret(1)
    secret.shown = [secret]
    assert tree_pformat(partial) == "Partial(func=<function double>, args=([<recursive>],), keywords={})"
    assert tree_pformat(secret) == "_PrivateWithSecret(__secret=1, shown=[<recursive>])"
    custom = TreeWLCustom(lambda _: False, True, False)
    assert "<recursive>" in wl.pformat(partial, custom=custom)


def test_an_object_twice_side_by_side_is_not_recursive():
    items = [1]
    assert tree_pformat([items, items]) == "[[1], [1]]"


def test_printing_twice_with_one_hook_gives_the_same_text():
    custom = TreeWLCustom(lambda _: False, True, False)
    tree = [jtu.Partial(double, [1]), jtu.Partial(double, [1])]
    assert wl.pformat(tree, custom=custom) == wl.pformat(tree, custom=custom) == tree_pformat(tree, width=88)


# Truncation


def test_truncation_takes_the_first_match_from_the_root():
    tree = {"a": Record([1, 2]), "b": [3]}
    assert tree_pformat(tree, truncate_leaf=lambda node: isinstance(node, Record)) == "{'a': Record(...), 'b': [3]}"
    assert tree_pformat(tree, truncate_leaf=lambda node: isinstance(node, list)) == (
        "{'a': Record(value=list(...)), 'b': list(...)}"
    )
    assert tree_pformat(tree, truncate_leaf=lambda node: isinstance(node, (list, Record))) == (
        "{'a': Record(...), 'b': list(...)}"
    )
    assert tree_pformat(tree, truncate_leaf=lambda _: True) == "dict(...)"


def test_any_node_can_be_truncated():
    assert (
        tree_pformat([1, None, double], truncate_leaf=lambda node: node is None)
        == "[1, NoneType(...), <function double>]"
    )
    assert tree_pformat([jnp.ones(2)], truncate_leaf=lambda node: isinstance(node, jax.Array)).endswith("(...)]")


def test_truncation_is_not_asked_about_the_class_of_a_node():
    assert tree_pformat([Record(double), int], truncate_leaf=callable) == "[Record(value=function(...)), type(...)]"


# The protocol


PDOC_OPTIONS = {
    "indent",
    "short_arrays",
    "custom",
    "hide_defaults",
    "seen_ids",
    "show_type_module",
    "show_dataclass_module",
    "show_function_module",
    "respect_pdoc",
}


def test_a_pdoc_method_chooses_the_text():
    @dataclasses.dataclass
    class Chooses:
        x: Any

        def __pdoc__(self, **kwargs):
            return wl.TextDoc("chosen ") + wl.pdoc(self.x, **kwargs)

        def __repr__(self):
            raise AssertionError

    assert tree_pformat([Chooses(jnp.asarray(1.0))]) == "[chosen weak_f32[]]"
    assert tree_pformat(Chooses(np.arange(2)), short_arrays=False) == "chosen array([0, 1])"
    assert tree_pformat(Chooses(STRUCT), struct_as_array=True) == "chosen f32[2,3]"
    assert tree_pformat(Chooses([1]), truncate_leaf=lambda node: isinstance(node, list)) == "chosen list(...)"


def test_a_pdoc_method_receives_the_options():
    received: list[dict[str, Any]] = []

    class Receives:
        def __pdoc__(self, **kwargs):
            received.append(kwargs)
            return wl.TextDoc("x")

    tree_pformat([Receives()], indent=3, short_arrays=False)
    [kwargs] = received
    assert set(kwargs) == PDOC_OPTIONS
    assert (kwargs["indent"], kwargs["short_arrays"], kwargs["hide_defaults"]) == (3, False, True)
    assert isinstance(kwargs["custom"], TreeWLCustom)


def test_a_pdoc_method_receives_the_options_inside_what_the_hook_prints():
    received: list[set[str]] = []

    class Receives:
        def __pdoc__(self, **kwargs):
            received.append(set(kwargs))
            return wl.TextDoc("x")

    tree_pformat(jtu.Partial(double, Receives()))
    assert received == [PDOC_OPTIONS]


def test_a_pdoc_method_that_returns_something_else_is_ignored():
    @dataclasses.dataclass
    class Ignored:
        x: int

        def __pdoc__(self, **kwargs):
            return "not a document"

    assert tree_pformat(Ignored(1)) == f"{Ignored.__qualname__}(x=1)"


def test_the_pdoc_method_of_an_array_class_chooses_its_text():
    class Tagged(np.ndarray):
        def __pdoc__(self, **kwargs):
            return wl.TextDoc("tagged")

    assert tree_pformat(np.zeros(2).view(Tagged)) == "tagged"


# The hook


def never(_: Any) -> bool:
    return False


def test_the_hook_gives_a_document_or_none():
    custom = TreeWLCustom(truncate_leaf=never, short_arrays=True, struct_as_array=False)
    for obj in (jnp.ones(3), jax.custom_jvp(double), jtu.Partial(double)):
        assert isinstance(custom(obj), wl.AbstractDoc)
    for other in ([1], 1, double, Record(1), STRUCT):
        assert custom(other) is None
    assert isinstance(TreeWLCustom(never, True, True)(STRUCT), wl.AbstractDoc)
    assert TreeWLCustom(never, False, True)(STRUCT) is None
    assert isinstance(TreeWLCustom(lambda _: True, True, False)(1), wl.AbstractDoc)


def test_the_hook_is_a_dataclass_with_slots():
    assert dataclasses.is_dataclass(TreeWLCustom)
    assert list(inspect.signature(TreeWLCustom).parameters) == ["truncate_leaf", "short_arrays", "struct_as_array"]
    custom = TreeWLCustom(never, True, False)
    assert not hasattr(custom, "__dict__")
    assert custom == TreeWLCustom(never, True, False)
    assert custom != TreeWLCustom(never, False, False)
    assert repr(custom) == f"TreeWLCustom(truncate_leaf={never!r}, short_arrays=True, struct_as_array=False)"


def test_the_hook_serves_wadler_lindig_with_its_other_options():
    custom = TreeWLCustom(never, True, False)
    text = wl.pformat(Record(jnp.asarray(1.0)), custom=custom, hide_defaults=False)
    assert text == "Record(value=weak_f32[], kept=None, static=4)"


# Modules


class Block(Module):
    scale: jax.Array
    shift: jax.Array
    size_in: int = field(static=True)
    size_out: int = field(static=True)
    use_shift: bool = field(static=True)


class Pair(Module):
    first: Any
    second: Any


class Scaled(Module):
    x: Any
    __factor: float = 1.0  # pyright: ignore[reportGeneralTypeIssues] # Python allows it

    def method(self):
        return self.x


class Named(Module):
    x: Any

    def __repr__(self):
        return f"<named {self.x}>"


def block() -> Block:
    return Block(jnp.zeros((8, 2)), jnp.zeros(8), 2, 8, True)


def test_a_module_too_wide_for_a_line_breaks_between_its_fields():
    assert tree_pformat(Pair(block(), None), width=80) == (
        "Pair(\n"
        "  first=Block(\n"
        "    scale=f32[8,2], shift=f32[8], size_in=2, size_out=8, use_shift=True\n"
        "  ),\n"
        "  second=None\n"
        ")"
    )


def test_the_repr_of_a_module_is_its_text():
    pair = Pair(block(), Scaled(1))
    assert repr(pair) == str(pair) == tree_pformat(pair)


def test_a_module_prints_like_a_dataclass():
    assert tree_pformat(Scaled(double, 2.0)) == "Scaled(x=<function double>, __factor=2.0)"
    assert tree_pformat(Scaled(1)) == "Scaled(x=1)"


def test_a_module_follows_the_options_inside_a_module():
    pair = Pair(Scaled(np.arange(2)), double)
    assert tree_pformat(pair, short_arrays=False) == "Pair(first=Scaled(x=array([0, 1])), second=<function double>)"
    assert tree_pformat(pair, truncate_leaf=callable) == "Pair(first=Scaled(x=i64[2](numpy)), second=function(...))"
    assert tree_pformat(Pair(Scaled(STRUCT), 1), struct_as_array=True) == "Pair(first=Scaled(x=f32[2,3]), second=1)"


def test_a_bound_method_shows_its_function_and_its_module():
    assert tree_pformat(Scaled(1.0).method) == (
        "BoundMethod(__func__=<function Scaled.method>, __self__=Scaled(x=1.0))"
    )


def test_a_module_prints_while_it_is_being_initialised():
    texts = []

    class Slow(Module):
        x: Any
        y: Any

        def __init__(self):
            self.x = 1
            texts.append(tree_pformat(self, width=200))
            self.y = 2

    Slow()
    assert len(texts) == 1
    assert texts[0].endswith("Slow(x=1, y=<uninitialised>)")


def test_a_module_that_overrides_repr_is_printed_with_it():
    assert tree_pformat(Pair(Named(1), [Named(2)])) == "Pair(first=<named 1>, second=[<named 2>])"
    assert repr(Pair(Named(1), None)) == "Pair(first=<named 1>, second=None)"
    assert tree_pformat(Named(1)) == "<named 1>"


def test_a_truncated_module_is_the_name_of_its_class():
    assert tree_pformat([Pair(1, 2)], truncate_leaf=lambda node: isinstance(node, Pair)) == "[Pair(...)]"
    assert tree_pformat(Pair(double, 1), truncate_leaf=callable) == "Pair(first=function(...), second=1)"


# The functions themselves


def test_pprint_prints_the_formatted_text(capsys):
    tree = {"a": [jnp.ones(2), STRUCT, double], "b": 1}
    options: dict[str, Any] = {
        "width": 20,
        "indent": 4,
        "short_arrays": True,
        "struct_as_array": True,
        "truncate_leaf": inspect.isfunction,
    }
    tree_pprint(tree, **options)
    text = capsys.readouterr().out
    assert text == tree_pformat(tree, **options) + "\n"
    assert "    " in text
    assert "f32[2,3]" in text
    assert "function(...)" in text
    tree_pprint(np.arange(2), short_arrays=False)
    assert capsys.readouterr().out == "array([0, 1])\n"


@pytest.mark.parametrize("function", [tree_pformat, tree_pprint])
def test_the_options_are_keywords_with_defaults(function: types.FunctionType):
    tree, *options = inspect.signature(function).parameters.values()
    assert (tree.name, tree.kind) == ("pytree", tree.POSITIONAL_OR_KEYWORD)
    assert {option.kind for option in options} == {tree.KEYWORD_ONLY}
    defaults = {option.name: option.default for option in options}
    assert defaults.pop("truncate_leaf")(object()) is False
    assert defaults == {"width": 80, "indent": 2, "short_arrays": True, "struct_as_array": False}
