import errno
import os
import shutil
import socket
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from motion_platform.core.errors import DataError, OutputError, UsageError
from motion_platform.core.files import (
    atomic_files,
    atomic_folder,
    atomic_path,
    cache_folder,
    check_folders,
    check_formats,
    lock_folder,
    numbered,
    settle,
    settle_all,
    settle_folder,
    sweep,
    temporary_beside,
)


def test_moves_the_finished_file_and_keeps_the_extension(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.bvh") as temporary:
        assert temporary.suffix == ".bvh"
        assert temporary.parent == tmp_path
        temporary.write_text("new")
        assert not (tmp_path / "a.bvh").exists()
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("a.bvh", "new")]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OutputError),
        (DataError("x"), DataError),
        (KeyError("k"), KeyError),
    ],
)
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, raised: Exception, expected: type) -> None:
    target = tmp_path / "a.npz"
    target.write_text("old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise raised

    with pytest.raises(expected) as caught:
        fail()
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("a.npz", "old")]
    if expected is OutputError:
        assert "No space left" in str(caught.value)
        assert "a.npz" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_refuses_a_missing_folder_a_folder_and_an_unwritten_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"), atomic_path(tmp_path / "no" / "a.png"):
        pass
    with pytest.raises(OutputError, match="is a folder"), atomic_path(tmp_path):
        pass
    with pytest.raises(OutputError, match="nothing was written"), atomic_path(tmp_path / "a.png"):
        pass


def test_wrong_names_are_refused_before_work(tmp_path):
    check_formats([tmp_path / "a.html", tmp_path / "B.html"], (".html",))
    check_formats([tmp_path / "a.HTML"], (".html",), any_case=True)
    for name in ("a.HTML", "a.htm", "a"):
        with pytest.raises(UsageError, match=r"unknown format .*; allowed: \.html, \.npz"):
            check_formats([tmp_path / "a.html", tmp_path / name], (".html", ".npz"))
    check_folders([tmp_path / "a.html"])
    with pytest.raises(UsageError, match=r"the folder .*no does not exist"):
        check_folders([tmp_path / "no" / "a.html"])
    (tmp_path / "b.html").mkdir()
    with pytest.raises(UsageError, match=r"b\.html: is a folder; give a file name"):
        check_folders([tmp_path / "a.html", tmp_path / "b.html"])


