"""How the page looks: the Gradio theme, the style sheet and the script, all from this machine.

System fonts only: nothing is fetched from anywhere. Colours: the green of long-leaf pine, the amber of its resin for
evidence, paper and bark for the rest; text on every ground has a contrast of at least 4.5 to 1.
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr

from app.web.texts import language, t

SCRIPTS = ("kept.js", "longleaf.js", "previews.js", "server.js")
THEME_DIR = Path(__file__).parents[2] / "assets" / "theme"
HIDDEN: MappingProxyType[str, Any] = MappingProxyType({"show_progress": "hidden", "api_visibility": "private"})
PINE = gr.themes.Color(
    c50="#f0f6f2", c100="#dcebe1", c200="#bbd7c6", c300="#8fbba2", c400="#5f9a7a", c500="#3f7d5d",
    c600="#2e654a", c700="#24523c", c800="#1e4231", c900="#193629", c950="#0c1f17", name="pine",
)  # fmt: skip
BARK = gr.themes.Color(
    c50="#faf9f5", c100="#f3f1ea", c200="#e4e1d7", c300="#cdc9bc", c400="#9da196", c500="#6f776f",
    c600="#566059", c700="#3d4741", c800="#242c27", c900="#19201c", c950="#101512", name="bark",
)  # fmt: skip
SANS = [
    "ui-sans-serif",
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Helvetica Neue",
    "Noto Sans",
    "sans-serif",
]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Cascadia Code", "Consolas", "DejaVu Sans Mono", "monospace"]


def theme() -> gr.themes.Base:
    base = gr.themes.Base(
        primary_hue=PINE,
        secondary_hue=PINE,
        neutral_hue=BARK,
        font=SANS,
        font_mono=MONO,
        radius_size=gr.themes.sizes.radius_md,
    )
    return base.set(
        body_background_fill="#f7f6f1",
        body_background_fill_dark="#101512",
        body_text_color="#1c2520",
        body_text_color_dark="#e5ebe6",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_shadow_dark="none",
        input_background_fill="#ffffff",
        input_background_fill_dark="#19201c",
        input_border_color="#cdc9bc",
        input_border_color_dark="#3d4741",
        input_border_color_focus="#2e654a",
        input_border_color_focus_dark="#8fbba2",
        button_primary_background_fill="#24523c",
        button_primary_background_fill_hover="#1e4231",
        button_primary_background_fill_dark="#8fbba2",
        button_primary_background_fill_hover_dark="#bbd7c6",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#0c1f17",
    )


def head() -> str:
    """The style sheet, the script and what it says, inline: one request less, and never a stale copy."""
    css = (THEME_DIR / "longleaf.css").read_text(encoding="utf-8")
    scripts = "".join(f"<script>{(THEME_DIR / name).read_text(encoding='utf-8')}</script>" for name in SCRIPTS)
    said = json.dumps({"language": language(), **_script_texts()}).replace("<", "\\u003c")
    return (
        f'<meta name="color-scheme" content="light dark"><style>{css}</style>'
        f"<script>window.longleafTexts = {said};</script>{scripts}"
    )


def _script_texts() -> dict[str, str]:
    """What the script says by itself (assets/theme/longleaf.js), with its values in braces."""
    return {
        "nothing": t("Nothing was chosen, or the folder holds no files."),
        "sending": t("Sending {what} · {percent} %"),
        "files": t("{n} files"),
        "uploadFailed": t("The upload failed ({status})."),
        "noAnswer": t("{file} could not be sent: Longleaf does not answer."),
        "fileTooLarge": t("{file} is larger than the {size} that one file may have. Nothing was sent."),
        "allTooLarge": t("These files are larger than the {size} that one upload may have. Nothing was sent."),
        "copied": t("Copied"),
        "copyBarred": t("Not allowed by the browser"),
        "severalRead": t("{n} documents are read"),
        "gone": t("Longleaf does not answer. What is being read or answered goes on as soon as it runs again."),
        "copyLines": t("Copy a link to these lines"),
        "copyLink": t("Copy link"),
        "kept": t("Kept in this browser"),
        "keptSaid": t("From earlier visits; the server has nothing of it any more."),
        "keptSave": t("Save as a file"),
        "keptForget": t("Forget"),
    }


def fragment(elem_id: str, value: str | Callable[[], str] = "") -> gr.HTML:
    """An HTML panel whose `data-act` elements arrive as `select` events with `act`, `arg` and `checked`."""
    wire = "(window.longleafPanels ||= []).push([element, trigger, watch]); window.longleafWire?.();"
    return gr.HTML(value, elem_id=elem_id, js_on_load=wire, apply_default_css=False, padding=False, container=False)
