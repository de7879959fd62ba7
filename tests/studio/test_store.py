from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest

from motion_platform.core.errors import DataError, UsageError
from motion_platform.studio import store as store_module
from motion_platform.studio.store import Store, safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("walk.BVH", "walk.bvh"),
        ("../../etc/passwd.bvh", "passwd.bvh"),
        ("C:\\temp\\a b.npz", "a b.npz"),
        ("<img src=x onerror=alert(1)>.bvh", "img src_x onerror_alert_1.bvh"),
        ("....bvh", "file.bvh"),
        ("$(rm -rf ~);`id`.wav", "rm -rf ____id.wav"),
        ("x" * 300 + ".bvh", "x" * 80 + ".bvh"),
    ],
)
def test_a_file_name_is_only_a_name(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def kept(store: Store, name: str, data: bytes) -> str:
    part = store.begin(name)
    part.write_bytes(data)
    return store.keep(part, name)


def test_an_upload_is_found_by_its_id_and_by_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path / "studio")
    (tmp_path / "secret.bvh").write_text("x")
    key = kept(store, "walk.bvh", b"HIERARCHY")
    assert store.upload(key).read_bytes() == b"HIERARCHY"
    assert kept(store, "walk.bvh", b"HIERARCHY") == key
    assert kept(store, "other.bvh", b"HIERARCHY") != key
    for wrong in ("../secret.bvh", "..", "", "0" * 20, key.upper() + "x", str(tmp_path / "secret.bvh")):
        with pytest.raises(UsageError, match="no such upload"):
            store.upload(wrong)
    with pytest.raises(UsageError, match=r"\.bvh"):
        store.begin("walk.exe")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as member:
        member.write(bytes(3 << 20))
    assert len(data.getvalue()) < 10_000
    monkeypatch.setattr(store_module, "MOST_UNPACKED", 2 << 20)
    store = Store(tmp_path)
    with pytest.raises(DataError, match="unpacks to 3 MiB"):
        kept(store, "bomb.npz", data.getvalue())
    assert not [path for path in (tmp_path / "uploads").iterdir() if not path.name.startswith(".")]


def test_votes_are_rows_that_no_spreadsheet_runs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.votes().startswith("time,task,text")
    store.vote([{"text": '=HYPERLINK("http://x","y")', "better_model": "a", "worse_model": "b"}])
    store.vote([{"text": "a person,\nwalks", "better_model": "b", "worse_model": "a"}])
    rows = list(csv.DictReader(io.StringIO(store.votes())))
    assert [row["better_model"] for row in rows] == ["a", "b"]
    assert rows[0]["text"].startswith("'=")
    assert rows[1]["text"] == "a person, walks"
