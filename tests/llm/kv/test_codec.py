"""Records: exact where they say so, bounded error where not, the same bytes every time, sizes as the arithmetic has."""

import pytest
import torch

from llm.kv.codec import Codec, KVDtype
from llm.kv.layout import LayerKind, LayerLayout
from tests.llm.kv.made import FULL, LATENT, SMOLLM2, realistic

LAYOUTS = [FULL, LATENT, LayerLayout(LayerKind.FULL, 3, 12, 3, 20)]
QUANTISED = [(KVDtype.INT8, 255, 127), (KVDtype.INT4, 15, 7)]


def made(layout: LayerLayout, *, num_blocks: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    return realistic(layout, num_blocks * 64, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kv_dtype", [KVDtype.FLOAT32, KVDtype.BFLOAT16])
def test_exact_dtypes_give_back_every_bit(layout: LayerLayout, kv_dtype: KVDtype) -> None:
    dtype = getattr(torch, kv_dtype)
    key, value = (states.to(dtype) for states in made(layout))
    codec = Codec(layout, kv_dtype)
    assert not codec.rounds(dtype)
    decoded_key, decoded_value = codec.decode(*codec.encode(key, value), dtype)
    assert torch.equal(decoded_key, key)
    assert torch.equal(decoded_value, value)


def test_rounding_is_told() -> None:
    assert Codec(FULL, KVDtype.BFLOAT16).rounds(torch.float32)
    assert Codec(FULL, KVDtype.INT8).rounds(torch.bfloat16)
    assert not Codec(FULL, KVDtype.FLOAT32).rounds(torch.bfloat16)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kv_dtype", "key_levels", "value_levels"), QUANTISED)
def test_each_number_is_within_half_a_step(
    layout: LayerLayout, kv_dtype: KVDtype, key_levels: int, value_levels: int
) -> None:
    key, value = made(layout)
    codec = Codec(layout, kv_dtype)
    records, bounds = codec.encode(key, value)
    decoded_key, decoded_value = codec.decode(records, bounds, torch.float32)
    low, high = bounds.float().unbind(1)  # (n, K, C)
    half_step = ((high - low) / key_levels / 2).transpose(0, 1).repeat_interleave(64, 1)  # (K, n*64, C)
    assert ((decoded_key - key).abs() <= half_step * 1.001).all()
    if kv_dtype is KVDtype.INT8:
        half_step = value.abs().amax(-1, keepdim=True) / value_levels / 2
        assert ((decoded_value - value).abs() <= half_step * 1.01).all()
    else:  # rotated, so a token's whole error is bounded: its energy over the levels
        error = (decoded_value - value).norm(dim=-1) / value.norm(dim=-1)
        assert error.max() < 0.25
        assert error.mean() < 0.15


def test_an_outlier_channel_costs_the_others_nothing() -> None:
    """One channel a thousand times larger: the other channels of the key keep their own steps."""
    key, value = made(FULL)
    outlier = key.clone()
    outlier[..., 5] = 1000 + key[..., 5]
    codec = Codec(FULL, KVDtype.INT8)
    others = torch.arange(16) != 5
    plain = codec.decode(*codec.encode(key, value), torch.float32)[0][..., others]
    beside = codec.decode(*codec.encode(outlier, value), torch.float32)[0][..., others]
    assert torch.equal(plain, beside)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kv_dtype", list(KVDtype))
def test_bounds_bound_the_keys_and_the_decoded_keys(layout: LayerLayout, kv_dtype: KVDtype) -> None:
    key, value = made(layout)
    codec = Codec(layout, kv_dtype)
    records, bounds = codec.encode(key, value)
    low, high = (side.transpose(0, 1).repeat_interleave(64, 1) for side in bounds.float().unbind(1))
    for dtype in (torch.float32, torch.bfloat16):
        decoded = codec.decode(records, bounds, dtype)[0].float()
        assert ((low <= decoded) & (decoded <= high)).all()
    assert ((low <= key) & (key <= high)).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_encoding_what_was_decoded_gives_the_same_bytes(layout: LayerLayout) -> None:
    key, value = made(layout)
    codec = Codec(layout, KVDtype.INT8)
    records, bounds = codec.encode(key.bfloat16(), value.bfloat16())
    again, bounds_again = codec.encode(*codec.decode(records, bounds, torch.float32))
    assert torch.equal(bounds, bounds_again)
    assert torch.equal(records, again)


@pytest.mark.parametrize("kv_dtype", list(KVDtype))
def test_a_block_does_not_depend_on_its_neighbours(kv_dtype: KVDtype) -> None:
    """Encoded alone, or with others: the same bytes. Decoded alone, or with others: the same numbers."""
    key, value = made(FULL, num_blocks=20)
    codec = Codec(FULL, kv_dtype)
    records, bounds = codec.encode(key, value)
    alone, bounds_alone = codec.encode(key[:, 19 * 64 :], value[:, 19 * 64 :])
    assert torch.equal(records[19:], alone)
    assert torch.equal(bounds[19:], bounds_alone)
    wanted = torch.tensor([19, 3, 11])
    some_key, some_value = codec.decode(records[wanted], bounds[wanted], torch.bfloat16)
    all_key, all_value = codec.decode(records, bounds, torch.bfloat16)
    at = (wanted[:, None] * 64 + torch.arange(64)).flatten()
    assert torch.equal(some_key, all_key[:, at])
    assert torch.equal(some_value, all_value[:, at])


@pytest.mark.parametrize("kv_dtype", list(KVDtype))
def test_constant_and_zero_channels_are_exact(kv_dtype: KVDtype) -> None:
    key, value = torch.full((2, 64, 16), -1.5), torch.zeros(2, 64, 16)
    codec = Codec(FULL, kv_dtype)
    decoded_key, decoded_value = codec.decode(*codec.encode(key, value), torch.float32)
    assert torch.equal(decoded_key, key)
    assert torch.equal(decoded_value, value)


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_numbers_that_are_not_finite_are_never_written(broken: float) -> None:
    key, value = made(FULL)
    codec = Codec(FULL, KVDtype.INT8)
    for states in (key, value):
        kept, states[0, 70, 3] = states[0, 70, 3].item(), broken
        with pytest.raises(AssertionError, match="are finite"):
            codec.encode(key, value)
        states[0, 70, 3] = kept


def test_record_sizes_are_what_the_arithmetic_says() -> None:
    """64 tokens of 2 x 3 heads x 64 numbers; in 8 and 4 bits a bfloat16 scale a token and value head beside them."""
    numbers = 64 * 2 * 3 * 64
    sizes = {kv_dtype: Codec(SMOLLM2[0], kv_dtype).record_bytes for kv_dtype in KVDtype}
    assert sizes == {
        KVDtype.FLOAT32: numbers * 4,
        KVDtype.BFLOAT16: numbers * 2,
        KVDtype.INT8: numbers + 64 * 3 * 2,
        KVDtype.INT4: numbers // 2 + 64 * 3 * 2,
    }
    latent = LayerLayout(LayerKind.LATENT, 1, 512, 1, 64)
    assert Codec(latent, KVDtype.BFLOAT16).record_bytes == 64 * 576 * 2


def test_four_bits_refuse_an_odd_width() -> None:
    with pytest.raises(ValueError, match="a head is 15 wide; choose int8"):
        Codec(LayerLayout(LayerKind.FULL, 1, 15, 1, 16), KVDtype.INT4)
