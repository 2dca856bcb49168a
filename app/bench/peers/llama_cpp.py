"""llama.cpp through the wheel `xllamacpp`, with the very GGUF file that the packaged model is made of.

Its server is used in this process; only its slots are saved and restored through its own local address, since the
wheel has no other door to them.
"""

import importlib.util
import json
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from app.bench.timing import QUESTION_TOKENS, Task, Timing, seconds
from llm.packaged import find_gguf

_PACKAGE = "xllamacpp"
_BATCH = 512  # tokens; larger ones were no faster
MISSING = "llama.cpp was not measured: it is not installed; pip install -r requirements-dev.txt brings it."


def is_installed() -> bool:
    return importlib.util.find_spec(_PACKAGE) is not None


def visit(task: Task) -> Timing:
    """Flash attention on; times of reading and decoding are llama.cpp's own."""
    tokens = task.tokens()
    with tempfile.TemporaryDirectory(prefix="longleaf-speed-") as folder:
        server = _server(task, folder)
        read = _complete(server, tokens[: task.length], task.num_decoded)
        assert read["prompt_n"] == task.length, f"llama.cpp read {read['prompt_n']} of {task.length} tokens"
        save_s = seconds(lambda: _slot(server, "save"))
        _slot(server, "erase")

        def restore() -> None:
            _slot(server, "restore")
            _complete(server, tokens[: task.length + QUESTION_TOKENS], 1)

        restored_s = seconds(restore)
    return Timing(read["prompt_ms"] / 1000, read["predicted_per_token_ms"] / 1000, save_s, restored_s)


def _server(task: Task, folder: str) -> Any:
    import xllamacpp  # type: ignore[import-untyped,unused-ignore]  # may be missing

    params = xllamacpp.CommonParams()
    params.model.path = str(find_gguf())
    params.n_ctx = task.length + task.num_decoded + 2 * QUESTION_TOKENS
    params.n_parallel, params.n_gpu_layers, params.verbosity = 1, 0, 0
    params.n_batch = params.n_ubatch = _BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = task.threads
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
    kind = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{task.kv_type.upper()}")
    params.cache_type_k = params.cache_type_v = kind
    params.slot_save_path = str(Path(folder)) + "/"
    return xllamacpp.Server(params)


def _complete(server: Any, tokens: list[int], number: int) -> dict[str, Any]:
    """Timings."""
    asked = {"prompt": tokens, "n_predict": number, "temperature": 0, "ignore_eos": True, "cache_prompt": True}
    answer = server.handle_completions(asked)
    assert "timings" in answer, f"llama.cpp answered {json.dumps(answer)[:200]}"
    timings: dict[str, Any] = answer["timings"]
    return timings


def _slot(server: Any, action: str) -> None:
    request = urllib.request.Request(
        f"{server.listening_address}/slots/0?action={action}",
        data=json.dumps({"filename": "slot.bin"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        answer.read()
