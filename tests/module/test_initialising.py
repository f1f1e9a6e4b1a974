import dataclasses
import gc
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any

import jax
import pytest

from equinox import Module, field


class Half(Module):
    """Hands itself out before it is complete, and may fail then."""

    a: int
    b: int

    def __init__(self, hand_out: Callable[["Half"], None], b: int = 2) -> None:
        self.a = 1
        hand_out(self)
        self.b = b


def test_in_init_the_instance_has_its_class_already() -> None:
    seen: list[Any] = []
    half = Half(lambda instance: seen.extend([type(instance), isinstance(instance, Half), instance.a]))
    assert seen == [Half, True, 1]
    assert type(half) is Half


def test_methods_called_from_init_may_set_fields() -> None:
    class Helped(Module):
        x: int

        def __init__(self) -> None:
            self.help()

        def help(self) -> None:
            self.x = 1

    helped = Helped()
    assert helped.x == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        helped.help()


def test_constructions_nest() -> None:
    class Nested(Module):
        depth: int
        inner: "Nested | None"

        def __init__(self, depth: int) -> None:
            self.inner = Nested(depth - 1) if depth else None
            self.depth = depth

    nested = Nested(5)
    assert jax.tree.leaves(nested) == [5, 4, 3, 2, 1, 0]
    assert nested.inner is not None
    with pytest.raises(dataclasses.FrozenInstanceError):
        nested.inner.depth = 3


def test_an_instance_may_be_printed_and_flattened_before_it_is_complete() -> None:
    leaves: list[Any] = []
    texts: list[str] = []

    def look(half: Half) -> None:
        leaves.extend(jax.tree.leaves(jax.tree.map(lambda x: x, half)))
        texts.append(repr(half))

    assert jax.tree.leaves(Half(look)) == [1, 2]
    assert leaves == [1]
    assert "a=1" in texts[0]


@pytest.mark.parametrize("fails", ["init", "post_init", "converter", "check"])
def test_an_instance_whose_construction_fails_is_immutable_and_is_freed(fails: str) -> None:
    class FailureError(Exception):
        pass

    leaked: list[Any] = []

    def fail(self: Any, stage: str) -> None:
        if stage == fails:
            leaked.append(self)
            raise FailureError

    def convert(value: Any) -> Any:
        if fails == "converter":
            raise FailureError
        return value

    class Custom(Module):
        x: Any = field(converter=convert)

        def __init__(self) -> None:
            self.x = 1
            leaked.append(self)
            fail(self, "init")

        def __check_init__(self) -> None:
            fail(self, "check")

    class Generated(Module):
        x: Any = field(converter=convert, default=1)

        def __post_init__(self) -> None:
            leaked.append(self)
            fail(self, "post_init")

    cls = Generated if fails == "post_init" else Custom
    with pytest.raises(FailureError):
        cls()
    with pytest.raises(dataclasses.FrozenInstanceError):
        leaked[0].x = 2
    reference = weakref.ref(leaked[0])
    leaked.clear()
    gc.collect()
    assert reference() is None
    # The next instance, which may well have the same address, is not affected.
    fails = "nothing"
    assert cls().x == 1


def test_an_identity_that_is_used_again_gives_no_permission_to_assign() -> None:
    class Failing(Module):
        x: int

        def __init__(self, fail: bool) -> None:
            self.x = 1
            if fail:
                raise RuntimeError

    for _ in range(100):
        with pytest.raises(RuntimeError):
            Failing(True)
        made = Failing(False)
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.x = 2


def test_threads_that_make_instances_of_one_class_do_not_see_each_other() -> None:
    count = 8
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []
    made: list[Half] = []
    others: list[Half] = []

    def make(number: int) -> None:
        def hand_out(half: Half) -> None:
            others.append(half)
            barrier.wait()
            # Everybody is in the middle of `__init__` now. Only one's own instance can be assigned to by oneself, but
            # all of them are under construction: none of them has what another thread has not given it.
            assert half.a == 1
            half.a = number
            assert not hasattr(half, "b")
            barrier.wait()
            assert half.a == number

        try:
            for _ in range(20):
                made.append(Half(hand_out, b=number))
                with pytest.raises(dataclasses.FrozenInstanceError):
                    made[-1].a = -1
        except BaseException as error:
            errors.append(error)
            barrier.abort()
            raise

    threads = [threading.Thread(target=make, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len({id(half) for half in others}) == 20 * count
    assert sorted(half.a for half in made) == sorted(20 * list(range(count)))
    assert all(half.a == half.b for half in made)


def test_one_thread_finishing_does_not_freeze_what_another_is_making() -> None:
    in_init, may_go_on = threading.Event(), threading.Event()
    result: list[Half] = []

    def wait(half: Half) -> None:
        in_init.set()
        assert may_go_on.wait(timeout=60)

    thread = threading.Thread(target=lambda: result.append(Half(wait)))
    thread.start()
    assert in_init.wait(timeout=60)
    finished = Half(lambda half: None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        finished.a = 3
    may_go_on.set()
    thread.join()
    assert (result[0].a, result[0].b) == (1, 2)


# Values that would contain the instance


class Node(Module):
    child: Any

    def __init__(self, make: Callable[["Node"], Any]) -> None:
        self.child = make(self)

    def method(self) -> None: ...

    @jax.jit
    def compiled(self) -> None: ...

    def __call__(self) -> None: ...


class Holder(Module):
    held: Any


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda self: self.method, "`method`"),
        (lambda self: self.compiled, "`compiled`"),
        (lambda self: self.__call__, "`__call__`"),
        (lambda self: [1, (self.method,)], "`method`"),
        (lambda self: {"a": self.method}, "`method`"),
        (lambda self: Holder(self.method), "`method`"),
        (lambda self: Holder([Holder(self)]), "itself"),
        (lambda self: self, "itself"),
        (lambda self: (self,), "itself"),
    ],
)
def test_a_value_that_contains_the_instance_is_an_error_that_says_how(make: Any, found: str) -> None:
    with pytest.raises(ValueError, match="Cannot assign methods in __init__") as info:
        Node(make)
    assert "`child`" in str(info.value)
    assert found in str(info.value)


def test_a_method_of_a_parent_class_is_an_error_too() -> None:
    class Child(Node):
        def __init__(self) -> None:
            self._assign(super().method)

        def _assign(self, value: Any) -> None:
            self.child = value

    with pytest.raises(ValueError, match="Cannot assign methods in __init__"):
        Child()


def test_the_method_of_another_instance_is_fine() -> None:
    other = Node(lambda self: 3)
    assert jax.tree.leaves(Node(lambda self: other.method)) == [3]
    assert jax.tree.leaves(Node(lambda self: [Holder(other.method)])) == [3]
    assert isinstance(Node(lambda self: other.__call__).child, types.MethodType)
