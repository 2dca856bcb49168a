"""The packed attention against transformers' own, and a packed question against the same question asked alone."""

from pathlib import Path

import torch
from transformers import AutoTokenizer

from llm.answer import ModelName
from llm.backbone import Backbone
from llm.leafmoe import LeafMoEForCausalLM, merge_low_rank, upcycle
from llm.prompt import Prompt
from llm.training import attention
from llm.training.decode import read_apart
from llm.training.examples import Asked, Example
from llm.training.packing import join, pack_example
from llm.training.trainer import row_loss

EXAMPLES = [
    Example("A bee sat on a rose. " * 14, (Asked("Who sat?", "A bee", "x"), Asked("On what?", "a rose", "x"))),
    Example("Tea is hot.", (Asked("What is hot?", "Tea", "x"),)),
]


def model_in_float32(base_folder: Path) -> LeafMoEForCausalLM:
    torch.manual_seed(1)
    model = upcycle(base_folder, dtype=torch.float32, attention_rank=2, expert_width=8)
    with torch.no_grad():
        for tensor in model.trained_state().values():
            tensor.copy_(torch.randn(tensor.shape) * 0.2)
    return model


def test_every_packed_question_reads_as_if_asked_alone(base_folder: Path) -> None:
    attention.register()
    model = model_in_float32(base_folder)
    prompt = Prompt(AutoTokenizer.from_pretrained(base_folder))
    sequences = [pack_example(prompt, 2, example, 2_000) for example in EXAMPLES]
    assert len(sequences[0].ids) > attention.TILE_ROWS, "the test must cover more than one tile"
    row = join(sequences)
    assert row.num_questions == 3
    model.set_attn_implementation(attention.NAME)
    with torch.no_grad():
        packed = model.model(input_ids=row.ids, position_ids=row.position, packed_tiles=row.tiles).last_hidden_state[0]
    model.set_attn_implementation("eager")
    parts = []
    for example in EXAMPLES:
        for asked in example.asked:
            context = prompt.prefix + prompt.encode(example.document)
            alone = context + prompt.suffix(asked.question) + [*prompt.encode(asked.answer), 2]
            with torch.no_grad():
                hidden = model.model(input_ids=torch.tensor([alone])).last_hidden_state[0]
            length = len(prompt.encode(asked.answer)) + 1
            parts.append(hidden[-length - 1 : -1])
    torch.testing.assert_close(packed[row.predicting], torch.cat(parts), atol=2e-4, rtol=2e-4)


def test_gradients_equal_those_of_eager_attention(base_folder: Path) -> None:
    attention.register()
    model = model_in_float32(base_folder)
    prompt = Prompt(AutoTokenizer.from_pretrained(base_folder))
    sequence = pack_example(prompt, 2, EXAMPLES[0], 2_000)
    row = join([sequence])
    model.set_attn_implementation(attention.NAME)
    torch.autograd.backward(row_loss(model, row))
    packed = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()

    segment = torch.tensor(sequence.segment)
    visible = ((segment[:, None] == segment[None, :]) | (segment[None, :] == 0)).tril()
    mask = torch.zeros(visible.shape).masked_fill(~visible, float("-inf"))[None, None]
    model.set_attn_implementation("eager")
    hidden = model.model(input_ids=row.ids, position_ids=row.position, attention_mask=mask).last_hidden_state
    loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[0, row.predicting]), row.targets)
    torch.autograd.backward(loss)
    plain = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert packed.keys() == plain.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(packed[name], gradient, atol=1e-5, rtol=1e-3, msg=name)


def test_a_row_never_sees_another_sequence_or_question() -> None:
    made = attention.tiles([torch.tensor([0, 0, 1, 1, 2]), torch.tensor([0, 1])])
    assert [(tile.row, tile.row_end, tile.key) for tile in made] == [(0, 5, 0), (5, 7, 5)]
    assert (~made[0].hidden).int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 1],
    ]


def test_parts_read_apart_see_what_stands_before_them_all_and_themselves() -> None:
    (tile,) = attention.tiles([torch.tensor([0, -1, -1, -2, 1, 2])])
    assert (~tile.hidden).int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 0, 0, 1, 0, 0],
        [1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0, 1],
    ]


def test_parts_read_apart_are_learned_as_a_session_shows_them(base_folder: Path) -> None:
    """The prompt stands before each part, no part sees another, and the question sees them put together."""
    attention.register()
    model = model_in_float32(base_folder)
    tokenizer = AutoTokenizer.from_pretrained(base_folder)
    prompt = Prompt(tokenizer)
    parts, asked = ["[a.txt]\nA bee sat.\n\n", "[b.txt]\nTea is hot.\n\n", "[c.txt]\nIt rains."], EXAMPLES[0].asked
    sequence = pack_example(prompt, 2, Example.of_parts(parts, asked, apart=True), 2_000)
    row = join([sequence])
    model.set_attn_implementation(attention.NAME)
    with torch.no_grad():
        packed = model.model(input_ids=row.ids, position_ids=row.position, packed_tiles=row.tiles).last_hidden_state[0]
        learned = model.lm_head(packed)
    merge_low_rank(model)
    backbone = Backbone.of(model.eval(), tokenizer, ModelName("fresh", ""))
    read = read_apart(backbone, [prompt.encode(part) for part in parts])
    first = sequence.segment.index(1)
    assert read.num_tokens == first
    assert sequence.segment[:first] == sorted(sequence.segment[:first], reverse=True)
    for number, one in enumerate(asked, start=1):
        suffix, kv = prompt.suffix(one.question), read.fork()
        logits = backbone.runner.forward(suffix, kv)
        last = sequence.segment.index(number) + len(suffix) - 1
        torch.testing.assert_close(logits, learned[last].float(), atol=2e-4, rtol=2e-4)
        kv.release()
    as_one = pack_example(prompt, 2, Example.of_parts(parts, asked, apart=False), 2_000)
    assert len(sequence.ids) == len(as_one.ids) + 2 * len(prompt.prefix)
    assert set(as_one.segment) == {0, 1, 2}
