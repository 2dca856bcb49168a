"""Multi-token prediction: DeepSeek's own extra layer guesses one token ahead, and the model checks the guess.

The layer takes the model's last state of a token and the token that was chosen after it, and guesses the one after
that (DeepSeek-V3, arXiv:2412.19437, section 2.2). Model and guess then go through the model in one pass: where it would
have written the guess itself, two tokens came of one pass; else the guess is taken back. So what is written is what
the model writes without it, but for ties that rounding decides.

The layer is transformers' own (`MtpModel`); what it remembers is the tokens of this answer and its prompt, not what was
read earlier. That makes guesses worse over a stored reading, and never an answer.
"""

from collections.abc import Iterator, Sequence

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import MtpCache
from transformers.modeling_layers import MtpModel

from llm.errors import ModelNotFound
from llm.runtime.runner import Carrier
from llm.runtime.working import WorkingKV

_KINDS = frozenset(("full_attention", "sliding_attention"))  # that transformers' guessing layer makes masks for


class Drafter:
    """The extra layer of one model. For one answer at a time."""

    def __init__(self, layer: MtpModel, device: torch.device) -> None:
        self._layer, self._device = layer, device
        self._cache = self._empty()
        self._position = 0
        self.num_guessed = self.num_right = 0

    @classmethod
    def of(cls, model: PreTrainedModel) -> "Drafter":
        """Loads the layer from the model's own checkpoint. Raises ModelNotFound where it has none, or several."""
        text = model.config.get_text_config(decoder=True)
        layers = getattr(text, "num_mtp_layers", None)
        if layers != 1:
            raise _refusal(model, f"its config tells of {layers or 'no'} such layers, and one is used")
        if unknown := sorted(set(getattr(text, "layer_types", None) or ()) - _KINDS):
            raise _refusal(model, f"that layer would be of a kind that is not known ({', '.join(unknown)})")
        try:
            layer = MtpModel.from_pretrained(model, device_map={"": model.device})
        except (ValueError, OSError, KeyError, RuntimeError) as error:
            raise _refusal(model, str(error).strip().split("\n")[0].rstrip(".")) from error
        layer.eval()
        layer.requires_grad_(False)
        return cls(layer, model.device)

    def begin(self) -> None:
        """Forgets the answer before."""
        self._cache, self._position = self._empty(), 0

    @torch.no_grad()
    def guess(self, states: torch.Tensor, followed_by: Sequence[int]) -> int:
        """states (S, D): the model's last states of the next S tokens; the token that follows each of them."""
        positions = torch.arange(self._position, self._position + len(followed_by), device=self._device)
        guesses, _, _ = self._layer(
            input_ids=torch.tensor([list(followed_by)], device=self._device),
            last_hidden_states=states[None],
            attention_mask=None,
            position_ids=positions[None],
            mtp_cache=self._cache,
        )
        self._position += len(followed_by)
        self.num_guessed += 1
        return int(guesses[0, 0])

    def _empty(self) -> MtpCache:
        return MtpCache(config=self._layer.config)


def written_greedily(
    runner: Carrier, drafter: Drafter, kv: WorkingKV, prompt_ids: Sequence[int]
) -> Iterator[torch.Tensor]:
    """The logits (V,) of each next token, whose likeliest one is taken; without end. Modifies `kv`."""
    drafter.begin()
    logits, states = runner.carry(prompt_ids, kv, 1)
    yield logits[0]
    chosen = int(logits[0].argmax())
    guess = drafter.guess(states, [*prompt_ids[1:], chosen])
    while True:
        if kv.room(2) < 2:  # a chunk of some layer ends between the two
            logits, states = runner.carry([chosen], kv, 1)
            yield logits[0]
            chosen = int(logits[0].argmax())
            guess = drafter.guess(states, [chosen])
            continue
        logits, states = runner.carry([chosen, guess], kv, 2)
        yield logits[0]
        first = int(logits[0].argmax())
        if first != guess:
            kv.take_back(1)
            chosen, guess = first, drafter.guess(states[:1], [first])
            continue
        drafter.num_right += 1
        yield logits[1]
        chosen = int(logits[1].argmax())
        guess = drafter.guess(states, [first, chosen])


def _refusal(model: PreTrainedModel, why: str) -> ModelNotFound:
    return ModelNotFound(
        f"a model of type {model.config.model_type!r} cannot guess tokens ahead: {why}; leave --mtp out"
    )
