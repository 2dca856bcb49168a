"""The settings of one Longleaf process, and the one place that reads LONGLEAF_… environment variables.

An option given on the command line wins over the environment, the environment over the default. An explicit 0 or
False survives: only None means "not given". Every field is described in docs/SETTINGS.md.
"""

import logging
import math
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import platformdirs

from app.errors import BadSetting

PREFIX = "LONGLEAF_"
DTYPES = ("float32", "bfloat16", "float16")
PAGE_IMAGES = ("none", "scans", "all")
WEIGHTS_DTYPES = ("int8", "int4")  # of llm.loading.narrow
KV_DTYPES = ("float32", "bfloat16", "int8", "int4")  # those of llm.kv.codec, whose import would bring torch

# transformers loads torchao wherever it is installed, which warns of each kernel that it lacks and of its own old calls
_LOUD = ("torchao", "torch.utils._pytree", "accelerate")

_NUMBERS: Mapping[str, tuple[Callable[[str], float], str]] = MappingProxyType(
    {
        "threads": (int, "a whole number"),
        "port": (int, "a whole number"),
        "kv_disk_gb": (float, "a number"),
        "experts_gb": (float, "a number"),
        "keep_hours": (float, "a number"),
        "page_px": (int, "a whole number"),
        "remote_timeout_s": (float, "a number"),
        "remote_context_tokens": (int, "a whole number"),
    }
)

_SWITCH: Mapping[str, bool] = MappingProxyType({"1": True, "true": True, "0": False, "false": False})

