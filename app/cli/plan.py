"""`plan`: what a model takes in bytes, from its config alone, and which machines hold it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from app.cli.bench import Size
from app.cli.options import as_json, with_settings
from app.cli.output import echo_json
from app.service.planning import plan as make_plan
from app.settings import KV_DTYPES, Settings

if TYPE_CHECKING:
    from llm.plan import Plan

WEIGHTS_DTYPES = ("float32", "bfloat16", "float16", "fp8", "int8", "int4")  # of llm.plan, whose import brings torch
EXAMPLES = """\b
Examples:
  python app.py plan llama-4-scout --context 1m --kv-dtype int8 --weights-dtype int4
  python app.py plan deepseek-v3 --weights-dtype fp8 --json
  python app.py plan qwen3-vl-8b --context 128k --pages 100 --page-px 768
  python app.py plan ./checkpoint --context 128k
"""


@click.command(epilog=EXAMPLES)
@click.argument("model")
@click.option(
    "--context",
    type=Size(),
    default=1_048_576,
    show_default="1m",
    metavar="N",
    help="Tokens that are read: 8192, 8k, 1m.",
)
@click.option(
    "--kv-dtype", type=click.Choice(KV_DTYPES), default="bfloat16", show_default=True,
    help="In what keys and values are kept.",
)  # fmt: skip
@click.option(
    "--weights-dtype", type=click.Choice(WEIGHTS_DTYPES), default="bfloat16", show_default=True,
    help="In what weights are kept; the scales of the narrow ones come on top (fp8 0.02 %, int4 about 3 %).",
)  # fmt: skip
@click.option(
    "--pages", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
    help="Page images that a model with eyes is shown.",
)  # fmt: skip
@click.option(
    "--page-px", type=click.IntRange(min=28), default=1024, show_default=True, metavar="N",
    help="Their longer side, in pixels.",
)  # fmt: skip
@as_json
@with_settings("data_dir")
def plan(
    settings: Settings,
    model: str,
    context: int,
    kv_dtype: str,
    weights_dtype: str,
    pages: int,
    page_px: int,
    as_json: bool,
) -> None:
    """Say what a model takes, and which machines hold it, from its config alone.

    MODEL is a name of docs/MODELS.md, a checkpoint folder, or a name on the Hugging Face hub; only a hub name that is
    not in docs/MODELS.md opens a connection. No weights are loaded. It says nothing about speed.
    """
    found = make_plan(
        model, context=context, kv_dtype=kv_dtype, weights_dtype=weights_dtype, pages=pages, page_px=page_px
    )
    if as_json:
        echo_json(found.as_json())
        return
    for line in _lines(found, kv_dtype, weights_dtype):
        click.echo(line)


def _lines(plan: "Plan", kv_dtype: str, weights_dtype: str) -> Iterator[str]:
    trained = f"; trained for {plan.trained_tokens:,}" if plan.trained_tokens else ""
    yield f"{plan.model} over {plan.context:,} tokens{trained}"
    if plan.note:
        yield f"Note: {plan.note}"
    yield ""
    yield (
        f"weights      {_size(plan.weights_bytes):>9}  {plan.parameters / 1e9:,.2f} billion parameters in "
        f"{weights_dtype}; a token goes through {plan.active_parameters / 1e9:,.2f} billion, "
        f"{_size(plan.active_weights_bytes)}"
    )
    yield (
        f"KV           {_size(plan.kv_bytes):>9}  {plan.kv_values_per_token:,} values a token in {kv_dtype}; "
        f"a plain cache would keep {_size(plan.kv_bytes_uniform)}"
    )
    yield f"index        {_size(plan.index_bytes):>9}  what the selection of blocks scores, in memory"
    yield f"working set  {_size(plan.working_bytes):>9}  what one pass sees at once, beside the weights"
    if plan.patches_a_page and plan.pages_kv_bytes:
        counted = f"; {plan.pages:,} of them {plan.pages * plan.patches_a_page:,}" if plan.pages > 1 else ""
        yield (
            f"page images  {_size(plan.pages_kv_bytes):>9}  of that KV: an A4 page of {plan.page_px:,} pixels is "
            f"{plan.patches_a_page:,} tokens{counted}"
        )
    yield ""
    if not plan.fits:
        yield "None of the machines that were considered holds it; try --weights-dtype int4 or --kv-dtype int8."
    for fit in plan.fits:
        yield f"{fit.machine}: {fit.how}"


def _size(num_bytes: int) -> str:
    """ "812 MB", "51.5 GB", "1.34 TB"; powers of 1000."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if num_bytes >= size:
            return f"{num_bytes / size:.3g} {unit}"
    return f"{num_bytes / 1e3:.3g} kB"
