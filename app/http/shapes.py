"""What goes over the wire, as types: the OpenAPI document is made from these.

Answers have the keys of `ask --json`, no others; values of the library and the engine are taken as they are.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.jobs import JobStatus, Stage
from app.service import Entry, KeptAnswer
from ingest.document import Kind, Problem
from llm.answer import Answer, AskOptions, Coverage, ModelName, Timing

MAX_QUESTION, MAX_DOCUMENTS, MAX_NEW_TOKENS = 20_000, 1000, 4096
_DEFAULTS = AskOptions()

DocumentKeys = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]],
    Field(
        min_length=1, max_length=MAX_DOCUMENTS,
        description="Documents of the library: ids, beginnings of ids (4 characters or more), or names.",
    ),
]  # fmt: skip
NewTokens = Annotated[int, Field(ge=1, le=MAX_NEW_TOKENS, description="Length limit of an answer, in tokens.")]
Temperature = Annotated[float, Field(ge=0, le=2, description="0 always takes the likeliest word.")]
TopK = Annotated[int, Field(ge=1, le=1000, description="Passages that an answer may rest on, best first.")]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63, description="Of the draw, above temperature 0.")]
Exact = Annotated[bool, Field(description="Answer over every token at once, or refuse; never from passages alone.")]


class Given(BaseModel):
    """What a program sends: a key that is not known is refused, never dropped."""

    model_config = ConfigDict(extra="forbid")


class AskBody(Given):
    documents: DocumentKeys
    question: Annotated[str, Field(min_length=1, max_length=MAX_QUESTION)]
    max_new_tokens: NewTokens = _DEFAULTS.max_new_tokens
    temperature: Temperature = _DEFAULTS.temperature
    seed: Seed = _DEFAULTS.seed
    exact: Exact = _DEFAULTS.exact
    top_k: TopK = _DEFAULTS.top_k
    conversation: Annotated[
        str | None, Field(pattern="^[0-9A-Za-z_-]{1,64}$", description="Keeps the answer in this conversation.")
    ] = None

    def options(self) -> AskOptions:
        return AskOptions(
            max_new_tokens=self.max_new_tokens, temperature=self.temperature, seed=self.seed, exact=self.exact,
            top_k=self.top_k,
        )  # fmt: skip


class CitationBody(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    source: str = Field(description="Name of the file.")
    document: str = Field(description="Id of the file; /api/documents/{id}/pages/{page} has its text.")
    page: int | None = Field(description="From 1; null for text and code, which have lines.")
    lines: tuple[int, int] | None = Field(description="First and last, from 1.")
    box: tuple[float, float, float, float] | None = Field(description="x0, y0, x1, y1 in points from the top left.")
    quote: str
    verified: bool = Field(description="The quote stands there word for word.")


class AnswerBody(BaseModel):
    """The object of `python app.py ask --json`."""

    question: str
    answer: str = Field(description="Says in plain words that nothing was found, when `found` is false.")
    found: bool
    citations: list[CitationBody]
    coverage: Coverage
    timing: Timing
    model: ModelName

    @classmethod
    def of(cls, answer: Answer) -> "AnswerBody":
        return cls.model_validate(answer.as_json())


class KeptAnswerBody(AnswerBody):
    """An answer of the library."""

    number: int = Field(description="Grows with every answer; /api/questions/{number} has this one.")
    asked_at: str = Field(description="ISO 8601, UTC.")
    documents: list[str] = Field(description="Ids of what was asked about.")
    conversation: str | None

    @classmethod
    def of_kept(cls, kept: KeptAnswer) -> "KeptAnswerBody":
        return cls.model_validate({**kept.as_json(), "documents": list(kept.documents)})


class AnswerList(BaseModel):
    answers: list[KeptAnswerBody]
    next: str | None = Field(description="The `cursor` of the page that follows; null on the last.")


class RowBody(AnswerBody):
    """A row of a batch: the answer to one question about one document."""

    id: str = Field(description="Names the bytes, the question, the model, the options and the name of the source.")
    source: str = Field(description="Name of the document.")
    document: str = Field(description="Its id.")
    question_id: str
    status: Literal["ok", "partial", "failed"] = Field(description="`partial`: something was left out, or is no value.")
    error: str | None = Field(description="One sentence.")
    field: str | None = Field(None, description="Its name, where a field was asked for; then there is a value.")
    value: bool | int | float | str | list[bool | int | float | str] | None = Field(
        None, description="Of the field; null where it was not found."
    )
    confidence: float | None = None


class DocumentBody(BaseModel):
    id: str
    name: str
    kind: Kind
    pages: int
    tokens: int | None = Field(description="Null until they were counted, with the first step of reading.")
    tokens_read: int
    size_bytes: int
    is_read: bool = Field(description="Whole, under the model in use.")
    kv_bytes: int
    added_at: str
    tags: list[str]
    problems: list[Problem]

    @classmethod
    def of(cls, entry: Entry) -> "DocumentBody":
        return cls.model_validate(entry.as_json())


class FileBody(BaseModel):
    id: str
    name: str
    kind: Kind
    pages: int


class DocumentWithFiles(DocumentBody):
    files: list[FileBody] = Field(description="Of a folder or archive, what is in it; else the file itself.")


class DocumentList(BaseModel):
    documents: list[DocumentBody]
    next: str | None = Field(description="The `cursor` of the page that follows; null on the last.")


class PageBody(BaseModel):
    document: str
    name: str
    page: int
    pages: int
    text: str
    image: str | None = Field(description="Address of the page's picture; null for text and code.")


class ReceiptBody(BaseModel):
    """What a deletion removed."""

    id: str
    name: str
    documents: int
    kept: int
    originals: int
    original_bytes: int
    parsed_bytes: int
    reading_bytes: int
    answers: int
    total_bytes: int


class JobBody(BaseModel):
    """One source on its way in. `done` of `total` `unit`s of the stage; 0 of 0 while that is not known."""

    id: str
    name: str
    stage: Stage
    done: int
    total: int
    unit: str
    rate_per_s: float
    eta_s: float | None
    error: str | None = Field(description="One sentence, when the stage is `failed`.")
    document: str | None = Field(description="Its id, once it is parsed; questions may be asked from then on.")
    problems: list[Problem]

    @classmethod
    def of(cls, status: JobStatus) -> "JobBody":
        names = ("id", "name", "stage", "done", "total", "unit", "rate_per_s", "eta_s", "error", "problems")
        values: dict[str, Any] = {name: getattr(status, name) for name in names}
        return cls(document=status.entry_id, **values)


class JobList(BaseModel):
    jobs: list[JobBody]
    next: str | None = Field(description="The `cursor` of the page that follows; null on the last.")
