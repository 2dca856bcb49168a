"""The training loop: draw, pack, learn, balance, and now and then save, log and score.

The rate warms up and then stays constant, so a run can be continued for as long as one likes; `decay` brings it to
zero over one run, from the last checkpoint, without changing it (warm-up, stable, decay: arXiv:2404.06395).
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from llm.leafmoe import PATCH, TEXT, ExpertLoad, LeafMoEForCausalLM, balance, load_adapter, save_adapter, upcycle
from llm.prompt import Prompt
from llm.tokens import embedded
from llm.training import attention
from llm.training.confusions import Confusions
from llm.training.decode import ask_examples, trained
from llm.training.examples import Example, load_passages
from llm.training.mixture import Mixture
from llm.training.packing import Row, Sequence, join, pack_example
from llm.training.patches import printed_lines, text_lines
from llm.training.scores import score
from llm.training.state import Counters, Masters, load_checkpoint, save_checkpoint
from llm.training.tables import with_table_questions
from vision.degradation import LEVELS

ADAPTER, DECAYED, LOG = "leafmoe.safetensors", "leafmoe-decayed.safetensors", "log.jsonl"
CONFUSIONS = "confusions.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run trains. The shape of the model is taken from the checkpoint's run when it is continued."""

    minutes: float
    seed: int = 0
    rate: float = 6e-4
    decay: bool = False
    resume: bool = False
    adapter: Path | None = None  # weights that a new run begins with; their optimizer's state is not known
    num_experts: int = 4
    expert_width: int = 64
    experts_per_token: int = 1
    attention_rank: int = 16
    tokens_per_step: int = 4096
    max_document_tokens: int = 640
    max_sequence_tokens: int = 2400
    warmup_steps: int = 30
    balance_rate: float = 1e-3
    save_every_s: float = 180
    score_every_s: float = 1200
    dev_examples: int = 10
    printed_pages: int = 12  # of each level of degradation, to learn how recognition errs; 0: no scans


class Trainer:
    """One run over one output folder."""

    def __init__(self, data: Path, base: Path, out: Path, plan: Plan) -> None:
        """Loads base, tokenizer and data, and continues from the checkpoint when the plan says so."""
        torch.manual_seed(plan.seed)
        attention.register()
        out.mkdir(parents=True, exist_ok=True)
        self._plan, self._base, self._out = plan, base, out
        self._tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(base)
        self._prompt = Prompt(self._tokenizer)
        self._model: LeafMoEForCausalLM = upcycle(
            base,
            num_experts=plan.num_experts,
            expert_width=plan.expert_width,
            experts_per_token=plan.experts_per_token,
            attention_rank=plan.attention_rank,
        )
        if plan.adapter is not None:
            load_adapter(self._model, plan.adapter)
        self._load = ExpertLoad(self._model)
        self._masters, self._counters = Masters(self._model), Counters()
        confusions = _confusions(data, out, plan.printed_pages) if plan.printed_pages else None
        passages = with_table_questions(load_passages(data, "train"))
        self._mixture = self._make_mixture(passages, plan.seed, confusions, prose=True)
        self._dev = self._make_dev(load_passages(data, "dev"))
        if plan.resume or plan.decay:
            self._counters, data_state = load_checkpoint(out, self._masters)
            self._mixture.restore(data_state)

    def run(self, stop: threading.Event) -> None:
        """Train until the minutes are over or `stop` is set; saves at the end either way."""
        started = saved = scored = time.monotonic()
        length_s = self._plan.minutes * 60
        while not stop.is_set() and (elapsed := time.monotonic() - started) < length_s:
            self._step(self._rate_at(elapsed / length_s))
            if time.monotonic() - saved > self._plan.save_every_s:
                self._save()
                saved = time.monotonic()
            if time.monotonic() - scored > self._plan.score_every_s:
                self._score_dev()
                scored = time.monotonic()
        if stop.is_set():
            self._save()
        else:
            self._score_dev()

    def _rate_at(self, progress: float) -> float:
        """The rate at a share of this run. Warm-up counts steps of all runs."""
        if self._plan.decay:
            return self._plan.rate * (1 - progress)
        return self._plan.rate * min(1.0, (self._counters.step + 1) / self._plan.warmup_steps)

    def _step(self, rate: float) -> None:
        started = time.monotonic()
        asked, prose = self._next_rows()
        self._model.train()
        self._model.set_attn_implementation(attention.NAME)
        loss = self._learn(asked, row_loss, [row.targets.numel() for row in asked])
        drift = self._learn(prose, row_drift, [row.ids.numel() for row in prose])
        norm = self._masters.step(rate)
        load = self._load.tokens.sum(1)  # (L, E)
        share = load / load.sum(-1, keepdim=True)
        balance(self._model, self._load, self._plan.balance_rate)
        seconds = time.monotonic() - started
        num_tokens = sum(row.ids.numel() for row in (*asked, *prose))
        self._counters.step += 1
        self._counters.tokens += num_tokens
        self._counters.questions += sum(row.num_questions for row in asked)
        self._counters.trained_s += seconds
        self._log(
            loss=round(loss, 4),
            drift=round(drift, 4),
            rate=rate,
            norm=round(norm, 3),
            tokens_per_s=round(num_tokens / seconds, 1),
            busiest_expert=round(float(share.max(-1).values.mean()), 3),
        )

    def _learn(
        self, rows: list[Row], loss_of: Callable[[LeafMoEForCausalLM, Row], torch.Tensor], weights: list[int]
    ) -> float:
        """Adds the gradients of the weighted mean loss of some rows, and gives it; 0 where there are none."""
        total = 0.0
        for row, weight in zip(rows, weights, strict=True):
            with self._load.counting(_modality(row)):
                part = loss_of(self._model, row) * (weight / sum(weights))
            torch.autograd.backward(part)
            total += float(part.detach())
        return total

    def _next_rows(self) -> tuple[list[Row], list[Row]]:
        """The sequences of one step: with questions, and plain text. At least one question is asked.

        No row is longer than the longest sequence may be: that bounds the memory.
        """
        longest, free = self._plan.max_sequence_tokens, self._plan.tokens_per_step
        asked: list[list[Sequence]] = []
        prose: list[list[Sequence]] = []
        while free > 0 or not asked:
            example = self._mixture.draw()
            sequence = pack_example(self._prompt, self._end_id(), example, longest)
            if example.asked and not any(sequence.learned):
                continue  # no question fits
            rows = asked if example.asked else prose
            if not rows or sum(len(other.ids) for other in rows[-1]) + len(sequence.ids) > longest:
                rows.append([])
            rows[-1].append(sequence)
            free -= len(sequence.ids)
        return [join(row) for row in asked], [join(row) for row in prose]

    def _end_id(self) -> int:
        end_id = self._tokenizer.eos_token_id
        assert isinstance(end_id, int), "the packaged tokenizer has one end token"
        return end_id

    def _make_mixture(
        self, passages: dict[str, Any], seed: int, confusions: Confusions | None = None, *, prose: bool = False
    ) -> Mixture:
        return Mixture(
            passages, _counter(self._prompt), seed=seed, max_tokens=self._plan.max_document_tokens,
            confusions=confusions, prose=prose,
        )  # fmt: skip

    def _make_dev(self, passages: dict[str, Any]) -> list[Example]:
        """The same examples in every run, whatever its seed."""
        mixture = self._make_mixture(passages, seed=1)
        return [example for example in (mixture.draw() for _ in range(self._plan.dev_examples)) if example.asked]

    def _score_dev(self) -> None:
        started = time.monotonic()
        result = score(ask_examples(trained(self._base, self._save(), self._tokenizer), self._dev))
        self._log(dev=asdict(result), dev_s=round(time.monotonic() - started, 1))

    def _save(self) -> Path:
        """Gives the file of the weights."""
        notes = {"steps": str(self._counters.step), "questions": str(self._counters.questions)}
        weights = self._out / (DECAYED if self._plan.decay else ADAPTER)
        save_adapter(self._model, weights, notes)
        if not self._plan.decay:
            save_checkpoint(self._out, self._masters, self._counters, self._mixture.state())
        return weights

    def _log(self, **values: object) -> None:
        counted = {**asdict(self._counters), "trained_s": round(self._counters.trained_s, 1)}
        line = json.dumps({**counted, **values})
        with (self._out / LOG).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)