# What the libraries below read when they are loaded. A value that a person has set stays.
_CALM = {
    # Threads that spin beside another job cost up to 20 times; threads that sleep at once cost a third on a free one.
    # So they spin for some microseconds: 1,256 / 514 tokens/s free / beside a job, against 885 / 664 and 1,232 / 283
    # without and with ten times as much (docs/LOG.md). The second is for OpenMP libraries other than GNU's.
    "GOMP_SPINCOUNT": "2000",
    "OMP_WAIT_POLICY": "passive",
    # oneDNN compiles a kernel of about 0.4 MB for each shape of a product. Two caches keep it, its own and the one that
    # torch puts before that (ideep's), up to 1,024 each: hundreds of megabytes for texts of any length.
    # With 64 in both no pass is slower, and the memory of a long batch stays where it is (docs/LOG.md).
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",
    "LRU_CACHE_CAPACITY": "64",
    "TOKENIZERS_PARALLELISM": "false",  # else a warning for every child process
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def _default_data_dir() -> Path:
    return Path(platformdirs.user_data_dir("longleaf", appauthor=False))


def _default_cache_dir() -> Path:
    return Path(platformdirs.user_cache_dir("longleaf", appauthor=False))


@dataclass(frozen=True, slots=True)
class Settings:
    """Raises BadSetting for a value that is not allowed."""

    data_dir: Path = field(default_factory=_default_data_dir)  # the library: catalogue, originals, what was read
    cache_dir: Path = field(default_factory=_default_cache_dir)  # prepared model weights; can be made again
    model: str | None = None  # None: the packaged model; else a checkpoint folder, a hub name or openai:URL#NAME
    api_key: str | None = field(default=None, repr=False)  # of a remote engine
    remote_timeout_s: float = 600.0  # the longest silence of a remote engine
    remote_context_tokens: int | None = None  # of a remote engine that does not tell how long a prompt may be
    tools: bool = False  # a model that calls tools may search the documents and read on in them
    device: str | None = None  # None: the best there is
    dtype: str | None = None  # None: what suits the device
    adapter: Path | None = None  # a folder with a LoRA for the model, in peft's format
    threads: int | None = None  # None: taken from the cores that are free
    experts_gb: float | None = None  # 10^9 bytes of routed experts on a GPU, the others in memory; None: all of them
    page_images: str = "none"  # which pages a model with eyes sees as pictures, besides their text
    page_px: int = 1024  # the longer side of these pictures
    weights_dtype: str | None = None  # in what matrices are kept in memory; None: as they come
    mtp: bool = False  # a DeepSeek model guesses a token ahead with its own extra layer
    kv_dtype: str | None = None  # in what keys and values are kept on disk; None: int8
    kv_disk_gb: float | None = None  # 10^9 bytes of keys and values on disk; None: as many as are read
    host: str = "127.0.0.1"
    port: int = 7860  # 0: any free port
    auth_file: Path | None = None  # who may sign in; None: one person, on this machine
    auth_header: str | None = None  # in which a proxy before the page's server says who is signed in
    share: bool = False  # open the page to the internet through Gradio's servers
    public_demo: bool = False  # whoever comes may try it: within limits, for a short time
    keep_hours: float | None = None  # how long the page's server keeps documents and answers; None: until deleted
    audit: bool = False  # the page's server notes who added, asked and deleted what
    log_json: bool = False  # the page's server logs JSON lines, requests too

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise BadSetting(f"threads is {self.threads}; it must be at least 1, or left out to use the free cores")
        if not 0 <= self.port <= 65535:
            raise BadSetting(f"port is {self.port}; it must be between 0 (any free port) and 65535")
        if self.dtype is not None and self.dtype not in DTYPES:
            raise BadSetting(f"dtype is {self.dtype!r}; it must be one of {', '.join(DTYPES)}")
        if self.page_images not in PAGE_IMAGES:
            raise BadSetting(f"page_images is {self.page_images!r}; it must be one of {', '.join(PAGE_IMAGES)}")
        if not 112 <= self.page_px <= 4096:
            raise BadSetting(f"page_px is {self.page_px}; it must be between 112 and 4096")
        if self.weights_dtype is not None and self.weights_dtype not in WEIGHTS_DTYPES:
            raise BadSetting(
                f"weights_dtype is {self.weights_dtype!r}; it must be one of {', '.join(WEIGHTS_DTYPES)}, or left out"
            )
        if self.kv_dtype is not None and self.kv_dtype not in KV_DTYPES:
            raise BadSetting(f"kv_dtype is {self.kv_dtype!r}; it must be one of {', '.join(KV_DTYPES)}")
        if self.kv_disk_gb is not None and not (math.isfinite(self.kv_disk_gb) and self.kv_disk_gb > 0):
            raise BadSetting(f"kv_disk_gb is {self.kv_disk_gb}; it must be a number above 0, or left out for no limit")
        if self.experts_gb is not None and not (math.isfinite(self.experts_gb) and self.experts_gb > 0):
            raise BadSetting(
                f"experts_gb is {self.experts_gb}; it must be a number above 0, or left out to keep all there"
            )
        if self.keep_hours is not None and not (math.isfinite(self.keep_hours) and self.keep_hours > 0):
            raise BadSetting(f"keep_hours is {self.keep_hours}; it must be a number above 0, or left out to keep all")
        if not (math.isfinite(self.remote_timeout_s) and self.remote_timeout_s > 0):
            raise BadSetting(f"remote_timeout_s is {self.remote_timeout_s}; it must be a number of seconds above 0")
        if self.remote_context_tokens is not None and self.remote_context_tokens < 1024:
            raise BadSetting(f"remote_context_tokens is {self.remote_context_tokens}; it must be at least 1024")
        for name in ("data_dir", "cache_dir", "adapter", "auth_file"):
            if (path := getattr(self, name)) is not None:
                object.__setattr__(self, name, Path(path).expanduser().absolute())

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> "Settings":
        """Defaults, then LONGLEAF_… variables, then `overrides` that are not None."""
        values = _from_variables(os.environ if environ is None else environ)
        values.update({name: value for name, value in overrides.items() if value is not None})
        return cls(**values)


def calm_environment(environ: MutableMapping[str, str] | None = None) -> None:
    """Keeps the libraries quiet: no telemetry, no spinning threads. To be called before torch or gradio are loaded."""
    environ = os.environ if environ is None else environ
    for name, value in _CALM.items():
        environ.setdefault(name, value)
    if not sys.stderr.isatty():
        environ.setdefault("TQDM_DISABLE", "1")  # the libraries' bars fill a log file with one line for every step
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.ERROR)


def variable_names() -> dict[str, str]:
    """Environment variable -> field, for every setting."""
    return {PREFIX + item.name.upper(): item.name for item in fields(Settings)}


def _from_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    known = variable_names()
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        if variable not in known:
            raise BadSetting(f"unknown environment variable {variable}; known are {', '.join(sorted(known))}")
        values[known[variable]] = _parsed(variable, known[variable], text)
    return values


def _parsed(variable: str, name: str, text: str) -> Any:
    if not text.strip():
        raise BadSetting(f"environment variable {variable} is empty; give it a value or unset it")
    number, kind = _NUMBERS.get(name, (None, ""))
    if number is not None:
        try:
            return number(text)
        except ValueError:
            raise BadSetting(f"environment variable {variable} is {text!r}; it must be {kind}") from None
    if name in ("share", "public_demo", "mtp", "tools", "audit", "log_json"):
        if text.lower() not in _SWITCH:
            raise BadSetting(f"environment variable {variable} is {text!r}; it must be 1 or 0")
        return _SWITCH[text.lower()]
    return Path(text) if name.endswith("_dir") else text
