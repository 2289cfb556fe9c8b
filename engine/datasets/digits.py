"""The 1,797 real handwritten digits that come with scikit-learn (Alpaydin and Kaynak, 1998), as small colour images.

They are here so that every image lesson works without a network. Each 8 x 8 picture with values 0 to 16 becomes
16 x 16 x 3 bytes: every pixel doubled in both directions, the same grey in all three channels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CLASSES = tuple("0123456789")
SIZE = 16
TEST = 300

Bytes = npt.NDArray[np.uint8]


def read() -> tuple[Bytes, Bytes, Bytes, Bytes]:
    """Training images (1497, 3, 16, 16) and labels (1497,), test images (300, 3, 16, 16) and labels (300,).

    The test images are the last 300 of the file: scikit-learn keeps the order of the writers, so most of these
    hands appear in no training image.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    grey = np.rint(found.images * (255 / 16)).astype(np.uint8)
    images = np.ascontiguousarray(np.repeat(grey.repeat(2, axis=1).repeat(2, axis=2)[:, None], 3, axis=1))
    labels = found.target.astype(np.uint8)
    return images[:-TEST], labels[:-TEST], images[-TEST:], labels[-TEST:]
