"""The fast decode path against transformers' own attention, element by element."""

import pytest
import torch
import torch.nn.functional as F

from llm.attention import attend_one


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("masked", [False, True])
def test_one_query_token_equals_the_plain_formula(dtype: torch.dtype, tolerance: float, masked: bool) -> None:
    torch.manual_seed(0)
    query = torch.randn(2, 6, 1, 16, dtype=dtype)  # (B, H, S, C)
    key, value = torch.randn(2, 3, 40, 16, dtype=dtype), torch.randn(2, 3, 40, 8, dtype=dtype)  # (B, K, T, C)
    mask = (torch.rand(2, 1, 1, 40) > 0.5) if masked else None
    expected = F.scaled_dot_product_attention(
        query.float(), key.float(), value.float(), attn_mask=mask, scale=0.3, enable_gqa=True
    )
    got = attend_one(query, key, value, mask, scaling=0.3)
    torch.testing.assert_close(got.float(), expected.transpose(1, 2), atol=tolerance, rtol=0)


def test_views_of_a_larger_buffer_give_the_same() -> None:
    torch.manual_seed(0)
    query, buffer = torch.randn(1, 4, 1, 8), torch.randn(2, 1, 2, 64, 8)
    key, value = buffer[0][..., :20, :], buffer[1][..., :20, :]
    torch.testing.assert_close(
        attend_one(query, key, value), attend_one(query, key.contiguous(), value.contiguous()), atol=0, rtol=0
    )
