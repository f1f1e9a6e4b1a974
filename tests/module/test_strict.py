import pytest

from equinox import Module, StrictConfig
from tests.untyped import untyped


def test_it_translates_to_what_the_keyword_strict_understands() -> None:
    assert StrictConfig() is False
    assert StrictConfig(force_abstact=True) is None
    assert StrictConfig(force_abstract=True) is None
    assert StrictConfig(True) is None
    assert StrictConfig(allow_abstract_name=True, allow_method_override=False) is False


@pytest.mark.parametrize("strict", [None, StrictConfig(force_abstract=True)])
def test_a_class_can_be_made_abstract_with_it(strict: bool | None) -> None:
    class Abstract(Module, strict=strict):
        x: int

    class Concrete(Abstract):
        pass

    with pytest.raises(TypeError, match="Cannot instantiate abstract"):
        untyped(Abstract)(1)
    assert Concrete(1).x == 1


def test_without_a_request_a_class_is_not_abstract() -> None:
    class Concrete(Module, strict=StrictConfig(allow_method_override=True)):
        x: int

    assert Concrete(1).x == 1
