"""Pictures: PNG, JPEG, WebP, BMP, GIF and TIFF files to documents, and their pages to PNG."""

from ingest.image.reader import read_image, render_image_page
from ingest.reader import Reader

SUFFIXES: dict[str, Reader] = dict.fromkeys(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"), read_image
)

__all__ = ["SUFFIXES", "read_image", "render_image_page"]
