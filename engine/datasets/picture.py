"""Decoding a picture that a learner has uploaded. No torch here."""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from engine.types import Problem

SIDE = 256  # pixels, of the longer side after decoding
MAX_PIXELS = 24_000_000
MAX_BYTES = 20_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """The picture as uint8 (height, width, 3), neither side above 256; turned upright, on white where transparent.

    The size is checked from the header, before any pixel is decoded. Raises Problem for a file that is too large,
    truncated, or no picture.
    """
    if len(data) > MAX_BYTES:
        raise Problem(
            f"This file has {len(data) / 1e6:.0f} MB; at most {MAX_BYTES // 1_000_000} MB are taken. Save the picture "
            "smaller and try again.",
            f"这个文件有 {len(data) / 1e6:.0f} MB，最多接受 {MAX_BYTES // 1_000_000} MB。请把图片存小一些再试。",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow warns of pictures that may be decompression bombs
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise too_large() from error
        except Exception as error:  # Pillow's plugins raise errors of many kinds for other files
            raise Problem(
                f"These {len(data):,} bytes are not a picture in PNG, JPEG, WebP, GIF or BMP. Choose another file.",
                f"这 {len(data):,} 字节不是 PNG、JPEG、WebP、GIF 或 BMP 图片。请换一个文件。",
            ) from error
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise too_large(f" ({width} × {height})")
        if max(width, height) > 50 * min(width, height):
            raise Problem(
                f"This picture is {width} × {height}: too narrow to be seen in a square. Crop it and try again.",
                f"这张图片是 {width} × {height}，太过狭长，缩成正方形后什么也看不见。请裁剪后再试。",
            )
        try:
            image.draft("RGB", (SIDE, SIDE))  # a JPEG can be decoded at a fraction of its size
            image.load()
            upright = eight_bits(ImageOps.exif_transpose(image)).convert("RGBA")
        except Exception as error:
            raise Problem(
                f"This {image.format} file says it is {width} × {height} but breaks off or is damaged. "
                "Send it again, or save it anew.",
                f"这个 {image.format} 文件标明是 {width} × {height}，但数据不完整或已损坏。请重新上传或另存再试。",
            ) from error
    upright.thumbnail((SIDE, SIDE))
    white = Image.new("RGBA", upright.size, "white")
    white.alpha_composite(upright)
    return np.array(white.convert("RGB"))


def eight_bits(image: Image.Image) -> Image.Image:
    """The same picture where it has 8 bits a channel; 16 bits of grey, which Pillow would cut off at 255, scaled."""
    if not image.mode.startswith("I"):
        return image
    grey = np.clip(np.asarray(image), 0, 65535).astype(np.uint32)
    return Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8))


def too_large(size: str = "") -> Problem:
    """For a picture with more than MAX_PIXELS; `size` is " (width × height)" if it is known."""
    limit = MAX_PIXELS // 1_000_000
    return Problem(
        f"This picture{size} has more than {limit} million pixels. Save it smaller: the network looks at 32 × 32.",
        f"这张图片{size}超过 {limit}00 万像素。请存小一些再试：网络只看 32 × 32。",
    )
