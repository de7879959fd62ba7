import errno
from pathlib import Path

import pytest

from motion_platform.core.errors import DataError, OutputError, UsageError
from motion_platform.core.files import atomic_folder, atomic_path, check_folders, check_formats, numbered


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