def _confusions(data: Path, out: Path, num_pages: int) -> Confusions:
    """How recognition sees characters: measured on printed pages when the folder's first run begins."""
    known = Confusions.load(out / CONFUSIONS)
    if known is None:
        lines = text_lines(data, "train", seed=0)
        known = Confusions.measured(line for level in LEVELS for line in printed_lines(lines, level, num_pages, seed=1))
        known.save(out / CONFUSIONS)
    return known


def _modality(row: Row) -> torch.Tensor:
    """(1, N): of each token of a row, for counting."""
    modality = torch.full_like(row.ids, TEXT)
    modality[0, [at for at, _ in row.tokens.mixtures]] = PATCH
    return modality


def _counter(prompt: Prompt) -> Callable[[str], int]:
    return lambda text: len(prompt.encode(text))


def row_loss(model: LeafMoEForCausalLM, row: Row) -> torch.Tensor:
    """Mean cross-entropy of the answer tokens of a row. The model must use the packed attention."""
    return F.cross_entropy(_logits(model, row, row.predicting), row.targets)


def row_drift(model: LeafMoEForCausalLM, row: Row) -> torch.Tensor:
    """How far the model has gone from its base on plain text: mean Kullback-Leibler divergence of a row's tokens.

    It keeps the base's language for the price of one more forward pass, and learns from every token what the text
    alone could teach only from many (knowledge distillation, arXiv:1503.02531).
    """
    every = torch.arange(row.ids.numel())
    with torch.no_grad(), model.as_base():
        base = _logits(model, row, every).log_softmax(-1)
    ours = _logits(model, row, every).log_softmax(-1)
    return F.kl_div(ours, base, reduction="batchmean", log_target=True)


def _logits(model: LeafMoEForCausalLM, row: Row, places: torch.Tensor) -> torch.Tensor:
    """(P, V) float32, at those places of a row."""
    states = embedded(row.tokens, model.get_input_embeddings(), row.ids.device)[None]  # (1, N, D)
    hidden = model.model(
        inputs_embeds=states, position_ids=row.position, use_cache=False, packed_tiles=row.tiles
    ).last_hidden_state  # (1, N, D)
    logits: torch.Tensor = model.lm_head(hidden[0, places])
    return logits.float()