def test_a_folder_is_whole_or_what_was_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with atomic_folder(folder) as partial:
        (partial / "a").write_text("first")

    def fail() -> None:
        with atomic_folder(folder) as partial:
            (partial / "a").write_text("second")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        fail()
    assert (folder / "a").read_text() == "first"
    with atomic_folder(folder) as partial:
        (partial / "b").write_text("third")
    assert [path.name for path in folder.iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    with pytest.raises(OutputError, match="could not be written"), atomic_folder(folder / "b" / "c"):
        pass


def test_several_files_are_numbered() -> None:
    assert numbered("walk.mp4", 1) == [Path("walk.mp4")]
    assert numbered("walk.mp4", 2) == [Path("walk_1.mp4"), Path("walk_2.mp4")]


def write_pair(folder: Path, number: int) -> None:
    with atomic_files(folder / "head.json") as partial:
        (partial / "sub").mkdir()
        (partial / "sub" / "body.bin").write_bytes(bytes([number]) * 1000)
        (partial / "head.json").write_text(str(number))


def pair(folder: Path) -> tuple[str, int, int]:
    body = (folder / "sub" / "body.bin").read_bytes()
    return (folder / "head.json").read_text(), body[0], len(body)


def killed_at(k: int, monkeypatch: pytest.MonkeyPatch, work) -> bool:
    """Whether ``work`` came as far as its k-th move, where nothing more of it is done, not even a clean-up."""
    calls = iter(range(k))

    class Killed(BaseException):
        pass

    def move(source, target, real=os.replace):
        if next(calls, None) is None:
            raise Killed
        real(source, target)

    with monkeypatch.context() as context:
        context.setattr(os, "replace", move)
        context.setattr(os, "rename", move)
        context.setattr(shutil, "rmtree", lambda *_, **__: None)
        try:
            work()
        except Killed:
            return True
    return False


def test_files_that_are_one_thing_are_the_old_or_the_new_whenever_the_process_dies(tmp_path: Path, monkeypatch) -> None:
    seen = set()
    for k in range(10):
        folder = tmp_path / str(k)
        write_pair(folder, 1)
        died = killed_at(k, monkeypatch, lambda: write_pair(folder, 2))  # noqa: B023
        settle(folder / "head.json")
        now = pair(folder)
        assert now in {("1", 1, 1000), ("2", 2, 1000)}
        seen.add((died, now[0]))
        write_pair(folder, 3)
        assert pair(folder) == ("3", 3, 1000)
        assert not (folder / ".head.json.commit").exists()
    assert seen == {(True, "1"), (True, "2"), (False, "2")}, "every case was met"


def test_a_folder_that_replaces_another_is_the_old_or_the_new_whenever_the_process_dies(
    tmp_path: Path, monkeypatch
) -> None:
    def write(folder: Path, number: int) -> None:
        with atomic_folder(folder) as partial:
            (partial / "a").write_text(str(number))

    seen = set()
    for k in range(6):
        folder = tmp_path / str(k) / "set"
        write(folder, 1)
        died = killed_at(k, monkeypatch, lambda: write(folder, 2))  # noqa: B023
        settle_folder(folder)
        seen.add((died, (folder / "a").read_text()))
    assert seen == {(True, "1"), (True, "2"), (False, "2")}


def test_what_a_dead_process_left_is_taken_away_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    living = temporary_beside(tmp_path / "a.npz")
    mine = f"-{os.getpid():x}-"
    host = f"{zlib.crc32(socket.gethostname().encode()) % 65536:04x}"
    assert f".{host}{mine}" in living.name
    left = tmp_path / living.name.replace(mine, f"-{int(dead.stdout):x}-")
    far = tmp_path / living.name.replace(living.name.split(".")[2].split("-")[0] + "-", "0000-")
    for place in (living, far):
        place.write_text("")
    left.mkdir()
    (left / "big").write_text("")
    stranger = tmp_path / ".notes.tmp"
    stranger.write_text("")
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([living, far, stranger])
    now = living.stat().st_mtime
    os.utime(far, (now - 86_300,) * 2)  # another machine's is nobody's after a day
    sweep(tmp_path)
    assert far.exists()
    os.utime(far, (now - 86_500,) * 2)
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([living, stranger])


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    """A temporary file of a process that is no more, in a new folder."""
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    (tmp_path / "new").mkdir()
    living = temporary_beside(tmp_path / "new" / "b.npz")
    place = living.with_name(living.name.replace(f"-{os.getpid():x}-", f"-{int(process.stdout):x}-"))
    place.write_text("half")
    return place


@pytest.mark.parametrize("kind", [atomic_path, atomic_files, atomic_folder])
def test_whoever_writes_into_a_folder_takes_away_first_what_a_dead_process_left_there(kind, dead: Path) -> None:
    with kind(dead.parent / "a.npz") as temporary:
        assert not dead.exists()
        (temporary if kind is atomic_path else temporary / "a.npz").write_text("1")
    assert [path.name for path in dead.parent.iterdir()] == ["a.npz"]


def test_two_processes_do_not_work_in_one_folder(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from motion_platform.core.files import lock_folder\n"
        "with lock_folder(pathlib.Path(sys.argv[1]), 'trains'): print('in', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "in\n"
    start = time.monotonic()
    with pytest.raises(UsageError, match="another process trains here"), lock_folder(tmp_path / "run", "trains"):
        pass
    assert time.monotonic() - start < 1, "it is said at once"
    other.kill()  # no chance to clean up: the lock ends with the process
    other.wait()
    with lock_folder(tmp_path / "run", "trains"):
        (tmp_path / "run" / "made").write_text("")
    with lock_folder(tmp_path / "new", "trains"):
        pass
    assert not (tmp_path / "new").exists(), "a folder that nothing was written into is not left"
    with lock_folder(tmp_path / "new" / "inner", "trains"):
        (tmp_path / "new" / "inner" / "made").write_text("")
    assert (tmp_path / "new" / "inner" / "made").exists()
    (tmp_path / "empty").mkdir()
    with lock_folder(tmp_path / "empty", "trains"):
        pass
    assert (tmp_path / "empty").is_dir(), "nor is one that was there taken away"


def test_a_name_that_is_too_long_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="name too long"), atomic_path(tmp_path / ("a" * 300 + ".bvh")) as temporary:
        temporary.write_text("")


def test_the_place_where_one_stands_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settle_folder(Path("."))
    settle(Path("x" * 300) / "model.yaml")


@pytest.mark.parametrize(("at", "said"), [("set", "."), ("set/in", ".."), ("set/in", "../in/..")])
def test_a_folder_that_is_said_by_where_one_stands_is_finished_and_replaced(
    at: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "set" / "in").mkdir(parents=True)
    (tmp_path / ".set.commit").mkdir()
    (tmp_path / ".set.commit" / "a").write_text("finished")
    monkeypatch.chdir(tmp_path / at)
    settle_folder(Path(said))
    assert [(path.name, path.read_text()) for path in (tmp_path / "set").iterdir()] == [("a", "finished")]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set" / "in").mkdir()
    monkeypatch.chdir(tmp_path / at)
    with atomic_folder(Path(said)) as partial:
        (partial / "b").write_text("replaced")
    assert [(path.name, path.read_text()) for path in (tmp_path / "set").iterdir()] == [("b", "replaced")]
    assert os.listdir(tmp_path) == ["set"]


def test_what_another_process_commits_meanwhile_is_finished_before_a_folder_takes_its_place(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "set") as partial:
        (partial / "a").write_text("mine")
        (tmp_path / ".set.commit").mkdir()  # that one died before it could move it
        (tmp_path / ".set.commit" / "b").write_text("another's")
    assert [(path.name, path.read_text()) for path in (tmp_path / "set").iterdir()] == [("a", "mine")]
    assert os.listdir(tmp_path) == ["set"]


@pytest.mark.parametrize("name", ["a" * 250 + ".bvh", "\u3042" * 80 + ".bvh", "\u00e9" * 125 + ".npz"])
def test_a_name_as_long_as_a_file_may_have_can_be_written(name: str, tmp_path: Path) -> None:
    with atomic_path(tmp_path / name) as temporary:
        temporary.write_text("1")
        assert len(os.fsencode(temporary.name)) < 143  # which is all that some encrypted disks allow
    assert os.listdir(tmp_path) == [name]


def test_a_temporary_name_begins_with_a_hundred_bytes_of_the_name_and_keeps_its_extension_unless_a_folder() -> None:
    for stem, begin in (("a" * 101, "a" * 100), ("b" * 100, "b" * 100), ("\u3042" * 34, "\u3042" * 33)):
        assert temporary_beside(Path(f"{stem}.npz")).name.startswith(f".{begin}.")
    assert temporary_beside(Path("x/run.1.npz")).name.endswith(".tmp.npz")
    assert temporary_beside(Path("x/run.1"), folder=True).name.endswith(".tmp")


def test_a_symbolic_link_stays_one_and_the_file_that_it_names_is_written(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("far/real.txt")
    with atomic_path(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "far" / "real.txt").read_text() == "new"


def test_a_name_that_is_too_long_is_said_before_any_work(tmp_path: Path) -> None:
    check_folders([tmp_path / ("a" * 300 + ".npz")])  # the writer says it, in one line
    with pytest.raises(OutputError, match="name too long"), atomic_path(tmp_path / ("a" * 300 + ".npz")):
        pass


def test_what_can_be_made_again_lies_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path))
    assert cache_folder("features") == tmp_path / "features"
    assert cache_folder() == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MOTION_CACHE")
    assert cache_folder() == tmp_path / ".cache" / "motion_platform"


