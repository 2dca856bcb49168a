"""One server: what it serves, how long its prompts may be, and answers streamed from it.

The `openai` package speaks the protocol, tries again with growing pauses before the first byte came, and parses the
stream. Ours is what it leaves open: limits and token counts of the servers that tell them (llama.cpp, vLLM, SGLang),
cutting a call at any moment, and one sentence for everything that goes wrong. Safe for several threads.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2
import openai

from llm.errors import ContextOverflow, ModelNotFound, RemoteEngineFailed
from llm.remote.address import Address
from llm.remote.line import CallCut, Line
from llm.thinking import ThinkingSplitter, Thought
from llm.tools.definitions import ToolCall

_CONNECT_S = 10.0
_RETRIES = 3  # of the openai package: pauses of 0.5 s, 1 s, 2 s, or what the server asks for
_NO_KEY = "none"  # the package wants one; servers without accounts ignore it
_BYTES_A_TOKEN = 3  # of text whose tokens nobody counts: more tokens than there are, rather than fewer
_TOO_LONG = ("context", "too long", "maximum length", "max_model_len", "exceed")

Message = Mapping[str, Any]


@dataclass(slots=True)
class Written:
    """What came of one call; complete when the iterator ends."""

    text: str = ""
    thinking: str = ""
    prompt_tokens: int | None = None  # as the server counted
    reused_tokens: int = 0  # of those, how many it had from an earlier call
    decoded_tokens: int = 0
    stopped: bool = False
    calls: list[ToolCall] = field(default_factory=list)  # as the server parsed them


class RemoteClient:
    """Raises ModelNotFound when the server cannot be reached, or does not serve the model."""

    def __init__(self, address: Address, *, api_key: str | None, timeout_s: float) -> None:
        """`timeout_s`: the longest silence of the server, reading a long document included."""
        self._address, self._key, self._timeout_s = address, api_key or _NO_KEY, timeout_s
        served = self._served()
        self.model = self._chosen(served)
        self.limit_tokens = _limit_of(served[self.model]) or self._limit_of_llama_cpp()
        self._counts_tokens = True

    @property
    def url(self) -> str:
        return self._address.base_url

    def count_tokens(self, text: str) -> int:
        """As the server counts, where it tells; else an estimate from the length, rather too many."""
        if self._counts_tokens:
            found = self._post("/tokenize", {"model": self.model, "content": text, "prompt": text})
            if isinstance(found, dict) and isinstance(found.get("count"), int):
                return int(found["count"])
            if isinstance(found, dict) and isinstance(found.get("tokens"), list):
                return len(found["tokens"])
            self._counts_tokens = False
        return -(-len(text.encode()) // _BYTES_A_TOKEN)

    def chat(
        self,
        messages: Sequence[Message],
        into: Written,
        *,
        max_new_tokens: int,
        temperature: float,
        seed: int,
        cancel: threading.Event,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> Iterator[Thought | str]:
        """Pieces of thinking and of the answer; fills `into`. Setting `cancel` cuts the connection at once.

        `tools` may be called; calls are in `into`.

        Raises ContextOverflow when the server refuses the prompt's length, RemoteEngineFailed for all else.
        """
        options: dict[str, Any] = {"response_format": _format_of(schema)} if schema is not None else {}
        options |= {"tools": list(tools)} if tools else {}
        splitter = ThinkingSplitter()
        with self._call(cancel, into) as client, client.chat.completions.create(
            model=self.model, messages=cast(Any, list(messages)), max_tokens=max_new_tokens, temperature=temperature,
            seed=seed, stream=True, stream_options={"include_usage": True}, **options,
        ) as stream:  # fmt: skip
            for chunk in stream:
                _note_usage(chunk, into)
                _note_calls(chunk, into)
                for piece in _pieces(chunk, splitter):
                    _add(piece, into)
                    yield piece
            for piece in splitter.end():
                _add(piece, into)
                yield piece

    @contextmanager
    def _call(self, cancel: threading.Event, into: Written) -> Iterator[openai.OpenAI]:
        """A client whose connection is cut when `cancel` is set; what then fails has been stopped, not failed."""
        line, is_over = Line(), threading.Event()
        threading.Thread(target=_cut_when_cancelled, args=(line, cancel, is_over), daemon=True).start()
        try:
            with openai.OpenAI(
                base_url=self.url, api_key=self._key, max_retries=_RETRIES,
                timeout=httpx2.Timeout(self._timeout_s, connect=_CONNECT_S), http_client=httpx2.Client(transport=line),
            ) as client:  # fmt: skip
                yield client
            into.stopped = cancel.is_set()
        except CallCut:
            into.stopped = True
        except (openai.OpenAIError, httpx2.HTTPError, json.JSONDecodeError, AttributeError, TypeError) as error:
            if not cancel.is_set():
                raise self._failure(error, into) from error
            into.stopped = True
        finally:
            is_over.set()

    def _failure(self, error: Exception, into: Written) -> Exception:
        said = _said(error)
        if isinstance(error, openai.BadRequestError) and any(word in said.lower() for word in _TOO_LONG):
            return ContextOverflow(
                f"the server {self.url} refused the prompt as too long ({said}); ask about fewer documents or pages"
            )
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return RemoteEngineFailed(
                f"the server {self.url} refused the key ({said}); set LONGLEAF_API_KEY to one that it knows"
            )
        if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
            return RemoteEngineFailed(
                f"the server {self.url} said nothing for {self._timeout_s:g} s; ask again, or give it longer "
                "with LONGLEAF_REMOTE_TIMEOUT_S"
            )
        written = len(into.text.split())
        when = f"broke off after {written} words" if written else "gave no answer"
        return RemoteEngineFailed(f"the server {self.url} {when} ({said}); see whether it still runs, and ask again")

    def _served(self) -> dict[str, dict[str, Any]]:
        """What the server says of each model that it serves."""
        try:
            with openai.OpenAI(
                base_url=self.url, api_key=self._key, max_retries=1, timeout=httpx2.Timeout(60, connect=_CONNECT_S)
            ) as client:
                models = {model.id: model.to_dict() for model in client.models.list()}
        except (openai.OpenAIError, httpx2.HTTPError, AttributeError, TypeError, ValueError) as error:
            if isinstance(error, openai.APIStatusError) and self._address.model:
                return {self._address.model: {}}  # it answers, but lists nothing: `transformers serve` without a cache
            raise ModelNotFound(
                f"no server of OpenAI's protocol answers at {self.url} ({_said(error)}); see whether it runs, and "
                "write openai:http://HOST:PORT/v1#MODEL"
            ) from error
        if not models:
            raise ModelNotFound(f"the server {self.url} serves no model; start it with one")
        return cast(dict[str, dict[str, Any]], models)

    def _chosen(self, served: Mapping[str, object]) -> str:
        wanted = self._address.model
        if wanted in served:
            return str(wanted)
        names = ", ".join(sorted(served)[:8])
        if wanted is None and len(served) == 1:
            return next(iter(served))
        if wanted is None:
            raise ModelNotFound(f"the server {self.url} serves several models ({names}); add #MODEL to the address")
        raise ModelNotFound(f"the server {self.url} does not serve {wanted!r}; it serves {names}")

    def _limit_of_llama_cpp(self) -> int | None:
        found = self._get("/props")
        settings = found.get("default_generation_settings") if isinstance(found, dict) else None
        limit = settings.get("n_ctx") if isinstance(settings, dict) else None
        return limit if isinstance(limit, int) and limit > 0 else None

    def _get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def _post(self, path: str, content: Mapping[str, Any]) -> Any:
        return self._ask("POST", path, content)

    def _ask(self, method: str, path: str, content: Mapping[str, Any] | None) -> Any:
        """A request beside the protocol; None where the server does not know it."""
        headers = {"Authorization": f"Bearer {self._key}"}
        try:
            url = self._address.root_url + path
            answer = httpx2.request(method, url, json=content, headers=headers, timeout=60)
            return answer.json() if answer.is_success else None
        except (httpx2.HTTPError, ValueError):
            return None


def _limit_of(model: Mapping[str, Any]) -> int | None:
    """vLLM and SGLang say `max_model_len`; llama.cpp, in some versions, `meta.n_ctx`."""
    meta = model.get("meta")
    for limit in (model.get("max_model_len"), meta.get("n_ctx") if isinstance(meta, dict) else None):
        if isinstance(limit, int) and limit > 0:
            return limit
    return None


def _pieces(chunk: Any, splitter: ThinkingSplitter) -> Iterator[Thought | str]:
    """Servers that tell thinking apart themselves put it into a field of its own."""
    for choice in chunk.choices or ():
        extra = choice.delta.model_extra or {}
        if thought := extra.get("reasoning_content") or extra.get("reasoning"):
            yield Thought(str(thought))
        if choice.delta.content:
            yield from splitter.take(choice.delta.content)


def _add(piece: Thought | str, into: Written) -> None:
    if isinstance(piece, Thought):
        into.thinking += piece.text
    else:
        into.text += piece


def _note_usage(chunk: Any, into: Written) -> None:
    """Token counts: in the last chunk; llama.cpp says in `timings` what its cache had."""
    timings = (chunk.model_extra or {}).get("timings") or {}
    if usage := chunk.usage:
        into.prompt_tokens, into.decoded_tokens = usage.prompt_tokens, usage.completion_tokens
        details = usage.prompt_tokens_details
        into.reused_tokens = (details.cached_tokens if details else None) or into.reused_tokens
    if isinstance(cached := timings.get("cache_n"), int):
        into.reused_tokens = cached


def _note_calls(chunk: Any, into: Written) -> None:
    """Calls come in pieces, each with its number."""
    for choice in chunk.choices or ():
        for piece in choice.delta.tool_calls or ():
            while len(into.calls) <= piece.index:
                into.calls.append(ToolCall())
            call = into.calls[piece.index]
            call.id = piece.id or call.id or f"call_{piece.index}"
            if piece.function is not None:
                call.name += piece.function.name or ""
                call.arguments += piece.function.arguments or ""


def _format_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema), "strict": True}}


def _cut_when_cancelled(line: Line, cancel: threading.Event, is_over: threading.Event) -> None:
    while not is_over.is_set():
        if cancel.wait(0.05):
            line.cut()
            return


def _said(error: Exception) -> str:
    """What the server or the network said, in one phrase."""
    body = getattr(error, "body", None)
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        said = body["message"]
    else:
        cause = error.__cause__ if isinstance(error, openai.APIConnectionError) and error.__cause__ else error
        said = str(cause) or type(cause).__name__
    return " ".join(said.split()).rstrip(".")[:200]
