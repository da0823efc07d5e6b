"""Decodes images and masks, for all readers alike."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Integer, UInt8
from PIL import Image, ImageOps

from net2vec.data.image_files import (
    IMAGE_FORMATS,
    ImageSource,
    open_image,
    refuse_unread_format,
)
from net2vec.errors import DataError

_AVIF = frozenset({".avif"})
IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp"}
) | (_AVIF if "AVIF" in IMAGE_FORMATS else frozenset())
"""Suffixes of the images that are read."""

UNREAD_SUFFIXES = (
    frozenset({".heic", ".heif", ".jp2", ".jxl", ".svg", ".eps", ".dng", ".nef", ".cr2"}) | _AVIF
) - IMAGE_SUFFIXES
"""Suffixes of other images, which are counted where they are left out."""

INDEX_MODES = frozenset({"P", "L", "1", "I", "I;16", "I;16L", "I;16B", "I;16N"})
"""Pillow's modes of images with one number a pixel."""

_DIRECT_MODES = frozenset({"RGB", "L", "1", "P", "CMYK", "YCbCr", "RGBX"})
_ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_ORIENTATION = 0x0112
_GREY_STEPS = {"L;2": 85, "L;4": 17}
_LOSSY_FORMATS = frozenset({"JPEG", "MPO", "AVIF"})
_BACKGROUND = (255, 255, 255)
_MIN_RANGE_16_BITS = 4096


def read_image(path: ImageSource) -> Image.Image:
    """Decodes an image file to RGB, upright.

    EXIF rotation is applied. Greyscale is repeated over the channels; 16-bit greyscale keeps its
    eight high bits, and is refused where these are nearly all 0 (12-bit images in 16-bit files);
    CMYK is converted without a colour profile; transparent pixels are composited onto white; only
    the first of several frames is read.

    Raises:
        DataError: if the file is missing, damaged, of another format (see `image_files`), or has
            no standard conversion to RGB (floating point, 32-bit integers, Lab).
    """
    with open_image(path) as image:
        image.load()
        return upright_rgb(image, path)


def upright_rgb(image: Image.Image, path: ImageSource | str) -> Image.Image:
    """Converts an open image as `read_image` does, without changing it.

    Args:
        image: of any mode.
        path: its name in errors.

    Raises:
        DataError: if its mode has no standard conversion to RGB, or it is not loaded yet and has
            none of the formats that are read from files.
    """
    refuse_unread_format(image, str(path))
    return _as_rgb(ImageOps.exif_transpose(image), path)


def _as_rgb(image: Image.Image, path: ImageSource | str) -> Image.Image:
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        layer = image.convert("RGBA")
        page = Image.new("RGBA", layer.size, (*_BACKGROUND, 255))
        return Image.alpha_composite(page, layer).convert("RGB")
    if image.mode in _DIRECT_MODES:
        return image.convert("RGB")
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if 0 < values.max() < _MIN_RANGE_16_BITS:
            raise DataError(
                f"{path}: 16-bit grey of values up to {values.max()}, nearly black; scale it to 0 "
                "to 65535 or save it with 8 bits"
            )
        if values.min() >= 0 and values.max() < 2**16:
            return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
        raise DataError(f"{path}: 32-bit integers; convert it to an 8- or 16-bit image")
    raise DataError(f"{path}: pixels of kind {image.mode}; convert it to an 8-bit RGB image")


def read_image_size(path: ImageSource) -> tuple[int, int]:
    """The (height, width) of an image in pixels after EXIF rotation, from its header.

    Raises:
        DataError: if the file is missing or not an image.
    """
    with open_image(path) as image:
        width, height = image.size
        transposed = _orientation(image) in (5, 6, 7, 8)
    return (width, height) if transposed else (height, width)


def read_orientation(path: ImageSource) -> int:
    """The EXIF orientation of an image, 1 (upright) to 8, from its header.

    Raises:
        DataError: if the file is missing or not an image.
    """
    with open_image(path) as image:
        return _orientation(image)


