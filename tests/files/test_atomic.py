import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from equinox._files.atomic import is_replaceable, replaced
from tests.files.folders import names_in


def write(path, contents=b"new"):
    with replaced(path) as file:
        file.write(contents)


@pytest.fixture
def old(tmp_path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


def test_the_new_file_appears_at_the_end_and_nothing_else_stays(old):
    with replaced(old) as file:
        file.write(b"new")
        file.flush()
        assert old.read_bytes() == b"old"
        assert len(names_in(old.parent)) == 2
    assert old.read_bytes() == b"new"
    assert names_in(old.parent) == ["file"]


def test_the_file_can_be_read_while_it_is_written(old):
    with replaced(old) as file:
        file.write(b"12345")
        file.seek(1)
        assert file.read(2) == b"23"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_file_is_as_it_was(old, error):
    def fail():
        with replaced(old) as file:
            file.write(b"new")
            raise error

    with pytest.raises(error):
        fail()
    assert old.read_bytes() == b"old"
    assert names_in(old.parent) == ["file"]


def test_after_an_error_while_the_file_is_synced_the_old_one_is_as_it_was(old, monkeypatch):
    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write(old)
    assert old.read_bytes() == b"old"
    assert names_in(old.parent) == ["file"]


def test_the_contents_reach_the_disk_before_the_name_does_and_then_the_folder(old, monkeypatch):
    events = []
    replace, fsync = Path.replace, os.fsync

    def recorded_fsync(descriptor):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        events.append("folder" if is_folder else f"{os.fstat(descriptor).st_size} bytes")
        fsync(descriptor)

    def recorded_replace(self, target):
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    write(old)
    assert events == ["3 bytes", "rename", "folder"]


def test_a_folder_that_cannot_be_synced_is_no_error(old, monkeypatch):
    fsync = os.fsync

    def fsync_files(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(22, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync_files)
    write(old)
    assert old.read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755])
def test_permissions_of_the_old_file_are_kept(old, mode):
    old.chmod(mode)
    write(old)
    assert stat.S_IMODE(old.stat().st_mode) == mode


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        write(tmp_path / "ours")
        (tmp_path / "theirs").write_bytes(b"")
    finally:
        os.umask(before)
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_a_read_only_file_is_not_replaced(old, monkeypatch):
    old.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everything
    with pytest.raises(PermissionError, match="file"):
        write(old)
    assert old.read_bytes() == b"old"


def test_a_symbolic_link_goes_on_pointing_to_what_is_replaced(tmp_path, old):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link"
    link.symlink_to("../file")
    write(link)
    assert link.readlink() == Path("../file")
    assert old.read_bytes() == b"new"
    assert names_in(tmp_path / "folder") == ["link"]


def test_a_symbolic_link_to_nothing_makes_the_file_it_points_to(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("target")
    write(link)
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_folder_that_is_not_there_is_an_error_that_names_the_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.file'") as caught:
        write(tmp_path / "nowhere" / "file")
    assert caught.value.filename == str(tmp_path / "nowhere" / "file")


def test_a_name_as_long_as_the_file_system_allows_can_be_replaced(tmp_path):
    path = tmp_path / ("x" * 255)
    write(path)
    write(path, b"newer")
    assert path.read_bytes() == b"newer"


def test_files_can_be_replaced_and_folders_and_devices_cannot(tmp_path, old):
    assert is_replaceable(old)
    assert is_replaceable(tmp_path / "not there")
    assert not is_replaceable(tmp_path)
    assert not is_replaceable(Path(os.devnull))


# A process that saves again and again is killed two hundred times. Starting Python and importing JAX takes long, so
# another process has done both, forks itself to be killed, and looks at the file after each death.
KILLED = """
import os, random, signal, sys, time
import numpy as np
import equinox as eqx

path, times, chance = sys.argv[1], int(sys.argv[2]), random.Random(0)

def tree(version):
    return {"version": version, "weights": [np.full(20_000, version), np.full(1_000, version, np.float32)]}

def save(version):
    eqx.tree_serialise_leaves(path, tree(version))

def load():
    loaded = eqx.tree_deserialise_leaves(path, tree(0))
    assert all((weight == loaded["version"]).all() for weight in loaded["weights"])
    return loaded["version"]

save(0)
version = started = interrupted = 0
for _ in range(times):
    process = os.fork()
    if process == 0:
        while True:
            version += 1
            save(version)
    time.sleep(chance.uniform(0, 0.015))
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    started += load() > version
    assert load() >= version
    version = load()
    for name in set(os.listdir()) - {path}:
        interrupted += 1
        os.unlink(name)
print(version, started, interrupted)
"""


def test_a_process_that_is_killed_while_it_saves_leaves_the_old_file_or_the_new_one_whole(tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", KILLED, "checkpoint.eqx", "200"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stderr
    versions, progressed, interrupted = map(int, run.stdout.split())
    # Many were killed in the middle of saving, and many had saved before.
    assert versions >= progressed > 20
    assert interrupted > 20
