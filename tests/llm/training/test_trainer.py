"""Short runs of the real trainer on a tiny model: it learns, continues exactly, and decays without harm."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from llm.answer import ModelName
from llm.backbone import Backbone
from llm.leafmoe import load_leafmoe, merge_low_rank, upcycle
from llm.prompt import Prompt
from llm.training import attention
from llm.training.__main__ import main
from llm.training.decode import answer_all, read_apart, trained
from llm.training.evaluate import evaluate, evaluation_examples
from llm.training.examples import Asked, Example, load_passages
from llm.training.packing import join, pack_example
from llm.training.scores import Said
from llm.training.state import CHECKPOINT, Masters
from llm.training.trainer import ADAPTER, DECAYED, LOG, Plan, Trainer, row_drift, row_loss


class StopAfter(threading.Event):
    """Set once it has been asked a number of times, which is once a step."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


def plan(**changes: Any) -> Plan:
    return Plan(
        printed_pages=0,
        **{"minutes": 5, "expert_width": 8, "attention_rank": 2, "tokens_per_step": 600, "dev_examples": 1} | changes,
    )


def log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / LOG).read_text().splitlines()]


def test_a_few_questions_can_be_learned_by_heart(base_folder: Path) -> None:
    attention.register()
    tokenizer = AutoTokenizer.from_pretrained(base_folder)
    torch.manual_seed(0)
    model = upcycle(base_folder, dtype=torch.float32, expert_width=32, attention_rank=8)
    masters = Masters(model)
    example = Example("Rose is red.", (Asked("Colour?", "red", "x"), Asked("Who?", "Rose", "x")))
    row = join([pack_example(Prompt(tokenizer), 2, example, 500)])
    model.set_attn_implementation(attention.NAME)
    base = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    for _ in range(160):
        loss = row_loss(model, row)
        torch.autograd.backward(loss)
        masters.step(1e-2)
    assert loss.item() < 0.2
    assert all(torch.equal(p, base[name]) for name, p in model.named_parameters() if name in base)
    merge_low_rank(model)
    backbone = Backbone.of(model.eval(), tokenizer, ModelName("learned", ""))
    assert answer_all(backbone, example.document, ["Colour?", "Who?"]) == ["red", "Rose"]


def test_plain_text_pulls_the_model_back_to_its_base(base_folder: Path) -> None:
    attention.register()
    torch.manual_seed(0)
    model = upcycle(base_folder, dtype=torch.float32, expert_width=32, attention_rank=8)
    model.set_attn_implementation(attention.NAME)
    prompt = Prompt(AutoTokenizer.from_pretrained(base_folder))
    row = join([pack_example(prompt, 2, Example("Rose is red. " * 9, ()), 500)])
    assert row_drift(model, row).item() == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("low_rank_out", "experts.down_proj.weight")):
                parameter.normal_(std=0.3)
    masters = Masters(model)
    gone = row_drift(model, row).item()
    assert gone > 0.01
    for _ in range(60):
        loss = row_drift(model, row)
        torch.autograd.backward(loss)
        masters.step(3e-3)
    assert loss.item() < 0.2 * gone


def test_a_continued_run_equals_one_that_was_never_stopped(
    base_folder: Path, data_folder: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    Trainer(data_folder, base_folder, whole, plan()).run(StopAfter(4))
    Trainer(data_folder, base_folder, parts, plan()).run(StopAfter(2))
    Trainer(data_folder, base_folder, parts, plan(resume=True, seed=5)).run(StopAfter(2))
    timed = ("trained_s", "tokens_per_s")
    first, second = ([{k: v for k, v in line.items() if k not in timed} for line in log(out)] for out in (whole, parts))
    assert len(first) == 4
    assert first == second
    weights = load_file(parts / ADAPTER)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in load_file(whole / ADAPTER).items())


def test_decaying_keeps_the_checkpoint_and_writes_its_own_weights(
    base_folder: Path, data_folder: Path, tmp_path: Path
) -> None:
    Trainer(data_folder, base_folder, tmp_path, plan()).run(StopAfter(2))
    checkpoint, adapter = (tmp_path / CHECKPOINT).read_bytes(), (tmp_path / ADAPTER).read_bytes()
    Trainer(data_folder, base_folder, tmp_path, plan(decay=True)).run(StopAfter(2))
    assert (tmp_path / CHECKPOINT).read_bytes() == checkpoint
    assert (tmp_path / ADAPTER).read_bytes() == adapter
    assert (tmp_path / DECAYED).read_bytes() != adapter
    load_leafmoe(base_folder, tmp_path / DECAYED)


