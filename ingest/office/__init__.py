"""Office files: Word, PowerPoint, Excel, OpenDocument and EPUB, to documents without geometry."""

from ingest.office.epub import read_epub
from ingest.office.opendocument import read_odf
from ingest.office.sheets import read_xlsx
from ingest.office.slides import read_pptx
from ingest.office.word import read_docx
from ingest.reader import Reader

SUFFIXES: dict[str, Reader] = {
    **dict.fromkeys((".docx", ".docm", ".dotx", ".doc"), read_docx),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx", ".ppt"), read_pptx),
    **dict.fromkeys((".xlsx", ".xlsm", ".xltx", ".xls"), read_xlsx),
    **dict.fromkeys((".odt", ".ods", ".odp", ".ott", ".ots", ".otp"), read_odf),
    ".epub": read_epub,
}

__all__ = ["SUFFIXES", "read_docx", "read_epub", "read_odf", "read_pptx", "read_xlsx"]
