"""The 1,797 handwritten digits that come with scikit-learn (Alpaydin and Kaynak, 1998), as small colour images.

Image lessons use them where CIFAR-10 is missing: they need no network. Each 8 x 8 image with values 0 to 16 becomes
uint8 (3, 16, 16): every pixel doubled in both directions, the same grey in all channels. No torch here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CLASSES = tuple("0123456789")
SIZE = 16
TEST = 300  # images

Bytes = npt.NDArray[np.uint8]


def read() -> tuple[Bytes, Bytes, Bytes, Bytes]:
    """Training images (1497, 3, 16, 16) and labels (1497,), test images (300, 3, 16, 16) and labels (300,).

    The test images are the last 300 of the file: scikit-learn keeps the order of the writers, so most of their writers
    appear in no training image.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    grey = np.rint(data.images * (255 / 16)).astype(np.uint8)
    images = np.ascontiguousarray(np.repeat(grey.repeat(2, axis=1).repeat(2, axis=2)[:, None], 3, axis=1))
    labels = data.target.astype(np.uint8)
    return images[:-TEST], labels[:-TEST], images[-TEST:], labels[-TEST:]
