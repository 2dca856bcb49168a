"""Which runner carries a model: through its attention, or through the cache that it keeps itself."""

from transformers import PreTrainedModel

from llm.kv.layout import LayerKind
from llm.runtime.kinds import layouts_of
from llm.runtime.runner import Runner
from llm.runtime.through_own_cache import OwnCacheRunner
from llm.runtime.through_transformers import TransformersRunner


def runner_of(model: PreTrainedModel, *, with_pictures: bool = False) -> Runner:
    """Raises ModelNotFound for a model that neither carries. `with_pictures`: it is shown some."""
    if any(layout.kind is LayerKind.POOLED for layout in layouts_of(model.config)):
        return OwnCacheRunner(model)
    return TransformersRunner(model, with_pictures=with_pictures)
