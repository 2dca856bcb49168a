"""Any transformers model as a runner, through transformers' public doors only: an attention function and a cache.

The model is fed position 0 for every token, so that it hands over un-rotated queries and keys; the working set rotates
them. Of a family whose rotation is not known it is fed the true positions, and its keys are kept rotated: exact within
the trained context, but such keys cannot be renumbered (`is_position_free` is False). So it is with a model that is
shown pictures and counts positions on three axes (Qwen-VL, GLM-V): each patch stands in its row and column; and with
one whose patches see one another both ways (Gemma 4), of which a picture goes through in one pass.

The working set reaches the attention function as a keyword argument of the model's forward. A call without it, such as
`generate`, is answered by plain attention. Traps: Llama 4 asks the cache how many tokens it has seen, for its
temperature, and is told the true number; DeepSeek gives the cache latents and the attention function expanded keys.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from transformers import AttentionInterface, PreTrainedModel
from transformers.cache_utils import Cache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from llm.errors import ModelNotFound
from llm.kv.layout import LayerLayout
from llm.pictures import axes_of, encoder_output, end_of_pictures, seen_together
from llm.runtime.devices import main_device, weight_of
from llm.runtime.indexers import Indexer, indexers_of
from llm.runtime.kinds import layouts_of, sharing_layers
from llm.runtime.latent import LatentExpansion
from llm.runtime.rotation import NoRotation, Rotations, counts_on_axes, rotation_of, sees_pictures_both_ways
from llm.runtime.working import WorkingKV
from llm.tokens import Tokens, embedded

_ATTENTION = "longleaf_working_set"
_NOT_COMPUTED = ("softcap", "s_aux", "position_bias")  # what some models ask of an attention function besides


class TransformersRunner:
    """One model. Making it sets the model's attention function; raises ModelNotFound for one that has no such door."""

    def __init__(self, model: PreTrainedModel, *, with_pictures: bool = False) -> None:
        if not model._supports_attention_backend:
            raise _refusal(model, "it does not attend through transformers' attention interface")
        self.layouts: Sequence[LayerLayout] = layouts_of(model.config)
        self._has_axes = with_pictures and counts_on_axes(model)
        self._both_ways = with_pictures and sees_pictures_both_ways(model)
        rotation = None if self._has_axes or self._both_ways else rotation_of(model)
        self.rotation: Rotations = rotation or NoRotation()
        self.is_position_free = rotation is not None
        self._model, self._device = model, main_device(model)
        self._expansions = _expansions(model, self.layouts)
        self._indexers = indexers_of(model, self.layouts)
        if self._indexers and rotation is None:
            raise _refusal(model, "its indexers choose tokens by positions of a kind that is not known")
        self._sharing = sharing_layers(model.config)
        # a mask of four dimensions is handed through as it is, so that none is built for each pass
        self._no_mask = torch.ones((1, 1, 1, 1), dtype=torch.bool)
        AttentionInterface.register(_ATTENTION, _attention)
        AttentionMaskInterface.register(_ATTENTION, sdpa_mask)
        model.set_attn_implementation(_ATTENTION)

    @torch.no_grad()
    def forward(self, token_ids: Sequence[int], kv: WorkingKV) -> torch.Tensor:
        """Carries the tokens through the model in as many passes as `kv.room` asks for; they are appended to `kv`.

        Logits (V,) of the last token, in float32. Raises ModelNotFound if the model does not use both doors.
        """
        for output in self._passes(token_ids, kv):
            logits: torch.Tensor = output.logits[0, -1]  # (V,)
        return logits.float()

    @torch.no_grad()
    def carry(self, token_ids: Sequence[int], kv: WorkingKV, num_logits: int) -> tuple[torch.Tensor, torch.Tensor]:
        """As `forward`: logits (num_logits, V) of the last tokens, which are of one pass; last states (S, D) of all."""
        states = []
        for output in self._passes(token_ids, kv, logits_to_keep=num_logits, output_hidden_states=True):
            states.append(output.hidden_states[-1][0])
            logits: torch.Tensor = output.logits[0]
        assert len(logits) >= num_logits, "the tokens whose logits are wanted are of one pass"
        return logits[-num_logits:].float(), torch.cat(states)

    def carry_apart(self, sequences: Sequence[Sequence[int]], kv: WorkingKV) -> list[torch.Tensor]:
        """See `Carrier`. One goes after another."""
        carried = []
        for sequence in sequences:
            fork = kv.fork()
            carried.append(self.carry(sequence, fork, len(sequence))[0])
            fork.release()
        return carried

    def _passes(self, token_ids: Sequence[int], kv: WorkingKV, **wanted: Any) -> Iterator[Any]:
        """The model's output of each pass."""
        assert token_ids, "a forward pass needs a token"
        done = 0
        while done < len(token_ids):
            num_new = kv.room(len(token_ids) - done)
            if self._both_ways:
                num_new = end_of_pictures(token_ids, done, done + num_new) - done
            yield self._pass(token_ids[done : done + num_new], kv, {"logits_to_keep": 1, **wanted})
            done += num_new

    def _pass(self, token_ids: Sequence[int], kv: WorkingKV, wanted: dict[str, Any]) -> Any:
        device = self._device
        shift = kv.position_shift
        if self.is_position_free:
            position_ids = torch.zeros((1, len(token_ids)), dtype=torch.int64, device=device)
        elif self._has_axes:
            runs = token_ids.runs if isinstance(token_ids, Tokens) else ()
            axes, end = axes_of(len(token_ids), runs, kv.num_tokens + shift)  # (3, S)
            position_ids, shift = axes[:, None].to(device), end - kv.num_tokens - len(token_ids)
        else:
            position_ids = torch.arange(kv.num_tokens, kv.num_tokens + len(token_ids), device=device)[None]
        kv.begin(len(token_ids))
        together = seen_together(token_ids, device) if self._both_ways else None
        working = _Pass(kv, self._expansions, self._indexers, self._sharing, together)
        output = self._model(
            **self._entering(token_ids),
            position_ids=position_ids,
            attention_mask=self._no_mask,
            past_key_values=working,
            use_cache=True,
            working=working,
            **wanted,
        )
        if working.attended != list(range(num_layers := len(kv.layers) + len(self._sharing))):
            raise _refusal(self._model, f"only layers {working.attended} of {num_layers} attended to what was read")
        kv.finish()
        kv.position_shift = shift
        return output

    def _entering(self, token_ids: Sequence[int]) -> dict[str, Any]:
        """Ids (1, S), which some models route by, too; with mixtures among them, states (1, S, D) instead.

        Patches of pictures come beside them, as the output of the model's own image tower.
        """
        device = self._device
        entering: dict[str, Any] = {}
        if isinstance(token_ids, Tokens) and token_ids.runs:
            entering["mm_encoder_outputs"] = {"image": encoder_output(token_ids.runs)}
        if isinstance(token_ids, Tokens) and token_ids.mixtures:
            return entering | {"inputs_embeds": embedded(token_ids, self._model.get_input_embeddings(), device)[None]}
        return entering | {"input_ids": torch.tensor([list(token_ids)], device=device)}


