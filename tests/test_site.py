"""The site of the documents: its API page is that of the code, and every page is in it and builds."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml
from documents import ROOT

import motion_platform

DOCS = ROOT / "docs"


def script(name: str) -> ModuleType:
    """A script of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_api_page_is_that_of_the_code() -> None:
    wanted = script("make_api").page()
    assert (DOCS / "api.md").read_text(encoding="utf-8") == wanted, "run: python docs/make_api.py --write"
    for name in motion_platform.__all__:
        assert name.startswith("__") or f"\n### {name}\n" in wanted


def pages_of(entry: object) -> set[str]:
    if isinstance(entry, str):
        return {entry}
    return set().union(*map(pages_of, entry.values() if isinstance(entry, dict) else entry))  # type: ignore[union-attr]


def test_every_page_is_in_the_site_s_contents() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.safe_load(text[text.index("\nnav:") :])["nav"]
    assert pages_of(nav) == {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}


def test_links_out_of_the_pages_go_to_the_repository_or_are_words() -> None:
    found, page = script("site_links"), SimpleNamespace(file=SimpleNamespace(src_uri="decisions/a.md"))
    text = "[one](../api.md) [code](../../tasks/x.yaml#a) ![picture](../../x.png) [web](https://a.b)"
    config = {"docs_dir": str(DOCS), "repo_url": "https://host/us/it/"}
    linked = found.on_page_markdown(text, page=page, config=config, files=None)
    assert linked == text.replace("../../tasks/x.yaml#a", "https://host/us/it/blob/main/tasks/x.yaml")
    plain = found.on_page_markdown(text, page=page, config={"docs_dir": str(DOCS)}, files=None)
    assert plain == text.replace("[code](../../tasks/x.yaml#a)", "code")


def test_the_readme_is_short_and_begins_with_a_picture_and_code() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 200
    first = "\n".join(lines[:30])
    assert first.index("![") < first.index("```python") < first.index("```bash")
    assert first[first.index("```bash") :].split("```")[1].count("\n") == 4  # three commands


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="needs mkdocs-material (pip install -e '.[docs]')")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "api.html").stat().st_size > 20_000
