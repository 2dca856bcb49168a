"""Options that several verbs share, and the values that click does not know: page ranges, finite numbers."""

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from app.settings import DTYPES, KV_DTYPES, PAGE_IMAGES, WEIGHTS_DTYPES, Settings
from ingest.options import PageRange

Verb = Callable[..., Any]

MODEL_HELP = (
    "A checkpoint folder, a name on the Hugging Face hub, or openai:http://HOST:PORT/v1#MODEL for a server (these two "
    "alone open a connection). Default: the packaged leafmoe-135m; smollm2-135m is its bare base."
)
_SETTINGS = {
    "data_dir": click.option(
        "--data-dir", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
        help="The library: what was read, and the answers. Default: your user data folder.",
    ),
    "model": click.option("--model", metavar="NAME", help=MODEL_HELP),
    "adapter": click.option(
        "--adapter", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
        help="A LoRA for the model, in peft's format.",
    ),
    "device": click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps; auto: all. Default: the best."),
    "dtype": click.option("--dtype", type=click.Choice(DTYPES), help="Number format. Default: what suits the device."),
    "threads": click.option("--threads", type=click.IntRange(min=1), help="CPU threads. Default: the free cores."),
    "experts_gb": click.option(
        "--experts-gb", type=click.FloatRange(min=0, min_open=True), metavar="GB",
        help="Keep the routed experts of a mixture in host memory, but for so many GB of them on the GPU; for a CPU on "
        "disk, but for so many in memory.",
    ),
    "page_images": click.option(
        "--page-images", type=click.Choice(PAGE_IMAGES),
        help="Which pages a model with eyes sees as pictures, besides their text: none, those whose text had to be "
        "recognised, or all. Default: none. A server is sent them, too.",
    ),
    "page_px": click.option(
        "--page-px", type=click.IntRange(112, 4096), metavar="N",
        help="The longer side of these pictures in pixels: more is clearer, and more tokens a page. Default: 1024.",
    ),
    "weights_dtype": click.option(
        "--weights-dtype", type=click.Choice(WEIGHTS_DTYPES),
        help="Keep a model's matrices in so many bits: less memory, somewhat worse answers. Default: as they come.",
    ),
    "mtp": click.option(
        "--mtp", is_flag=True, default=None,
        help="Guess a token ahead with the model's own extra layer (DeepSeek-V3 and its kin); answers stay the same.",
    ),
    "tools": click.option(
        "--tools", is_flag=True, default=None,
        help="Let a model that calls tools search the documents and read on in them, if it cannot be shown them whole.",
    ),
    "kv_dtype": click.option(
        "--kv-dtype", type=click.Choice(KV_DTYPES),
        help="In what keys and values are kept on disk; with another one, documents are read again. Default: int8.",
    ),
    "host": click.option("--host", metavar="ADDRESS", help="Address to listen on. Default: 127.0.0.1, only here."),
    "auth_file": click.option(
        "--auth-file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
        help="Who may sign in, made by `users add`. Everyone has a library of their own.",
    ),
    "auth_header": click.option(
        "--auth-header", metavar="NAME",
        help="The header in which a proxy for single sign-on says who it is; with --auth-file, on 127.0.0.1 alone.",
    ),
    "share": click.option(
        "--share", is_flag=True, default=None,
        help="Open the page to the internet through Gradio's servers; only with --auth-file or --public-demo.",
    ),
    "public_demo": click.option(
        "--public-demo", is_flag=True, default=None,
        help="Let whoever comes try it: the samples, and few files, pages and questions of their own, for some hours.",
    ),
    "keep_hours": click.option(
        "--keep-hours", type=click.FloatRange(min=0, min_open=True), metavar="N",
        help="Delete documents and answers after so many hours. Default: they stay until you delete them.",
    ),
    "audit": click.option(
        "--audit", is_flag=True, default=None,
        help="Note who added, asked and deleted what; see: python app.py audit",
    ),
    "log_json": click.option("--log-json", is_flag=True, default=None, help="Log JSON lines, every request too."),
    "port": click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes any free one. Default: 7860."),
}  # fmt: skip
MODEL = ("model", "adapter", "device", "dtype", "experts_gb", "threads")
READING = (*MODEL, "page_images", "page_px", "weights_dtype", "mtp", "kv_dtype")


def with_settings(*names: str) -> Callable[[Verb], Verb]:
    """Adds the options and gives the verb one `settings` instead: options, then environment, then defaults."""

    def decorate(verb: Verb) -> Verb:
        @functools.wraps(verb)
        def call(**values: Any) -> Any:
            chosen = {name: values.pop(name) for name in names}
            return verb(settings=Settings.from_environment(**chosen), **values)

        decorated: Verb = call
        for name in reversed(names):
            decorated = _SETTINGS[name](decorated)
        return decorated

    return decorate


as_json = click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON object to standard output, and nothing else."
)


class Pages(click.ParamType[PageRange]):
    """A page range: 3-7,12."""

    name = "pages"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> PageRange:
        if isinstance(value, PageRange):
            return value
        try:
            return PageRange.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def source_options(verb: Verb) -> Verb:
    """SOURCE…, --pages and --password."""
    for add in (
        click.option("--password", metavar="TEXT", help="Opens encrypted PDFs. Used once, never stored."),
        click.option("--pages", type=Pages(), metavar="RANGE", help="Read only these pages of the files given: 3-7,12"),
        click.argument("sources", nargs=-1, required=True, metavar="SOURCE…"),
    ):
        verb = add(verb)
    return verb


def finite(ctx: click.Context, param: click.Parameter, value: float) -> float:
    """Callback: refuses "nan" and "inf", which every range check lets pass."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number.", ctx, param)
    return value


def not_blank(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(value.strip() for value in values):
        raise click.BadParameter("it is empty; write what you want to know.", ctx, param)
    return values
