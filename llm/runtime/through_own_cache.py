"""A runner for models that keep what they read in a form of their own (DeepSeek-V4): through transformers' own cache.

The model computes everything, at the true positions and with its own attention; what its cache holds after a pass is
told to the working set as states of tokens (`llm.runtime.pooled`), so that readings are committed, resumed and opened
as those of any model. The cache goes along in memory (`WorkingKV.own`), and is made from what the working set shows
where there is none yet. Nothing is renumbered or left out: one document at a time, within the trained context.
"""

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel

from llm.errors import ModelNotFound
from llm.kv.layout import LayerLayout
from llm.runtime.devices import layer_devices
from llm.runtime.kinds import layouts_of
from llm.runtime.pooled import pooled_layers, restore, states_of
from llm.runtime.rotation import NoRotation, Rotations
from llm.runtime.working import LayerKV, WorkingKV
from llm.tokens import Tokens

_Raw = dict[str, tuple[torch.Tensor, torch.Tensor]]


class OwnCacheRunner:
    """Implements `Runner` for one model. Making it raises ModelNotFound for one whose layers are spread."""

    is_position_free = False

    def __init__(self, model: PreTrainedModel) -> None:
        if not isinstance(layer_devices(model), torch.device):
            raise ModelNotFound(
                f"a model of type {model.config.model_type!r} keeps what it read in a form of its own, which is not "
                "spread over devices; name one device"
            )
        self.layouts: Sequence[LayerLayout] = layouts_of(model.config)
        self.rotation: Rotations = NoRotation()
        self._model = model
        self._layers = pooled_layers(model.config.get_text_config(decoder=True))
        self._compressors = [_compressors_of(layer.self_attn) for layer in model.get_decoder().layers]
        self._made: dict[tuple[int, str, str], torch.Tensor] = {}  # by layer, pool and projection, of the last pass
        for number, compressors in enumerate(self._compressors):
            for name, module in compressors.items():
                for projection in ("kv_proj", "gate_proj"):
                    place = (number, name, projection)
                    getattr(module, projection).register_forward_hook(partial(_keep, self._made, place))
        model.set_attn_implementation("eager")

    @torch.no_grad()
    def forward(self, token_ids: Sequence[int], kv: WorkingKV) -> torch.Tensor:
        """Carries the tokens through the model in as many passes as `kv.room` asks for; they are appended to `kv`.

        Logits (V,) of the last token, in float32.
        """
        assert token_ids, "a forward pass needs a token"
        is_plain = not isinstance(token_ids, Tokens) or not (token_ids.mixtures or token_ids.runs)
        assert is_plain, "a model that routes by ids is given no patches"
        done = 0
        while done < len(token_ids):
            num_new = kv.room(len(token_ids) - done)
            logits = self._pass(token_ids[done : done + num_new], kv)  # (V,)
            done += num_new
        return logits.float()

    def _pass(self, token_ids: Sequence[int], kv: WorkingKV) -> torch.Tensor:
        device, start = self._model.device, kv.num_tokens
        end = start + len(token_ids)
        kv.begin(len(token_ids))
        cache = _copied(kv.own) if kv.own is not None else self._restored(kv)
        output: Any = self._model(
            input_ids=torch.tensor([list(token_ids)], device=device),
            position_ids=torch.arange(start, end, device=device)[None],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        stored = iter(kv.layers)
        for number, layer in enumerate(self._layers):
            for states in states_of(layer, cache.layers[number], self._raw(number), start, end):
                next(stored).latest = states
        kv.own = cache
        kv.finish()
        logits: torch.Tensor = output.logits[0, -1]
        return logits

    def _restored(self, kv: WorkingKV) -> DynamicCache:
        """The cache as it was after `kv.num_tokens` tokens."""
        cache = DynamicCache(config=self._model.config)
        stored = iter(kv.layers)
        for number, layer in enumerate(self._layers):
            recent = _shown(next(stored))
            shares = _shown(next(stored)) if layer.pools else recent[:, :0]
            if kv.num_tokens:
                restore(cache.layers[number], layer, self._biases(number), recent, shares, kv.num_tokens)
        return cache

    def _raw(self, number: int) -> _Raw:
        """By pool, what the pass's tokens gave to entries (S, N), and the gates."""
        return {
            name: (self._made[number, name, "kv_proj"][0], self._made[number, name, "gate_proj"][0])
            for name in self._compressors[number]
        }

    def _biases(self, number: int) -> dict[str, torch.Tensor]:
        return {name: module.position_bias for name, module in self._compressors[number].items()}


def _compressors_of(attention: Any) -> Mapping[str, Any]:
    """By transformers' names of them; of a layer that pools nothing, none."""
    compressor = attention.compressor
    if compressor is None:
        return {}
    indexer = getattr(compressor, "indexer", None)
    return {"compressor": compressor} | ({} if indexer is None else {"indexer": indexer})


def _copied(cache: DynamicCache) -> DynamicCache:
    """One that a pass may change: transformers puts new tensors in place of old ones and changes none."""
    other = copy.copy(cache)
    other.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in other.layers:
        for name, value in vars(layer).items():
            if isinstance(value, dict):
                setattr(layer, name, dict(value))
    return other


def _shown(layer: LayerKV) -> torch.Tensor:
    """(T, N): what the store's layer shows, its halves side by side."""
    key, value = layer.shown()
    return torch.cat((key[0], value[0]), -1)


def _keep(made: dict[Any, torch.Tensor], place: Any, module: Any, entering: Any, output: torch.Tensor) -> None:
    made[place] = output
