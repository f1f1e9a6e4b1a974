from pathlib import Path

import pytest

from equinox.check import UsageError
from equinox.check._configuration import Job, Plan, read_plan


def read(tmp_path: Path, text: str) -> Plan:
    file = tmp_path / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    return read_plan(file)


def test_each_table_is_a_target_with_the_options_of_a_check(tmp_path):
    plan = read(
        tmp_path,
        """
        [[tool.equinox.check.target]]
        target = "models:MLP"
        init = "4, key=key"
        calls = ["f32[4]", "f32[batch,4]"]
        dims = { batch = 32 }
        strict_dtypes = true

        [[tool.equinox.check.target]]
        target = "models:SAVED"
        """,
    )
    first = Job(
        target="models:MLP", init="4, key=key", calls=("f32[4]", "f32[batch,4]"), dims={"batch": 32}, strict_dtypes=True
    )
    assert plan == Plan(jobs=(first, Job(target="models:SAVED")))


def test_the_common_table_holds_values_for_all_targets_which_one_of_them_can_override(tmp_path):
    plan = read(
        tmp_path,
        """
        [tool.equinox.check]
        dims = { batch = 32, seq = 128 }
        strict_dtypes = true
        annotations = "off"
        packages = ["layers"]

        [[tool.equinox.check.target]]
        target = "models:A"

        [[tool.equinox.check.target]]
        target = "models:B"
        dims = { seq = 1 }
        strict_dtypes = false
        """,
    )
    assert (plan.annotations, plan.packages) == ("off", ("layers",))
    first, second = plan.jobs
    assert (first.dims, first.strict_dtypes) == ({"batch": 32, "seq": 128}, True)
    assert (second.dims, second.strict_dtypes) == ({"batch": 32, "seq": 1}, False)


TARGET = '[[tool.equinox.check.target]]\ntarget = "models:A"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"\[\[tool.equinox.check.target\]\]"),
        ("[tool", "no TOML"),
        ("[tool.equinox.check]\nstrict = true\n" + TARGET, r"\[tool.equinox.check\].*`strict`.*`strict_dtypes`"),
        (TARGET + "call = 'f32[3]'\n", r"\[\[tool.equinox.check.target\]\].*`call`.*`calls`"),
        ("[[tool.equinox.check.target]]\ninit = ''\n", "must have a key `target`"),
        (TARGET + "init = 3\n", "`init` must be a string, found.*3"),
        (TARGET + "calls = 'f32[3]'\n", "`calls` must be a list of strings"),
        (TARGET + "calls = [3]\n", "`calls` must be a list of strings"),
        (TARGET + "dims = { a = 1.5 }\n", "`dims` must be a table of integers"),
        (TARGET + "dims = 3\n", "`dims` must be a table of integers"),
        (TARGET + "strict_dtypes = 1\n", "`strict_dtypes` must be true or false"),
        ("[tool.equinox.check]\nannotations = true\n" + TARGET, "`annotations` must be a string"),
        ("[tool.equinox.check]\npackages = 'layers'\n" + TARGET, "`packages` must be a list of strings"),
        ("[tool.equinox]\ncheck = 3\n", r"\[tool.equinox.check\] must be a table"),
        ("[tool.equinox.check]\ntarget = 'models:A'\n", r"\[\[tool.equinox.check.target\]\] must be .* tables"),
    ],
)
def test_what_has_no_meaning_is_an_error_that_names_table_and_key(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"missing\.toml` cannot be read"):
        read_plan(tmp_path / "missing.toml")
