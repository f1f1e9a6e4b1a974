"""Nothing that users are offered is without a test of its types."""

import re
from types import ModuleType

import pytest

import equinox as eqx
from typecheck_tests.checkers import files


@pytest.mark.parametrize(("prefix", "module"), [("eqx", eqx), ("eqx.nn", eqx.nn)])
def test_the_type_of_every_public_name_is_revealed(prefix: str, module: ModuleType) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in files("reveal"))
    public = [
        name
        for name in dir(module)
        if name[0] != "_" and name != "TYPE_CHECKING" and not isinstance(getattr(module, name), ModuleType)
    ]
    assert public
    missing = [name for name in public if not re.search(rf"\b{prefix}\.{name}\b", text)]
    assert not missing
