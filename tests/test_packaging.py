"""What is in the distributions: the package with its stubs, what its metadata says, and the sources to test it with."""

import os
import re
import stat
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import equinox as eqx

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
STUBS = sorted(path.relative_to(ROOT / "stubs") for path in (ROOT / "stubs").rglob("*.pyi"))
ABOUT = f"equinox-{eqx.__version__}.dist-info"


def build(folder: Path, *options: str) -> list[Path]:
    """Build distributions, with the build backend that is installed here: that needs no network."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), *options, str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return sorted(folder.iterdir(), key=lambda path: path.suffix)


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (wheel,) = build(tmp_path_factory.mktemp("wheel"), "--wheel")
    return wheel


@pytest.fixture(scope="module")
def sdist_and_its_wheel(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    sdist, wheel = build(tmp_path_factory.mktemp("both"))
    return sdist, wheel


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    return BytesParser().parsebytes(contents(wheel)[f"{ABOUT}/METADATA"])


def test_the_wheel_holds_the_package_and_its_licence_and_nothing_else(wheel: Path) -> None:
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "equinox").rglob("*") if path.suffix in {".py", ".pyi"}}
    about = {f"{ABOUT}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")}
    assert contents(wheel).keys() == package | {"equinox/py.typed"} | about


def test_every_file_of_the_package_is_in_the_wheel_as_it_is_in_the_checkout(wheel: Path) -> None:
    files = contents(wheel)
    assert files[f"{ABOUT}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    for name in files:
        if name.startswith("equinox/"):
            assert files[name] == (ROOT / name).read_bytes(), name
    for stub in STUBS:
        assert files[str(stub)] == (ROOT / "stubs" / stub).read_bytes(), stub


def test_no_file_of_the_wheel_is_a_link(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for file in archive.infolist():
            assert not stat.S_ISLNK(file.external_attr >> 16), file.filename


def test_the_unpacked_wheel_can_be_imported_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = "import equinox; print(equinox.__version__, equinox.__file__)"
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.split() == [eqx.__version__, str(tmp_path / "equinox" / "__init__.py")]


def test_the_source_distribution_holds_every_source_file(sdist_and_its_wheel: tuple[Path, Path]) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("only git knows which files are sources")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-per-directory=.gitignore"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    sources = {name for name in listed if name and os.path.lexists(ROOT / name)}
    with tarfile.open(sdist_and_its_wheel[0]) as archive:
        packed = {member.name.partition("/")[2] for member in archive.getmembers() if not member.isdir()}
    assert packed == sources | {"PKG-INFO"}


def test_a_stub_is_a_link_in_the_source_distribution_too(sdist_and_its_wheel: tuple[Path, Path]) -> None:
    folder = sdist_and_its_wheel[0].name.removesuffix(".tar.gz")
    with tarfile.open(sdist_and_its_wheel[0]) as archive:
        for stub in STUBS:
            assert archive.getmember(f"{folder}/{stub}").linkname == str((ROOT / stub).readlink())
            assert archive.getmember(f"{folder}/stubs/{stub}").isreg()


def test_the_wheel_made_from_the_source_distribution_is_the_same(
    wheel: Path, sdist_and_its_wheel: tuple[Path, Path]
) -> None:
    assert contents(sdist_and_its_wheel[1]) == contents(wheel)


def test_the_metadata_says_what_the_package_is(metadata: Message) -> None:
    assert metadata["Name"] == "equinox"
    assert metadata["Version"] == eqx.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert metadata.get_payload(decode=True) == (ROOT / "README.md").read_bytes()


def test_the_library_requires_four_packages_each_from_a_version_on(metadata: Message) -> None:
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    required = {requirement.name for requirement in requirements if requirement.marker is None}
    assert required == {"jax", "jaxtyping", "typing-extensions", "wadler-lindig"}
    # `make test-minimum` reads the versions off these lines.
    for line in PROJECT["dependencies"]:
        assert re.fullmatch(r"[a-z-]+>=[0-9.]+", line), line


def test_the_extra_for_developers_is_all_the_others(metadata: Message) -> None:
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]

    def named(extra: str) -> set[str]:
        return {each.name for each in requirements if each.marker and each.marker.evaluate({"extra": extra})}

    extras = metadata.get_all("Provides-Extra", [])
    assert sorted(extras) == ["dev", "docs", "ecosystem", "examples", "test", "typecheck"]
    for extra in extras:
        assert named(extra), extra
        assert named(extra) <= named("dev"), extra