def said_to_disk(folder: Path, monkeypatch: pytest.MonkeyPatch, work) -> list[str]:
    """What ``work`` brings to the disk and moves, in order: "NAME" and "NAME > NAME", temporary names as "new"."""
    said: list[str] = []

    def short(path: Path) -> str:
        path = Path(path)
        parts = ["new" if part.endswith(".tmp") or ".tmp." in part else part for part in path.relative_to(folder).parts]
        return "/".join(parts) or "."

    def move(source, target, real=os.replace):
        said.append(f"{short(source)} > {short(target)}")
        real(source, target)

    with monkeypatch.context() as context:
        context.setattr(os, "replace", move)
        context.setattr(os, "rename", move)
        context.setattr(os, "fsync", lambda number: said.append(short(Path(f"/proc/self/fd/{number}").resolve())))
        work()
    return said


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="says which file a number is of")
def test_all_is_on_the_disk_before_it_is_moved_and_every_move_is_too(tmp_path: Path, monkeypatch) -> None:
    """A machine that loses its power keeps what was said to be written: no file of zeros under a good name."""

    def one() -> None:
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("1")

    assert said_to_disk(tmp_path, monkeypatch, one) == ["new", "new > a.txt", "."]
    several = said_to_disk(tmp_path, monkeypatch, lambda: write_pair(tmp_path, 1))
    commit = several.index("new > .head.json.commit")
    assert sorted(several[:commit]) == ["new", "new/head.json", "new/sub", "new/sub/body.bin"]
    assert several[commit + 1 : -2] == [
        ".", ".head.json.commit/head.json > head.json", ".head.json.commit/sub/body.bin > sub/body.bin",
    ]  # fmt: skip
    assert sorted(several[-2:]) == [".", "sub"]

    def whole(replace: bool) -> None:
        with atomic_folder(tmp_path / ("set" if replace else "other"), replace=replace) as partial:
            (partial / "a").write_text("1")

    written = ["new", "new/a"]
    found = said_to_disk(tmp_path, monkeypatch, lambda: whole(True))
    assert (sorted(found[:2]), found[2:]) == (written, ["new > .set.commit", ".", ".set.commit > set", "."])
    with monkeypatch.context() as context:
        context.chdir(tmp_path / "set")

        def here() -> None:
            with atomic_folder(Path(".")) as partial:
                (partial / "a").write_text("2")

        found = said_to_disk(tmp_path, monkeypatch, here)
        moves = ["new > .set.commit", ".", "set > new", ".set.commit > set", "."]
        assert (sorted(found[:2]), found[2:]) == (written, moves)
    found = said_to_disk(tmp_path, monkeypatch, lambda: whole(False))
    assert (sorted(found[:2]), found[2:]) == (written, ["new > other", "."])


