"""The page of an uploaded model: what the hub reads at its head, and the licence of all that it learned from."""

from __future__ import annotations

import pytest
import yaml

from motion_platform.core.checkpoint_files import read_card
from motion_platform.core.errors import OutputError, UsageError
from motion_platform.core.weight_files import find_checkpoint
from motion_platform.model.hub_page import page
from motion_platform.model.motion_model import MotionModel


def front(text: str) -> dict:
    _, head, _ = text.split("---\n", 2)
    return yaml.safe_load(head)


@pytest.mark.parametrize(("licence", "wanted"), [
    ("MIT; CC BY-NC 4.0, (c) somebody", "cc-by-nc-4.0"),
    ("CC BY-NC-ND 4.0", "cc-by-nc-nd-4.0"),
    ("CC BY 4.0; CC BY-SA 3.0", "cc-by-sa-4.0"),
    ("for research purposes only; MIT", "other"),
    ("", "other"),
])  # fmt: skip
def test_the_most_restrictive_licence_stands_in_the_front_matter(licence: str, wanted: str) -> None:
    card = read_card(find_checkpoint("text_to_motion_small"))
    card = card.model_copy(update={"data": {"name": "mine", "licence": licence}})
    assert front(page(card, "me/mine"))["license"] == wanted


def test_a_shipped_model_is_told_as_it_is() -> None:
    text = page(read_card(find_checkpoint("text_to_motion_small")), "me/walks")
    assert front(text)["library_name"] == "motion-platform"
    assert front(text)["license"] == "cc-by-nc-4.0"
    assert "text-to-motion" in front(text)["tags"]
    assert "# walks" in text
    assert 'from_pretrained("me/walks")' in text
    assert "CC BY-NC 4.0, (c) Bandai Namco Research Inc." in text


def test_what_the_hub_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    class Closed:
        def create_repo(self, name: str, *, private: bool, exist_ok: bool) -> None:
            raise OSError("401 Unauthorized")

    monkeypatch.setattr(huggingface_hub, "HfApi", Closed)
    model = MotionModel.from_pretrained("text_motion")
    with pytest.raises(OutputError, match=r"me/walks: was not uploaded: .*401"):
        model.push_to_hub("me/walks")
    with pytest.raises(UsageError, match="write OWNER/NAME"):
        model.push_to_hub("walks")
