"""The plan of one model: everything that `python app.py plan` says, and what the page's fit meter shows."""

from dataclasses import asdict, dataclass
from typing import Any

from llm.kv.codec import KVDtype
from llm.plan.kept import kept_states
from llm.plan.known import config_of, known_model
from llm.plan.machines import Fit, Load, fits
from llm.plan.pages import patches_a_page
from llm.plan.weights import WeightsDtype, parameters_of

MILLION_TOKENS = 1_048_576


@dataclass(frozen=True, slots=True)
class Plan:
    """Bytes of one model over one stream of `context` tokens."""

    model: str
    context: int
    weights_bytes: int
    active_weights_bytes: int  # that one text token goes through
    kv_bytes: int  # what is kept: of chunked and sliding layers their reach, of latent ones the latents
    kv_bytes_uniform: int  # what a plain cache would keep
    kv_values_per_token: int  # numbers that a token leaves, in all layers
    index_bytes: int  # what selection scores; lies in memory
    fits: tuple[Fit, ...]
    parameters: int
    active_parameters: int
    trained_tokens: int | None
    working_bytes: int  # what one pass sees at once, decoded
    pages: int  # images of A4 pages, of `page_px` on the longer side
    page_px: int
    patches_a_page: int | None  # tokens; None: the model has no eyes, or of a family whose pictures are not known
    pages_kv_bytes: int | None  # of those pages' patches alone
    note: str | None = None  # on the bundled config

    def as_json(self) -> dict[str, Any]:
        """The object of `plan --json`; of a model without eyes it says nothing of pages."""
        keys = (
            "model", "context", "weights_bytes", "active_weights_bytes", "kv_bytes", "kv_bytes_uniform",
            "kv_values_per_token", "index_bytes",
        )  # fmt: skip
        pages = ("pages", "page_px", "patches_a_page", "pages_kv_bytes") if self.patches_a_page else ()
        return {**{key: getattr(self, key) for key in (*keys, *pages)}, "fits": [asdict(fit) for fit in self.fits]}


def plan_of(
    model: str,
    *,
    context: int = MILLION_TOKENS,
    kv_dtype: KVDtype = KVDtype.BFLOAT16,
    weights_dtype: WeightsDtype = WeightsDtype.BFLOAT16,
    pages: int = 1,
    page_px: int = 1024,
) -> Plan:
    """The plan of a bundled model, a checkpoint folder or a hub name. Raises ModelNotFound."""
    config, known = config_of(model), known_model(model)
    parameters, states = parameters_of(config), kept_states(config)
    text = config.get_text_config(decoder=True)
    patches = patches_a_page(config, page_px)
    load = Load(
        weights=weights_dtype.num_bytes(parameters.total),
        experts=weights_dtype.num_bytes(parameters.experts),
        index=states.index_bytes(context),
        kv=states.kv_bytes(context, kv_dtype),
        working=states.working_bytes(),
    )
    return Plan(
        model=known.name if known else model,
        context=context,
        weights_bytes=load.weights,
        active_weights_bytes=weights_dtype.num_bytes(parameters.active),
        kv_bytes=load.kv,
        kv_bytes_uniform=states.kv_bytes_uniform(context, kv_dtype),
        kv_values_per_token=states.values_per_token,
        index_bytes=load.index,
        fits=tuple(fits(load)),
        parameters=parameters.total,
        active_parameters=parameters.active,
        trained_tokens=getattr(text, "max_position_embeddings", None),
        working_bytes=load.working,
        pages=pages,
        page_px=page_px,
        patches_a_page=patches,
        pages_kv_bytes=None if patches is None else states.kv_bytes(pages * patches, kv_dtype),
        note=known.note if known else None,
    )
