"""The page offers other sizes of the pictures that a model sees, and takes the one that is clicked."""

from pathlib import Path

import gradio as gr
import pytest

from app.jobs import Jobs
from app.service import Longleaf
from app.web.ask import AskPanel
from app.web.host.uploads import Uploads
from app.web.services import Services
from tests.app.service.test_room import lease, read, seeing

__all__ = ["lease", "seeing"]  # fixtures


def test_the_page_offers_sizes_and_takes_the_one_that_is_clicked(
    seeing: Longleaf, lease: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = seeing.add(lease)
    read(seeing, entry.id)
    services = Services(seeing, Jobs(seeing), Uploads(tmp_path / "uploads"), (), paths_allowed=True)
    with gr.Blocks(analytics_enabled=False):
        panel = AskPanel(services)

    def click(px: str) -> str:
        return str(panel.act_scope(gr.EventData(None, {"act": "pictures", "arg": px}), (entry.id,), None))

    assert "as pictures of 112 pixels, of 10 tokens each" in panel.fit((entry.id,), None, None)[0]
    shown = click("512")
    assert "as pictures of 512 pixels, of" in shown
    assert 'data-arg="512"' not in shown
    assert seeing.settings.page_px == 512
    assert "page_px is 4; it must be between" in click("4")
    with monkeypatch.context() as patched:
        patched.setattr(Services, "is_busy", True)
        assert "something is still being read or answered" in click("768")
    assert seeing.settings.page_px == 512
    services.jobs.close()
    services.uploads.close()
