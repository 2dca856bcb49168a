"""A model's rotary positions, applied by the runtime at positions of its own choice.

The model is fed position 0 and so hands over un-rotated queries and keys. A rotation of attention by a constant
changes nothing, so only differences of positions matter: the runtime numbers what it shows compactly.
Frequencies, scaled ones included (llama3, YaRN), are those of the model's own rotary module. Its gain on cosine and
sine (`attention_scaling`) has been applied by the model at position 0 already and is not applied here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers import PreTrainedModel

from llm.kv.layout import LayerKind, LayerLayout


class Rotation(Protocol):
    """Rotates heads by their positions."""

    def rotate(self, states: torch.Tensor, start: int) -> torch.Tensor:
        """states (H, S, C) un-rotated, of positions start, start + 1, … -> (H, S, C) rotated."""
        ...

    @property
    def leading(self) -> "Rotation":
        """The same turns, by halves and of a head's first channels: how keys of an indexer turn."""
        ...


class HalfRotation:
    """Channel c turns with channel c + R/2, as in Llama and Qwen; R of C channels turn, the others pass."""

    def __init__(self, inverse_frequencies: torch.Tensor, *, leads: bool = False) -> None:
        """inverse_frequencies (R/2,) float32, in radians a position. `leads`: the first R turn, else the last."""
        self._inverse_frequencies, self._leads = inverse_frequencies, leads
        self._leading: HalfRotation | None = None
        # cos, sin (T, R), grown on demand
        self._tables: dict[tuple[torch.device, torch.dtype], tuple[torch.Tensor, torch.Tensor]] = {}

    def rotate(self, states: torch.Tensor, start: int) -> torch.Tensor:
        end = start + states.shape[-2]
        cos, sin = self._table(end, states)
        cos, sin = cos[start:end], sin[start:end]
        width = cos.shape[-1]
        if width == states.shape[-1]:
            return _turn(states, cos, sin)
        if self._leads:
            return torch.cat((_turn(states[..., :width], cos, sin), states[..., width:]), -1)
        return torch.cat((states[..., :-width], _turn(states[..., -width:], cos, sin)), -1)

    @property
    def leading(self) -> "HalfRotation":
        if self._leading is None:  # one for all layers, for its tables are large
            self._leading = HalfRotation(self._inverse_frequencies, leads=True)
        return self._leading

    def _table(self, end: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        known = self._tables.get((like.device, like.dtype))
        if known is None or len(known[0]) < end:
            angles = _angles(self._inverse_frequencies, end, like.device)  # (T, R/2)
            cos, sin = angles.cos(), angles.sin()
            # the sine of the first half carries the minus of rotate-half
            known = torch.cat((cos, cos), -1).to(like.dtype), torch.cat((-sin, sin), -1).to(like.dtype)
            self._tables[like.device, like.dtype] = known
        return known


class PairRotation:
    """Channel 2c turns with channel 2c + 1, in float32, as in Llama 4; R of C channels turn, the others pass."""

    def __init__(self, inverse_frequencies: torch.Tensor, *, leads: bool = False) -> None:
        """As of `HalfRotation`."""
        self._inverse_frequencies, self._leads = inverse_frequencies, leads
        self._tables: dict[torch.device, torch.Tensor] = {}  # cos + i sin (T, R/2), grown on demand

    def rotate(self, states: torch.Tensor, start: int) -> torch.Tensor:
        end = start + states.shape[-2]
        turns = self._table(end, states.device)[start:end]
        width = 2 * turns.shape[-1]
        turning = states[..., :width] if self._leads else states[..., -width:]
        pairs = torch.view_as_complex(turning.float().reshape(*states.shape[:-1], -1, 2))  # (H, S, R/2)
        turned = torch.view_as_real(pairs * turns).flatten(-2).to(states.dtype)  # (H, S, R)
        if width == states.shape[-1]:
            return turned
        return torch.cat((turned, states[..., width:]) if self._leads else (states[..., :-width], turned), -1)

    @property
    def leading(self) -> HalfRotation:
        return HalfRotation(self._inverse_frequencies, leads=True)

    def _table(self, end: int, device: torch.device) -> torch.Tensor:
        known = self._tables.get(device)
        if known is None or len(known) < end:
            angles = _angles(self._inverse_frequencies, end, device)
            known = self._tables[device] = torch.polar(torch.ones_like(angles), angles)
        return known


@dataclass(frozen=True, slots=True)
class RotationByKind:
    """For models whose kinds of layers turn differently (Gemma 4)."""

    kinds: Mapping[LayerKind, HalfRotation]


class NoRotation:
    """For layers without positions."""

    def rotate(self, states: torch.Tensor, start: int) -> torch.Tensor:
        return states

    @property
    def leading(self) -> "NoRotation":
        return self


Rotations = Rotation | RotationByKind


def rotation_in(rotations: Rotations, kind: LayerKind) -> Rotation:
    """How a layer of that kind turns."""
    if kind is LayerKind.UNROTATED:
        return NoRotation()
    return rotations.kinds[kind] if isinstance(rotations, RotationByKind) else rotations


# The families that tests compare with transformers' own attention. DeepSeek-V3 and V3.2 pair neighbouring channels, but
# hand them over sorted into halves. Of text, Qwen3-VL and GLM-4.5V number all three of their axes alike.
_HALVES = frozenset((
    "deepseek_v3", "deepseek_v32", "glm4_moe", "glm4v_moe_text", "leafmoe", "llama", "mistral", "mixtral", "qwen2",
    "qwen3", "qwen3_moe", "qwen3_vl_moe_text", "qwen3_vl_text", "smollm3",
))  # fmt: skip
_PAIRS = frozenset(("deepseek_v2", "glm4v_text", "llama4_text"))
_LEADING = frozenset(("glm4_moe", "glm4v_moe_text", "glm4v_text"))  # turn only the first half of a head's channels
_BY_KIND = frozenset(("gemma4_text",))
_NAMED = {LayerKind.FULL: "full_attention", LayerKind.SLIDING: "sliding_attention"}
_FIXED_ROPE_TYPES = frozenset(("default", "linear", "llama3", "yarn"))  # others change with the length


def rotation_of(model: PreTrainedModel) -> Rotations | None:
    """The model's rotation; None for a family that is not known to be fed position 0 rightly."""
    text = model.config.get_text_config(decoder=True)
    if text.model_type in _BY_KIND:
        return _rotation_by_kind(model)
    kind = HalfRotation if text.model_type in _HALVES else PairRotation if text.model_type in _PAIRS else None
    modules = [module for module in model.get_decoder().modules() if hasattr(module, "inv_freq")]
    if kind is None or len(modules) != 1 or getattr(modules[0], "rope_type", None) not in _FIXED_ROPE_TYPES:
        return None
    inverse_frequencies = modules[0].inv_freq
    assert isinstance(inverse_frequencies, torch.Tensor), "a rotary module keeps its frequencies in a tensor"
    turning = 2 * len(inverse_frequencies)
    width = getattr(text, "qk_rope_head_dim" if getattr(text, "kv_lora_rank", None) else "head_dim", None)
    width = width or text.hidden_size // text.num_attention_heads
    if text.model_type in _LEADING:
        return kind(inverse_frequencies.float(), leads=True) if turning <= width else None
    return kind(inverse_frequencies.float()) if turning == width else None


def _rotation_by_kind(model: PreTrainedModel) -> RotationByKind | None:
    """Frequencies are named by kinds of layers. Those that are 0 turn nothing."""
    module: Any = model.get_decoder().rotary_emb
    known = (*_FIXED_ROPE_TYPES, "proportional")
    if any(rope_type not in known for rope_type in module.rope_type.values()):
        return None
    frequencies = {kind: getattr(module, f"{name}_inv_freq") for kind, name in _NAMED.items()}
    return RotationByKind({kind: HalfRotation(own.float()) for kind, own in frequencies.items()})


def sees_pictures_both_ways(model: PreTrainedModel) -> bool:
    """Whether, in layers with a window, the patches of a picture see those behind them, too (Gemma 4)."""
    return getattr(model.config.get_text_config(decoder=True), "use_bidirectional_attention", None) == "vision"


def counts_on_axes(model: PreTrainedModel) -> bool:
    """Whether the patches of a picture have positions by row and column (M-RoPE, arXiv:2409.12191, section 2.1)."""
    text = model.config.get_text_config(decoder=True)
    return "mrope_section" in (getattr(text, "rope_parameters", None) or {})


def rotated(
    layout: LayerLayout, rotation: Rotation, key: torch.Tensor, value: torch.Tensor, start: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """key (K, S, C) and value (K, S, C') of one layer as they are kept -> at positions start, start + 1, …"""
    if layout.kind is LayerKind.INDEXED:
        return rotation.leading.rotate(key, start), rotation.rotate(value, start)
    if layout.kind is LayerKind.LATENT:
        return key, rotation.rotate(value, start)
    return rotation.rotate(key, start), value


def _turn(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    half = states.shape[-1] // 2
    swapped = torch.roll(states, half, -1)
    return torch.addcmul(states * cos, swapped, sin)


def _angles(inverse_frequencies: torch.Tensor, end: int, device: torch.device) -> torch.Tensor:
    """(T, R/2) of positions 0, 1, … up to at least `end`, with room to grow."""
    size = max(1024, 1 << (end - 1).bit_length())
    positions = torch.arange(size, device=device, dtype=torch.float32)
    return positions[:, None] * inverse_frequencies.to(device)
