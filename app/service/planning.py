"""What a model takes and which machines hold it: a use case that needs no library and loads no model."""

from typing import TYPE_CHECKING

from app.errors import BadRequest

if TYPE_CHECKING:
    from llm.plan import Plan


def plan(model: str, *, context: int, kv_dtype: str, weights_dtype: str, pages: int = 1, page_px: int = 1024) -> "Plan":
    """From the model's config alone; `pages` images of `page_px` for a model with eyes.

    Raises ModelNotFound, BadRequest.
    """
    from llm.kv.codec import KVDtype
    from llm.plan import WeightsDtype, plan_of

    if context < 1:
        raise BadRequest(f"a context of {context} tokens was asked for; it must be at least 1")
    return plan_of(
        model, context=context, kv_dtype=KVDtype(kv_dtype), weights_dtype=WeightsDtype(weights_dtype), pages=pages,
        page_px=page_px,
    )  # fmt: skip