def _orientation(image: Image.Image) -> int:
    # Damaged files have text or fractions here, which Pillow's transposition takes for upright.
    value = image.getexif().get(_ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def read_mask(path: ImageSource, *, palettes: bool) -> np.ndarray:
    """Decodes a mask of class numbers or of colours.

    Args:
        path: palette or greyscale of 1 to 16 bits, or RGB.
        palettes: whether images of one number a pixel, and RGB of three equal parts, are given as
            colours too.

    Returns:
        Class numbers [y, x] or colours [y, x, 3].

    Raises:
        DataError: if the file is missing, damaged or stored with losses, or its numbers would be
            misread: several frames, 16 bits a channel, transparent pixels that have a value.
    """
    with open_image(path) as image:
        if image.format in _LOSSY_FORMATS:
            raise DataError(f"{path}: stored as {image.format}, which blurs masks; wanted PNG")
        stored = _stored_as(image)
        if (frames := getattr(image, "n_frames", 1)) > 1:
            raise DataError(f"{path}: holds {frames} frames; wanted a mask of one")
        if len(image.getbands()) > 1 and ";16" in stored:
            raise DataError(
                f"{path}: stored as {stored}, of whose 16 bits a channel eight would be lost; save "
                "class numbers as a greyscale PNG, colours with 8 bits a channel"
            )
        image.load()
        if "A" in image.getbands():
            _refuse_transparent_values(path, image)
        if palettes and image.mode in ("P", "L", "1", "RGB", "RGBA", "PA", "LA"):
            return np.asarray(image.convert("RGB"))
        if image.mode in ("RGB", "RGBA", "LA"):
            channels = np.asarray(image.convert("RGB"))
            equal = (channels[..., :1] == channels).all()
            return channels[..., 0].astype(np.int32) if equal else channels
        if image.mode not in INDEX_MODES:
            raise DataError(
                f"{path}: pixels of kind {image.mode}; a mask is a palette, greyscale or RGB image"
            )
        values = np.asarray(image).astype(np.int32)
        # Pillow scales 2- and 4-bit greyscale to 0..255.
        if stored in _GREY_STEPS:
            return values // _GREY_STEPS[stored]
        if stored.startswith("L;"):
            raise DataError(
                f"{path}: grey stored as {stored} is not read as the numbers in it; save the mask "
                "as an 8-bit PNG"
            )
        return values


def _refuse_transparent_values(path: ImageSource, image: Image.Image) -> None:
    """Checks that no pixel which is not opaque has a value: whether it is meant is not known."""
    clear = np.asarray(image.getchannel("A")) < 255
    if count := int(np.asarray(image.convert("RGB"))[clear].any(axis=-1).sum()):
        raise DataError(
            f"{path}: {count} pixels are transparent and have a value or colour all the same; save "
            "the mask without alpha, black where nothing is annotated"
        )


def read_palette(path: ImageSource) -> UInt8[np.ndarray, "value 3"] | None:
    """The colours of a palette image by pixel value, from its header; None for others.

    Raises:
        DataError: if the file is missing or not an image.
    """
    with open_image(path) as image:
        palette = image.getpalette("RGB") if image.mode == "P" else None
    return None if palette is None else np.array(palette, np.uint8).reshape(-1, 3)


def _stored_as(image: Image.Image) -> str:
    """Pillow's raw mode of the file; empty if unknown or after loading."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else None
    mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return mode if isinstance(mode, str) else ""


def count_values(path: ImageSource, limit: int) -> tuple[str, int | None]:
    """Number of distinct pixel values or colours of an image.

    Args:
        path: the image.
        limit: largest number to count.

    Returns:
        Pillow's mode of the image, and the number of values; None if it exceeds `limit`.

    Raises:
        DataError: if the file is missing or damaged.
    """
    with open_image(path) as image:
        image.load()
        if image.mode.startswith("I"):
            values = np.unique(np.asarray(image))  # getcolors() needs 8 bits
            count = len(values) if len(values) <= limit else None
        else:
            colors = image.getcolors(limit)
            count = None if colors is None else len(colors)
        return image.mode, count


def read_color_mask(path: ImageSource) -> UInt8[np.ndarray, "y x 3"]:
    """Decodes a mask that encodes numbers in the channels of an RGB image.

    Raises:
        DataError: if the file is missing, damaged, or not an RGB image.
    """
    with open_image(path) as image:
        image.load()
        if image.mode not in ("RGB", "RGBA"):
            raise DataError(f"{path}: pixels of kind {image.mode}; this mask must be an RGB image")
        return np.asarray(image.convert("RGB"))


def same_shape(mask: tuple[int, ...], image: tuple[int, int]) -> bool:
    """Whether two (height, width, ...) have the same aspect, up to rounding."""
    (rows, columns), (height, width) = mask[:2], image
    return abs(rows * width - columns * height) <= max(height, width)


def check_mask(
    path: ImageSource, mask: Integer[np.ndarray, "y x *channels"], image: tuple[int, int]
) -> None:
    """Checks that a mask has the aspect of its image of (height, width).

    Otherwise the mask was probably drawn before the image's EXIF rotation, and resizing would
    assign it to the wrong pixels.

    Raises:
        DataError: if the mask has another aspect.
    """
    if not same_shape(mask.shape, image):
        (rows, columns), (height, width) = mask.shape[:2], image
        raise DataError(f"{path}: the mask is {columns}x{rows}, its image {width}x{height}")


def resize_labels(
    labels: Integer[np.ndarray, "y x"], size: tuple[int, int]
) -> Int[np.ndarray, "height width"]:
    """Resizes a label map to (height, width) by Pillow's nearest neighbour."""
    if labels.shape == size:
        return labels.astype(np.int32, copy=False)
    height, width = size
    resized = Image.fromarray(labels.astype(np.int32)).resize(
        (width, height), Image.Resampling.NEAREST
    )
    return np.asarray(resized)
