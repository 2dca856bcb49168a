"""A loaded backbone: model, tokenizer, prompt, and the name under which its readings are kept.

Owns which weights answer to a name and on which device, in which dtype and with how many threads they run. A name is
the packaged model, a checkpoint folder, or a hub name; only the last may open a network connection, because the person
asked for it by name.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from llm.answer import ModelName
from llm.drafting import Drafter
from llm.errors import ModelNotFound
from llm.eyes import Eyes
from llm.leafmoe import LeafMoEForCausalLM, load_leafmoe
from llm.leafmoe import register as register_leafmoe
from llm.loading.adapter import with_adapter
from llm.loading.checkpoint import Loaded, load_checkpoint
from llm.loading.experts import keep_experts_in_host_memory
from llm.loading.narrow import narrow
from llm.packaged import PACKAGED_NAME, load_tokenizer, prepare, sha256_of, weights_sha256
from llm.packed import PackedLlama
from llm.patches import vocabulary_digest
from llm.prompt import Prompt
from llm.runtime.devices import AUTO, layer_devices, main_device
from llm.runtime.rotation import HalfRotation, PairRotation
from llm.runtime.runner import Runner
from llm.runtime.runners import runner_of
from llm.runtime.working import Devices, WorkingKV
from llm.tools.forms import CallSyntax

LEAFMOE_NAME = "leafmoe-135m"
LEAFMOE_WEIGHTS = Path(__file__).resolve().parents[1] / "assets" / "leafmoe-135m.safetensors"
_DEFAULT_CONTEXT_TOKENS = 4096  # for the rare config that does not say


@dataclass(frozen=True, slots=True)
class Backbone:
    """Everything that a reading or an answer needs from a model. Not safe for two threads at once."""

    model: PreTrainedModel
    runner: Runner
    tokenizer: PreTrainedTokenizerBase
    prompt: Prompt
    name: ModelName
    context_tokens: int  # the trained context
    stop_ids: frozenset[int]
    drafter: Drafter | None = None  # guesses tokens ahead
    eyes: Eyes | None = None  # sees page images
    calls: CallSyntax | None = None  # how it calls tools, if it may

    @classmethod
    def of(
        cls,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        name: ModelName,
        runner: Runner | None = None,
        drafter: Drafter | None = None,
        eyes: Eyes | None = None,
    ) -> "Backbone":
        """A model that is loaded, placed and to answer only. `runner` None: the fastest there is for it."""
        return cls(
            model,
            runner or PackedLlama.of(model) or runner_of(model),
            tokenizer,
            Prompt(tokenizer),
            name,
            _context_tokens(model.config),
            _stop_ids(model, tokenizer),
            drafter,
            eyes,
        )

    @property
    def device(self) -> torch.device:
        """Where tokens enter."""
        return main_device(self.model)

    @property
    def layer_devices(self) -> Devices:
        """Where keys and values lie."""
        devices = layer_devices(self.model)
        return devices if isinstance(devices, torch.device) else devices[: len(self.runner.layouts)]

    @property
    def dtype(self) -> torch.dtype:
        return next(self.model.parameters()).dtype

    @property
    def reads_one_by_one(self) -> bool:
        """Whether it was trained to say of a single passage that it does not hold the answer."""
        return isinstance(self.model, LeafMoEForCausalLM)

    def empty_kv(self) -> WorkingKV:
        """A working set without tokens, in memory."""
        return WorkingKV(self.runner.layouts, self.runner.rotation, device=self.layer_devices, dtype=self.dtype)

    def with_tools(self) -> "Backbone":
        """The same, and it may call tools as its chat template writes calls. Raises ModelNotFound if it writes none."""
        return replace(self, calls=CallSyntax.of(self.tokenizer, self.prompt, self.stop_ids, self.name.name))

    def snapshot_identity(self) -> str:
        """Names weights, tokenizer, prompt, dtype and how keys are kept; what was read under another is not used.

        The same model may keep its keys rotated, because it is shown pictures, or not.
        """
        vocabulary = vocabulary_digest(self.tokenizer)
        prompt = ",".join(map(str, self.prompt.prefix))
        parts = [self.name.name, self.name.revision, vocabulary, prompt, str(self.dtype)]
        if not isinstance(self.runner.rotation, HalfRotation | PairRotation):
            parts.append(type(self.runner.rotation).__name__)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def load_backbone(
    name: str | None,
    *,
    cache_dir: Path,
    device: str | None = None,
    dtype: str | None = None,
    threads: int | None = None,
    adapter: Path | None = None,
    experts_bytes: int | None = None,
    weights: str | None = None,
    mtp: bool = False,
    page_px: int | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Backbone:
    """Loads the model called `name` (None: the packaged one). Raises ModelNotFound with one sentence.

    `device` None takes CUDA where there is one, "auto" spreads a checkpoint over all that there is; `dtype` None takes
    bfloat16 where it is fast, else float32; `threads` None takes the cores that are free right now. `adapter` is a
    folder of peft's with a LoRA for the model.
    `experts_bytes` keeps routed experts in host memory but for so many bytes of them on the GPU, or for a CPU on disk
    but for so many in memory; None: all where the rest is.
    `weights`: "int8" or "int4", in which dense matrices are kept; None: as they come. `mtp`: its extra layer guesses
    tokens ahead, if it has one. `page_px`: it sees page images of so many pixels on the longer side; None: text only.
    """
    torch.set_num_threads(threads or count_free_cores())
    transformers.utils.logging.disable_progress_bar()
    register_leafmoe()
    is_spread = device == AUTO
    if is_spread:
        _refuse_changes(adapter, experts_bytes, weights, mtp)
    chosen_device = device_of(None if is_spread else device)
    chosen_dtype = _dtype_of(dtype, chosen_device)
    if name in (None, LEAFMOE_NAME, PACKAGED_NAME):
        loaded = _load_packaged(name or default_model(), prepare(cache_dir, on_progress), chosen_dtype)
    else:
        loaded = load_checkpoint(
            str(name), dtype=chosen_dtype, device=chosen_device, with_eyes=page_px is not None,
            device_map=AUTO if is_spread else None,
            experts_bytes=experts_bytes if chosen_device.type == "cpu" else None, cache_dir=cache_dir,
        )  # fmt: skip
    model, tokenizer, model_name = loaded
    if adapter is not None:
        model, model_name = with_adapter(model, model_name, adapter)
    if weights is not None:
        narrow(model, weights)
        model_name = replace(model_name, revision=f"{model_name.revision}+{weights}")
    model = _placed(model, chosen_device, experts_bytes)
    eyes = None if page_px is None else Eyes.of(model, model_name.name, page_px)
    packed = PackedLlama.of(model) if weights is None and not hasattr(model, "hf_device_map") else None
    runner = packed or runner_of(model, with_pictures=eyes is not None)
    return Backbone.of(model, tokenizer, model_name, runner, Drafter.of(model) if mtp else None, eyes)


def _refuse_changes(*changes: object) -> None:
    if any(change not in (None, False) for change in changes):
        raise ModelNotFound(
            "a model that is spread over all devices is taken as it is; leave --adapter, --experts-gb, --weights-dtype "
            "and --mtp out, or name one device"
        )


def device_of(name: str | None) -> torch.device:
    """The device of that name; None: CUDA where there is one."""
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def default_model() -> str:
    """LeafMoE, or its bare base where the trained weights are not in the checkout."""
    return LEAFMOE_NAME if LEAFMOE_WEIGHTS.is_file() else PACKAGED_NAME


def _load_packaged(name: str, base: Path, dtype: torch.dtype) -> Loaded:
    tokenizer = load_tokenizer(base)
    base_revision = weights_sha256(base)[:16]
    if name == PACKAGED_NAME:
        bare = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, local_files_only=True)
        return bare, tokenizer, ModelName(name, base_revision)
    mixture = load_leafmoe(base, LEAFMOE_WEIGHTS, dtype=dtype)
    return mixture, tokenizer, ModelName(name, f"{base_revision}+{sha256_of(LEAFMOE_WEIGHTS)[:16]}")


def count_free_cores() -> int:
    """Cores that were less than half busy over the last tenth of a second, at least 1.

    Two busy threads on one free core cost up to 20 times (measured; see docs/LOG.md), so a busy core is left alone.
    """
    busy = psutil.cpu_percent(interval=0.1, percpu=True)
    usable = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else len(busy)
    return max(1, min(usable, sum(percent < 50 for percent in busy)))


def _placed(model: PreTrainedModel, device: torch.device, experts_bytes: int | None) -> PreTrainedModel:
    model.eval()
    model.requires_grad_(False)
    if hasattr(model, "hf_device_map"):  # its layers lie where they are to lie
        return model
    if experts_bytes is None:
        torch.nn.Module.to(model, device)
        return model
    if device.type == "cpu":
        _check_experts(model)
        return model
    keep_experts_in_host_memory(model, device, experts_bytes)
    return model


def _check_experts(model: PreTrainedModel) -> None:
    if not any(hasattr(module, "matrices") for module in model.modules()):
        raise ModelNotFound(
            f"a model of type {model.config.model_type!r} has no routed experts that could stay on disk; leave "
            "--experts-gb out"
        )


def _dtype_of(dtype: str | None, device: torch.device) -> torch.dtype:
    if dtype is not None:
        chosen = getattr(torch, dtype, None)
        if not isinstance(chosen, torch.dtype):
            raise ModelNotFound(f"dtype {dtype!r} is unknown; use bfloat16, float16 or float32")
        return chosen
    fast_bfloat16 = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast_bfloat16 else torch.float32


def _context_tokens(config: transformers.PretrainedConfig) -> int:
    text_config = config.get_text_config(decoder=True)
    declared: int | None = getattr(text_config, "max_position_embeddings", None)
    return declared or _DEFAULT_CONTEXT_TOKENS


def _stop_ids(model: transformers.PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    declared = model.generation_config.eos_token_id if model.generation_config else None
    ids = declared if isinstance(declared, list) else [declared, tokenizer.eos_token_id]
    return frozenset(token for token in ids if token is not None)