@pytest.mark.parametrize("busy", [0, 2, 3])
def test_files_are_left_to_another_process_that_commits_three_times_first(
    busy: int, tmp_path: Path, monkeypatch
) -> None:
    tries = []

    def move(source, target, real=os.replace):
        if str(target).endswith(".commit"):
            tries.append(target)
            if len(tries) <= busy:  # the other one was faster
                Path(target).mkdir()
                (Path(target) / "head.json").write_text("other")
                raise OSError(errno.ENOTEMPTY, "not empty")
        real(source, target)

    monkeypatch.setattr(os, "replace", move)
    if busy == 3:
        with pytest.raises(OutputError, match="another process writes it"):
            write_pair(tmp_path, 1)
        assert (tmp_path / "head.json").read_text() == "other"
    else:
        write_pair(tmp_path, 1)
        assert pair(tmp_path) == ("1", 1, 1000)
    assert len(tries) == min(busy + 1, 3)


def test_all_that_was_committed_in_a_folder_is_settled_where_no_name_is_known(tmp_path: Path) -> None:
    for name in ("a.json", "b.c.json"):
        (tmp_path / f".{name}.commit" / "sub" / "deep").mkdir(parents=True)
        (tmp_path / f".{name}.commit" / name).write_text(name)
        (tmp_path / f".{name}.commit" / "sub" / "deep" / name).write_text(name)
    settle_all(tmp_path)
    for folder in (tmp_path, tmp_path / "sub" / "deep"):
        files = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
        assert files == {"a.json": "a.json", "b.c.json": "b.c.json"}
    assert sorted(os.listdir(tmp_path)) == ["a.json", "b.c.json", "sub"], "and no empty folder is left"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="says which files are open")