def test_a_new_run_begins_with_the_weights_of_an_adapter(base_folder: Path, data_folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    Trainer(data_folder, base_folder, first, plan()).run(StopAfter(3))
    Trainer(data_folder, base_folder, second, plan(adapter=first / ADAPTER, seed=5)).run(StopAfter(0))
    begun = load_file(second / ADAPTER)
    assert all(torch.equal(tensor, begun[name]) for name, tensor in load_file(first / ADAPTER).items())
    assert not (second / LOG).exists()
    Trainer(data_folder, base_folder, second, plan(resume=True)).run(StopAfter(1))
    assert [line["step"] for line in log(second)] == [1]


def test_nothing_to_continue_is_said_plainly(base_folder: Path, data_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"checkpoint\.pt is missing: there is nothing to continue"):
        Trainer(data_folder, base_folder, tmp_path, plan(resume=True))


def test_the_command_says_what_is_missing(
    base_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(tmp_path), "--base", str(base_folder)]
    arguments += ["--minutes", "1", "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "is missing: --data must name the folder that holds the question sets" in capsys.readouterr().err


def test_answers_are_those_of_transformers_unless_they_are_weighed(base_folder: Path) -> None:
    torch.manual_seed(3)
    model = upcycle(base_folder, dtype=torch.float32).eval()
    merge_low_rank(model)
    tokenizer = AutoTokenizer.from_pretrained(base_folder)
    backbone = Backbone.of(model, tokenizer, ModelName("fresh", ""))
    questions = ["Who?", "What is the weight of the third box?", "When was it?"]
    said = answer_all(backbone, "A short document.", questions, max_new_tokens=12, weigh=False)
    for question, answer in zip(questions, said, strict=True):
        prompt = backbone.prompt
        ids = torch.tensor([prompt.prefix + prompt.encode("A short document.") + prompt.suffix(question)])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
        assert tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip() == answer
    for answer in answer_all(backbone, "A short document.", questions, max_new_tokens=12):
        assert answer.rstrip(".").casefold() in "a short document."  # what a random model writes is in doubt


def test_evaluation_scores_every_kind(base_folder: Path, data_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base_folder)
    held_out = {k: v for k, v in load_passages(data_folder, "test").items() if k in ("squadshifts-reddit", "wtq")}
    examples, too_long = evaluation_examples(held_out, Prompt(tokenizer), 2)
    assert set(examples) == {"squadshifts-reddit", "wtq", "form"}
    assert not too_long
    table = evaluate({"base": trained(base_folder, None, tokenizer)}, examples)
    assert set(table) == {*examples, "all"}
    assert table["all"]["base"]["answered"] == sum(table[kind]["base"]["answered"] for kind in examples)


def test_a_model_may_be_asked_in_other_words(base_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained(base_folder, None, AutoTokenizer.from_pretrained(base_folder))
    heard: list[str] = []

    def ask(_: Backbone, examples: Sequence[Example], *, weigh: bool) -> list[Said]:
        heard.extend(asked.question for example in examples for asked in example.asked)
        return [("red", (asked.answer,)) for example in examples for asked in example.asked]

    monkeypatch.setattr("llm.training.evaluate.ask_examples", ask)
    examples = {"one": [Example("It is red.", (Asked("Colour?", "red", "one"),))]}
    evaluate({"own": model, "base": model}, examples, wordings={"base": "{question} In a word."})
    assert heard == ["Colour?", "Colour? In a word."]


def test_evaluation_among_other_passages_asks_the_same_sets(base_folder: Path, data_folder: Path) -> None:
    prompt = Prompt(AutoTokenizer.from_pretrained(base_folder))
    held_out = {k: v for k, v in load_passages(data_folder, "test").items() if k in ("squadshifts-reddit", "wtq")}
    examples, _ = evaluation_examples(held_out, prompt, 2, given="close")
    assert set(examples) == set(held_out)
    for kind, found in examples.items():
        for example in found:
            assert example.document.startswith("[")
            assert any(passage.context in example.document for passage in held_out[kind])


def test_evaluation_between_contexts_read_apart(base_folder: Path, data_folder: Path) -> None:
    prompt = Prompt(AutoTokenizer.from_pretrained(base_folder))
    held_out = {k: v for k, v in load_passages(data_folder, "test").items() if k in ("squadshifts-reddit", "wtq")}
    more = {kind: found * 2 + load_passages(data_folder, "train")[kind] for kind, found in held_out.items()}
    examples, _ = evaluation_examples(more, prompt, 2, given="apart")
    assert set(examples) == set(held_out)
    contexts = {passage.context for found in more.values() for passage in found}
    for example in (example for found in examples.values() for example in found):
        assert "".join(example.parts) == example.document
        assert len({part.partition("\n")[2].strip() for part in example.parts} & contexts) == 3
        assert example.asked


def test_parts_read_apart_do_not_see_each_other(base_folder: Path) -> None:
    backbone = trained(base_folder, None, AutoTokenizer.from_pretrained(base_folder))
    first, second = (backbone.prompt.encode(text) for text in ("Rose is red.", "Lime is green."))
    together, alone = read_apart(backbone, [first, second]), read_apart(backbone, [second])
    assert together.num_tokens == read_apart(backbone, [first]).num_tokens + alone.num_tokens
    for shown, own in zip(together.layers, alone.layers, strict=True):
        (keys, values), (own_keys, own_values) = shown.shown(), own.shown()
        assert torch.equal(values[:, -alone.num_tokens :], own_values)
        assert not torch.equal(keys[:, -alone.num_tokens :], own_keys)  # they stand further behind
