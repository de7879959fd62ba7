"""For the site: what lies outside docs/ is linked in the repository where its address is known, else only named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(((?:\.\./)+[^)\s]+)\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:  # noqa: ARG001 - as MkDocs calls it
    """Links of one page (MkDocs calls it)."""
    docs = Path(config["docs_dir"]).resolve()
    folder = (docs / page.file.src_uri).parent

    def linked(match: re.Match[str]) -> str:
        words, target = match[1], match[2]
        place = (folder / target.partition("#")[0]).resolve()
        if place.is_relative_to(docs):
            return match[0]
        address = config.get("repo_url")
        return f"[{words}]({address.rstrip('/')}/blob/main/{place.relative_to(docs.parent)})" if address else words

    return LINK.sub(linked, markdown)
