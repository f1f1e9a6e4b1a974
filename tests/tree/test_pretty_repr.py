import dataclasses
import functools as ft
import reprlib
import threading
from typing import Any

import jax.numpy as jnp
import pytest

from equinox._module import Module
from equinox._tree.pretty import tree_pformat
from equinox._tree.pretty_repr import own_repr


@dataclasses.dataclass
class Generated:
    x: Any


@dataclasses.dataclass
class Handwritten:
    x: Any

    def __repr__(self):
        return f"<handwritten {self.x}>"


def bracketed(printer):
    @ft.wraps(printer)
    def bracketed_printer(self):
        return f"<{printer(self)}>"

    return bracketed_printer


@dataclasses.dataclass
class Decorated:
    x: Any

    @bracketed
    def __repr__(self):
        return f"decorated {self.x}"


@dataclasses.dataclass
class Guarded:
    x: Any

    @reprlib.recursive_repr()
    def __repr__(self):
        return f"<guarded {self.x}>"


@dataclasses.dataclass(repr=False)
class Inherits(Handwritten):
    y: Any = None


@dataclasses.dataclass
class GeneratedAgain(Handwritten):
    pass


@dataclasses.dataclass(repr=False)
class Without:
    x: Any


@dataclasses.dataclass(repr=False)
class FailureError(Exception):  # its `__repr__` is not written in Python
    x: Any


class Mixin:
    def __repr__(self):
        return "<mixin>"


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (Handwritten(1), "<handwritten 1>"),
        (Decorated(1), "<decorated 1>"),
        (Guarded(1), "<guarded 1>"),
        (Inherits(1), "<handwritten 1>"),
        (Generated(1), "Generated(x=1)"),
        (GeneratedAgain(1), "GeneratedAgain(x=1)"),
        (Without(1), "Without(x=1)"),
        (FailureError(1), "FailureError(x=1)"),
    ],
)
def test_a_dataclass_is_printed_with_a_repr_that_was_written_by_hand(obj, text):
    assert tree_pformat(obj) == text
    assert tree_pformat([obj]) == f"[{text}]"


def test_a_repr_that_prints_the_tree_is_not_taken_for_one_written_by_hand():
    @dataclasses.dataclass(repr=False)
    class Base:
        x: Any

        def __repr__(self):
            return tree_pformat(self)

        vars(__repr__)["__tree_pformat__"] = True

    assert own_repr(Base(1), is_root=True) is None
    assert tree_pformat([Base(jnp.ones(2))], width=1) == f"[\n  {Base.__qualname__}(\n    x=f32[2]\n  )\n]"


def test_a_mixin_before_module_overrides_its_repr():
    class Mixed(Mixin, Module):
        x: Any

    class Unmixed(Module, Mixin):
        x: Any

    assert tree_pformat([Mixed(1)]) == "[<mixin>]"
    assert tree_pformat([Unmixed(1)]) == f"[{Unmixed.__qualname__}(x=1)]"


def test_a_subclass_keeps_the_repr_of_its_base():
    class Base(Module):
        x: Any

        def __repr__(self):
            return "<base>"

    class Sub(Base):
        y: Any = None

    assert tree_pformat([Sub(1)]) == "[<base>]"


class CallsSuper(Module):
    x: Any

    def __repr__(self):
        return f"<{super().__repr__()}>"


class CallsPformat(Module):
    x: Any

    def __repr__(self):
        return f"<{tree_pformat(self)}>"


@pytest.mark.parametrize("cls", [CallsSuper, CallsPformat])
def test_a_repr_may_be_built_on_the_fields(cls):
    name = cls.__name__
    assert repr(cls(1)) == f"<{name}(x=1)>"
    assert tree_pformat([cls(1)]) == f"[<{name}(x=1)>]"
    assert tree_pformat({"a": cls(cls(2))}) == f"{{'a': <{name}(x=<{name}(x=2)>)>}}"
    assert repr(cls(cls(2))) == f"<{name}(x=<{name}(x=2)>)>"


@pytest.mark.parametrize("cls", [CallsSuper, CallsPformat])
def test_a_root_whose_repr_asks_for_its_fields_is_printed_by_its_fields(cls):
    assert tree_pformat(cls(1)) == f"{cls.__name__}(x=1)"


def test_a_repr_that_fails_leaves_nothing_behind():
    class Fails(Module):
        fail: bool

        def __repr__(self):
            if self.fail:
                raise RuntimeError("no text")
            return "<text>"

    failing = Fails(True)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no text"):
            tree_pformat([failing])


def test_threads_print_the_same_object_at_the_same_time():
    barrier = threading.Barrier(2, timeout=20)

    class Slow(Module):
        def __repr__(self):
            barrier.wait()
            return "<slow>"

    slow = Slow()
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(tree_pformat([slow]))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["[<slow>]", "[<slow>]"]


def test_the_lines_of_a_handwritten_repr_stay_aligned():
    assert tree_pformat([1, Handwritten("a\nb")]) == "[1, <handwritten a\n    b>]"