def test_files_are_closed_when_they_are_written(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for number in range(3):
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("1")
        write_pair(tmp_path, number)
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize("first", [True, False])
def test_two_processes_that_finish_the_same_folder_leave_it_whole(first: bool, tmp_path: Path, monkeypatch) -> None:
    """The other one moves the new folder to its place before this one has taken the old one away, or after."""
    folder, commit = tmp_path / "set", tmp_path / ".set.commit"
    for place, text in ((folder, "old"), (commit, "new")):
        place.mkdir()
        (place / "a").write_text(text)

    def move(source, target, real=os.replace):
        if first and source == folder:
            shutil.rmtree(folder)
            real(commit, folder)
        elif not first and source == commit:
            real(commit, folder)
        real(source, target)

    monkeypatch.setattr(os, "replace", move)
    settle_folder(folder)
    assert (folder / "a").read_text() == "new"
    assert os.listdir(tmp_path) == ["set"], "and nothing is left beside it"


@pytest.mark.parametrize("error", [None, KeyError])
def test_a_lock_is_given_back_with_its_block_and_not_left_to_the_collector(error, tmp_path, monkeypatch) -> None:
    import filelock

    made = []

    class Held(filelock.FileLock):
        def __init__(self, *args, **settings) -> None:
            super().__init__(*args, **settings)
            made.append(self)

    monkeypatch.setattr(filelock, "FileLock", Held)
    with suppress(KeyError), lock_folder(tmp_path / "run", "trains"):
        assert made[0].is_locked
        if error is not None:
            raise error
    assert not made[0].is_locked


def test_folders_on_their_way_have_no_extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = []

    def move(source, target, real=os.replace):
        moved.append(Path(target).suffix)
        real(source, target)

    monkeypatch.setattr(os, "replace", move)
    for _ in range(2):
        with atomic_folder(tmp_path / "run.1") as partial:
            assert partial.suffix == ".tmp"
    assert moved == [".1", ".tmp", ".1"]  # the second time the old one goes first


@pytest.mark.skipif(os.name == "nt", reason="only what is open for writing can be brought to the disk there")
def test_what_may_only_be_read_can_be_brought_to_the_disk(tmp_path: Path, monkeypatch) -> None:
    import fcntl

    opened = []
    monkeypatch.setattr(os, "fsync", lambda number: opened.append(fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE))
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("1")
        temporary.chmod(0o444)  # of which root knows nothing
    assert opened == [os.O_RDONLY, os.O_RDONLY]


@pytest.mark.parametrize("kind", ["link to a folder", "link to nothing", "file"])
def test_a_folder_takes_the_place_of_whatever_is_there_and_what_a_link_names_stays(kind: str, tmp_path: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    (far / "a").write_text("far")
    place = tmp_path / "here" / "set"
    place.parent.mkdir()
    if kind == "file":
        place.write_text("old")
    else:
        place.symlink_to(far if kind == "link to a folder" else tmp_path / "nothing")
    with atomic_folder(place) as partial:
        (partial / "b").write_text("new")
    assert not place.is_symlink()
    assert os.listdir(place) == ["b"]
    assert os.listdir(place.parent) == ["set"]
    assert os.listdir(far) == ["a"]


def test_what_cannot_be_taken_away_keeps_nothing_else_from_it(dead: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = dead.parent
    for number in range(4):
        place = dead.with_name(dead.name.replace(".b.", f".b{number}."))
        place.mkdir()
        (place / "half").write_text("")
    stuck = next(path for path in folder.iterdir() if path.is_dir())  # the first that is met

    def rmdir(path, *, dir_fd=None, real=os.rmdir):
        if Path(path).name == stuck.name:
            raise PermissionError(path)
        real(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", rmdir)
    sweep(folder)
    assert list(folder.iterdir()) == [stuck]


def test_a_folder_that_a_lock_made_and_cannot_take_away_is_no_error(tmp_path: Path, monkeypatch) -> None:
    def rmdir(path, **_):
        raise PermissionError(path)

    with monkeypatch.context() as context:
        context.setattr(os, "rmdir", rmdir)
        with lock_folder(tmp_path / "run", "trains"):
            pass
    assert os.listdir(tmp_path) == ["run"]


def test_a_file_of_another_machine_is_nobodys_when_a_day_is_over(tmp_path: Path, monkeypatch) -> None:
    name = temporary_beside(tmp_path / "a.npz").name
    far = tmp_path / name.replace(f".{name.split('.')[2][:4]}-", ".0000-")
    far.write_text("")
    os.utime(far, (1e9, 1e9))
    for seconds, there in ((86_400, True), (86_401, False)):
        monkeypatch.setattr(time, "time", lambda seconds=seconds: 1e9 + seconds)
        sweep(tmp_path)
        assert far.exists() is there
