"""Checkpoints to compare ways of computing with: tiny random ones in the released layouts, and the packaged weights.

The tiny ones, of `app.bench.shapes`, are written by transformers' `save_pretrained` and loaded again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel

from app.bench.shapes import TINY, VOCABULARY
from llm.backbone import LEAFMOE_NAME, LEAFMOE_WEIGHTS
from llm.leafmoe import load_leafmoe, register
from llm.loading.families import model_class
from llm.packaged import PACKAGED_NAME, prepare

_TEXT = Path(__file__).resolve().parents[2] / "assets" / "samples" / "sources" / "contract.txt"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model on disk, which any process can load. `adapter`: LeafMoE's weights over the base in `folder`."""

    name: str
    folder: Path
    adapter: Path | None = None

    def load(self) -> PreTrainedModel:
        """The model in float32, with transformers' eager attention."""
        register()
        transformers.utils.logging.disable_progress_bar()
        if self.adapter is not None:
            mixture = load_leafmoe(self.folder, self.adapter, dtype=torch.float32)
            mixture.set_attn_implementation("eager")
            return mixture
        level = transformers.utils.logging.get_verbosity()
        transformers.utils.logging.set_verbosity_error()  # it lists the weights of a tower that stays unused
        try:
            config = AutoConfig.from_pretrained(self.folder, local_files_only=True)
            model: PreTrainedModel = model_class(config).from_pretrained(
                self.folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
            )
        finally:
            transformers.utils.logging.set_verbosity(level)
        model.eval()
        return model

    def prompt(self, num_tokens: int) -> list[int]:
        """Tokens to read: of a sample document, or random ones for a checkpoint without tokenizer."""
        if (self.folder / "tokenizer.json").exists():
            tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
            text_ids: list[int] = tokenizer(_TEXT.read_text("utf-8"))["input_ids"]
            return text_ids[:num_tokens]
        drawn = torch.randint(3, VOCABULARY, (num_tokens,), generator=torch.Generator().manual_seed(1))
        return [int(token) for token in drawn]


def packaged(cache_dir: Path) -> Iterator[Checkpoint]:
    """The packaged model, and LeafMoE where its weights are in the checkout."""
    base = prepare(cache_dir)
    yield Checkpoint(PACKAGED_NAME, base)
    if LEAFMOE_WEIGHTS.is_file():
        yield Checkpoint(LEAFMOE_NAME, base, LEAFMOE_WEIGHTS)


def tiny(folder: Path, names: Iterable[str] | None = None) -> Iterator[Checkpoint]:
    """Writes the tiny checkpoints below `folder`; all of them, or those of `TINY` that are named."""
    for name in names or TINY:
        torch.manual_seed(0)
        model = _randomised(TINY[name]())
        where = folder / name.replace(" ", "-")
        model.save_pretrained(where)
        yield Checkpoint(name, where)


def _randomised(model: PreTrainedModel) -> PreTrainedModel:
    """Weights large enough to matter; norms, biases and the routers' selection biases too."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("embed_tokens.weight"):
                parameter.normal_(0, 1)  # so that greedy decoding does not settle on one token
            elif parameter.dim() > 1:
                parameter.normal_(0, 0.08)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.1)
        for name, buffer in model.named_buffers():
            if name.endswith(("e_score_correction_bias", "selection_bias")):
                buffer.normal_(0, 0.1)
            if name.endswith("tid2eid"):  # which experts a token goes to
                chosen = torch.rand(len(buffer), model.config.n_routed_experts).argsort(-1)
                buffer.copy_(chosen[:, : buffer.shape[1]])
    model.eval()
    return model
