"""Fields of documents: a schema becomes questions, and answers become values that fit it. Asks nobody by itself."""

from app.extraction.field import Field, FieldKind
from app.extraction.schema import load_schema
from app.extraction.settling import settled
from app.extraction.values import BadValue, value_of

__all__ = ["BadValue", "Field", "FieldKind", "load_schema", "settled", "value_of"]