class _Pass(Cache):
    """What one pass gives to the model as its cache, and to the attention function as its working set."""

    def __init__(
        self,
        kv: WorkingKV,
        expansions: Mapping[int, LatentExpansion],
        indexers: Mapping[int, Indexer],
        sharing: Mapping[int, int],
        together: torch.Tensor | None,
    ) -> None:
        super().__init__(layers=[])
        self._sharing = sharing
        self.attended: list[int] = []
        self._kv = kv
        self._expansions, self._indexers, self._together = expansions, indexers, together
        self._latents: tuple[torch.Tensor, torch.Tensor] | None = None
        self._index_key: torch.Tensor | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Hands the states of the pass through; a latent layer's are remembered for its attention."""
        if layer_idx in self._expansions:
            self._latents = key_states, value_states
        return key_states, value_states

    def update_indexer(self, indexer_key_states: torch.Tensor, layer_idx: int) -> torch.Tensor:
        """Remembers the keys (1, S, D) for the layer's attention; the model, which is told of one alone, chooses it."""
        self._index_key = indexer_key_states
        return indexer_key_states[:, :1]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens seen before this pass."""
        return self._kv.num_tokens

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
    ) -> torch.Tensor:
        """query (1, H, S, C), key (1, K, S, C), value (1, K, S, C') -> (1, S, H, C'). Appends the tokens."""
        if layer in self._sharing:
            self.attended.append(layer)
            return self._kv.layers[self._sharing[layer]].look(query[0], scaling=scaling)[None]
        expansion = self._expansions.get(layer)
        if expansion is not None:
            assert self._latents is not None, f"layer {layer} attended before it gave its latents to the cache"
            (key, value), self._latents = self._latents, None
        index = None
        if layer in self._indexers:
            assert self._index_key is not None, f"layer {layer} attended before it gave its index keys to the cache"
            key, self._index_key = torch.cat((self._index_key[:, None], key), -1), None
            index = self._indexers[layer].take()
        layer_kv = self._kv.layers[layer]
        expected = layer_kv.layout.key_heads, layer_kv.layout.key_width
        if (key.shape[1], key.shape[3]) != expected:
            raise ModelNotFound(
                f"layer {layer} of the model has {key.shape[1]} key heads of {key.shape[3]} channels, its config says "
                f"{expected[0]} of {expected[1]}; use a model of another family"
            )
        self.attended.append(layer)
        return layer_kv.attend(
            query[0], key[0], value[0], scaling=scaling, expansion=expansion, index=index, together=self._together
        )[None]


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    working: _Pass | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers calls. Shapes as in `_Pass.attend`."""
    if working is None:
        if (indices := kwargs.pop("indices", None)) is not None and attention_mask is not None:
            chosen = torch.zeros_like(attention_mask).scatter(-1, indices[:, None].long(), True)
            attention_mask = attention_mask & chosen
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    if asked := [name for name in _NOT_COMPUTED if kwargs.get(name) is not None]:
        raise ModelNotFound(
            f"the model's attention needs {', '.join(asked)}, which the runtime lacks; use a model of another family"
        )
    layer = module.layer_idx
    assert isinstance(layer, int), "an attention module knows the number of its layer"
    return working.attend(layer, query, key, value, scaling or query.shape[-1] ** -0.5), None


