import pytest

import equinox as eqx
from equinox.check import UsageError
from equinox.check._target import as_target, import_target


class Holder:
    class Inner:
        pass


def test_an_address_is_a_module_and_a_name_in_it_which_may_have_dots(write_module):
    write_module("addressed", "class A:\n    class B:\n        c = 3\n")
    target = import_target("addressed:A.B.c")
    assert target.name == "addressed:A.B.c"
    assert target.value == 3
    assert "A" in target.names


@pytest.mark.parametrize("address", ["models", "models:", ":Model", "models.Model"])
def test_text_without_module_colon_and_name_is_no_address(address):
    with pytest.raises(UsageError, match=rf"`{address}`.*colon"):
        import_target(address)


@pytest.mark.parametrize(("address", "missing"), [("nowhere:M", "nowhere"), ("equinox.nowhere:M", "equinox.nowhere")])
def test_a_module_that_is_missing_is_named(address, missing):
    with pytest.raises(UsageError, match=rf"`{address}`.*`{missing}`"):
        import_target(address)


def test_a_name_that_is_missing_in_a_module_is_named():
    with pytest.raises(UsageError, match=r"`equinox:nothing`.*nothing"):
        import_target("equinox:nothing")


def test_a_module_that_lacks_another_one_is_at_fault_itself(write_module):
    write_module("lacking", "import nowhere_else\n")
    with pytest.raises(ModuleNotFoundError, match="nowhere_else"):
        import_target("lacking:M")


def test_an_object_is_named_after_its_definition_and_a_model_after_its_class():
    assert as_target(Holder.Inner).name == f"{__name__}:Holder.Inner"
    assert as_target(eqx.nn.Identity()).name == "equinox.nn._identity:Identity"
    assert as_target(Holder).names["as_target"] is as_target
