import torch

from llm.leafmoe import IGNORED, PATCH, TEXT, ExpertLoad, LeafMoEForCausalLM, balance

TOKENS = torch.arange(1, 13).view(1, 12)
MODALITY = torch.tensor([[TEXT] * 7 + [PATCH] * 3 + [IGNORED] * 2])


def run(model: LeafMoEForCausalLM, load: ExpertLoad) -> None:
    with torch.no_grad(), load.counting(MODALITY):
        model(TOKENS)


def test_load_counts_tokens_by_layer_and_modality(trained: LeafMoEForCausalLM) -> None:
    load = ExpertLoad(trained)
    run(trained, load)
    run(trained, load)
    assert load.tokens.shape == (3, 2, 4)
    assert load.tokens.sum(-1).tolist() == [[14, 6]] * 3
    torch.testing.assert_close(load.share().sum(-1), torch.ones(3, 2))


def test_nothing_is_counted_outside(trained: LeafMoEForCausalLM) -> None:
    load = ExpertLoad(trained)
    run(trained, load)
    before = load.tokens.clone()
    with torch.no_grad():
        trained(TOKENS)
    assert torch.equal(load.tokens, before)


def test_balancing_moves_the_bias_against_the_load(trained: LeafMoEForCausalLM) -> None:
    load = ExpertLoad(trained)
    with torch.no_grad():
        for part in trained.experts():
            part.router.selection_bias.copy_(torch.tensor([9.0, 0.0, 0.0, 0.0]))
    run(trained, load)
    balance(trained, load, rate=0.5)
    assert load.tokens.sum() == 0
    for part in trained.experts():
        assert part.router.selection_bias.tolist() == [8.5, 0.5, 0.5, 0.5]


def test_balancing_evens_out_a_router(trained: LeafMoEForCausalLM) -> None:
    load = ExpertLoad(trained)
    with torch.no_grad():
        for part in trained.experts():
            part.router.selection_bias.copy_(torch.tensor([0.6, 0.0, 0.0, 0.0]))
    tokens = torch.randint(1, 97, (4, 24), generator=torch.Generator().manual_seed(0))
    busiest = []
    for _ in range(60):
        with torch.no_grad(), load.counting(torch.full_like(tokens, TEXT)):
            trained(tokens)
        busiest.append(float(load.share()[:, TEXT].max()))
        balance(trained, load, rate=0.02)
    assert busiest[0] > 0.6
    assert min(busiest[-5:]) < 0.45