def _expansions(model: PreTrainedModel, layouts: Sequence[LayerLayout]) -> dict[int, LatentExpansion]:
    """By latent layer: its `kv_b_proj`. Views of the weights; a quantised layer's are expanded."""
    attentions: list[Any] = [module for module in model.modules() if hasattr(module, "kv_b_proj")]
    latent = [index for index, layout in enumerate(layouts) if layout.is_latent]
    if [attention.layer_idx for attention in attentions] != latent:
        raise _refusal(model, f"it has {len(attentions)} latent attentions in {len(latent)} latent layers")
    found = {}
    for attention in attentions:
        weight = _weight_of(attention.kv_b_proj, model.dtype)
        found[attention.layer_idx] = LatentExpansion.from_weight(
            weight, key_width=attention.qk_nope_head_dim, value_width=attention.v_head_dim
        )
    return found


def _weight_of(linear: Any, dtype: torch.dtype) -> torch.Tensor:
    """(out, in). What a layer in another format than plain numbers does to the unit vectors is its matrix."""
    weight = weight_of(linear)
    if type(linear) is torch.nn.Linear:
        return weight
    with torch.no_grad():
        columns: torch.Tensor = linear(torch.eye(linear.in_features, device=weight.device, dtype=dtype))
    return columns.T.contiguous()


def _refusal(model: PreTrainedModel, why: str) -> ModelNotFound:
    return ModelNotFound(
        f"a model of type {model.config.model_type!r} cannot be read with: {why}; use a model of another family"
    )
