"""The fast paths of attention against plain softmax in float64."""

import pytest
import torch

from llm.runtime.attention import attend, attend_one, visible
from llm.runtime.tiled import attend_tiled


def exact(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scaling: float, window: int | None = None
) -> torch.Tensor:
    """(S, H, C') in float64."""
    group = query.shape[0] // keys.shape[0]
    keys, values = (states.double().repeat_interleave(group, 0) for states in (keys, values))
    scores = query.double() @ keys.transpose(1, 2) * scaling
    seen = visible(query.shape[1], keys.shape[1], window, query.device)
    return (scores.masked_fill(~seen, -torch.inf).softmax(-1) @ values).transpose(0, 1)


def states(num_new: int, num_shown: int, width: int = 16, dtype: torch.dtype = torch.bfloat16) -> list[torch.Tensor]:
    """Queries of 6 heads, keys and values of 2; scores of a trained model's spread, the first key looked at most."""
    torch.manual_seed(num_new + num_shown)
    query = torch.randn(6, num_new, width) * 2
    keys = torch.randn(2, num_shown, width)
    keys[:, 0] += 2
    return [tensor.to(dtype) for tensor in (query, keys, torch.randn(2, num_shown, width))]


def rms(difference: torch.Tensor) -> float:
    return float(difference.double().square().mean().sqrt())


@pytest.mark.parametrize(("num_new", "num_shown"), [(5, 300), (64, 64), (130, 700), (1100, 1400)])
@pytest.mark.parametrize("scaling", [0.25, 0.3])
def test_tiles_are_about_as_close_as_torchs_own_kernel(num_new: int, num_shown: int, scaling: float) -> None:
    query, keys, values = states(num_new, num_shown)
    wanted = exact(query, keys, values, scaling)
    own = torch.nn.functional.scaled_dot_product_attention(
        query[None],
        keys[None],
        values[None],
        attn_mask=visible(num_new, num_shown, None, query.device),
        scale=scaling,
        enable_gqa=True,
    )[0].transpose(0, 1)
    tiled = attend_tiled(query, keys, values, scaling=scaling)
    assert tiled is not None
    assert tiled.shape == wanted.shape
    assert rms(tiled - wanted) < 2.5 * rms(own - wanted)


def test_several_blocks_of_queries_equal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    query, keys, values = states(50, 90)
    together = attend_tiled(query, keys, values, scaling=0.25)
    monkeypatch.setattr("llm.runtime.tiled._SCORES", 3 * 90 * 7)
    apart = attend_tiled(query, keys, values, scaling=0.25)
    assert together is not None
    assert apart is not None
    torch.testing.assert_close(apart, together, atol=0.02, rtol=0.02)


def test_an_overflow_is_seen_and_answered_by_the_exact_path() -> None:
    query, keys, values = states(4, 400)
    keys[:, 201] = query.view(2, 3, 4, 16)[:, 0, 0] * 40  # far above every score of the sample
    assert attend_tiled(query, keys, values, scaling=0.25) is None
    output = attend(query, keys, values, scaling=0.25)
    torch.testing.assert_close(output.double(), exact(query, keys, values, 0.25), atol=0.05, rtol=0.05)


@pytest.mark.parametrize("num_shown", [1, 2, 300])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
def test_one_query_attends_as_many_do(num_shown: int, dtype: torch.dtype, tolerance: float) -> None:
    query, keys, values = states(1, num_shown, dtype=dtype)
    wanted = exact(query, keys, values, 0.25)
    output = attend_one(query, keys, values, scaling=0.25)
    torch.testing.assert_close(output.double(), wanted, atol=tolerance, rtol=tolerance)
    beyond = torch.full_like(keys[:, :1], 50.0).expand(-1, 64, -1)  # room that is not seen, whatever stands there
    roomy = torch.cat((keys, beyond), 1), torch.cat((values, beyond), 1)
    output = attend_one(query, *roomy, scaling=0.25, num_seen=num_shown)
    torch.testing.assert_close(output.double(), wanted, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("num_new", [1, 5])
@pytest.mark.parametrize("window", [3, 39, 40, 400])
def test_a_window_is_kept_in_every_path(num_new: int, window: int) -> None:
    query, keys, values = states(num_new, 40, dtype=torch.float32)
    output = attend(query, keys, values, scaling=0.25, window=window)
    torch.testing.assert_close(output.double(), exact(query, keys, values, 0.25, window), atol=1e-5, rtol=1e-5)
