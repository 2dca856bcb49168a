"""Picture files as upright-by-EXIF RGB frames, within the limits. Decoding is Pillow's; refusing is ours.

Guarantees: a file's format is told by its content, never by its name; nothing is decoded before its size was checked;
whatever Pillow makes of a damaged file, an `IngestError` with one sentence comes out.
"""

import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ingest.errors import SourceTooLarge, UnreadableSource
from ingest.options import Limits

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
ANIMATED_FORMATS = ("PNG", "WEBP", "GIF")  # of these only the first frame is a page; of TIFF, every frame
# what Pillow's decoders raise on damaged bytes, as seen in its plugins
DAMAGE = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error, zlib.error)
log = logging.getLogger(__name__)


@contextmanager
def opened(source: Path | IO[bytes], name: str, limits: Limits) -> Iterator[Image.Image]:
    """The picture, header read and size checked, pixels not yet decoded. Raises UnreadableSource or SourceTooLarge."""
    if isinstance(source, Path) and source.stat().st_size == 0:
        raise UnreadableSource(f"{name} is empty (0 bytes); hand over the picture itself")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of bombs; our own limit decides. And of odd EXIF tags
            image = Image.open(source, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise SourceTooLarge(
            f"{name} is too large a picture: {error}; hand over a smaller copy, or its parts"
        ) from error
    except UnidentifiedImageError as error:
        raise UnreadableSource(
            f"{name} is not a picture in a format that is read here (PNG, JPEG, WebP, BMP, GIF, TIFF), or its "
            "beginning is damaged; save it anew in one of these"
        ) from error
    except DAMAGE as error:
        raise damaged(name, error) from error
    with image:
        check_size(image, name, limits)
        yield image


def check_size(image: Image.Image, name: str, limits: Limits) -> None:
    """Raises SourceTooLarge for a frame over the limits and UnreadableSource for one without pixels."""
    width, height = image.size
    if width == 0 or height == 0:
        raise UnreadableSource(f"{name} has no pixels ({width} x {height}); save the picture anew")
    if max(width, height) > limits.max_image_side_px:
        raise SourceTooLarge(
            f"{name} is {width} x {height} pixels; a side may have {limits.max_image_side_px}: hand over its parts"
        )
    if width * height > limits.max_image_pixels:
        raise SourceTooLarge(
            f"{name} has {width * height} pixels; at most {limits.max_image_pixels} are read: hand over a smaller copy"
        )


def num_pages(image: Image.Image) -> int:
    """Frames of a TIFF; 1 for everything else, animations included."""
    return int(getattr(image, "n_frames", 1)) if image.format == "TIFF" else 1


def frame(image: Image.Image, page_no: int, name: str, limits: Limits) -> Image.Image:
    """The page's pixels as RGB on white, turned as EXIF says. Raises UnreadableSource when they are damaged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if page_no > 1:
                image.seek(page_no - 1)
            check_size(image, name, limits)
            return flattened(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise SourceTooLarge(f"page {page_no} of {name} is too large a picture: {error}") from error
    except DAMAGE as error:
        raise damaged(name, error) from error


def flattened(image: Image.Image) -> Image.Image:
    """Any mode as RGB: transparency on white; deep greys (16 and 32 bit, float) stretched from darkest to lightest."""
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        paper.alpha_composite(picture)
        return paper.convert("RGB")
    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image, np.float64))
        spread = values.max() - values.min() or 1.0
        return Image.fromarray(((values - values.min()) * (255 / spread)).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def damaged(name: str, error: BaseException) -> UnreadableSource:
    log.info("decoding %s: %r", name, error)
    return UnreadableSource(f"{name} is damaged or cut off ({error}); get the picture again")
