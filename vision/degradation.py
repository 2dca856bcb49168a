"""Degradation: what copying, scanning and photographing do to a page image, made up in three strengths.

For training and for measuring, never for a person's documents. The same seed degrades a page in the same way.
"""

import io
import random

import numpy as np
from PIL import Image, ImageFilter

LEVELS = (0, 1, 2, 3)  # 0: as it is
_DPI_SHARE = (1.0, 0.8, 0.62, 0.5)  # of the resolution that is left
_BLUR_PX = (0.0, 0.4, 0.55, 0.7)
_NOISE = (0.0, 8.0, 14.0, 18.0)  # standard deviation, of 255
_JPEG_QUALITY = (0, 60, 45, 35)


def degraded(image: Image.Image, level: int, seed: int) -> Image.Image:
    """The image with less resolution, blurred, noisy and compressed; in grey from level 1 on."""
    if level == 0:
        return image
    rng = random.Random(f"{seed} {level}")
    share = _DPI_SHARE[level] * rng.uniform(0.92, 1.08)
    size = max(1, round(image.width * share)), max(1, round(image.height * share))
    small = image.convert("L").resize(size, Image.Resampling.BILINEAR)
    small = small.filter(ImageFilter.GaussianBlur(_BLUR_PX[level] * rng.uniform(0.6, 1.2)))
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, _NOISE[level] * rng.uniform(0.5, 1.2), size[::-1])
    noisy = Image.fromarray(np.clip(np.asarray(small, np.float32) + noise, 0, 255).astype(np.uint8))
    stream = io.BytesIO()
    noisy.save(stream, "JPEG", quality=_JPEG_QUALITY[level])
    return Image.open(stream).convert("RGB")
