"""CIFAR-10 (Krizhevsky, 2009) in its binary format: where the files are, downloading and reading them. No torch here.

    TORCHROOM_CIFAR10   the folder cifar-10-batches-bin, or the one that it is in
    TORCHROOM_DATA      folder in which it is looked for otherwise, and to which it is downloaded (default: ./data)
    TORCHROOM_MIRROR    URL of a folder with cifar-10-binary.tar.gz (default: the data set's own site)

Each of the six files has 10,000 rows of 3,073 bytes: a label, then 1,024 red, 1,024 green and 1,024 blue values, row by
row. Nothing is unpickled.
"""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from engine.types import Problem

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
SITE = "https://www.cs.toronto.edu/~kriz/"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
ARCHIVE_BYTES = 170_052_171
UNPACKED_BYTES = 184_380_000
TRAIN = tuple(f"data_batch_{n}.bin" for n in range(1, 6))
TEST = "test_batch.bin"
ROWS = 10_000  # of a file
ROW = 3073  # bytes

Bytes = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]  # (bytes so far, bytes in all)


def data_folder() -> Path:
    """The folder that archives are downloaded and unpacked in."""
    return Path(os.environ.get("TORCHROOM_DATA") or "data")


def folder() -> Path | None:
    """The folder with the six files, or None if there is none; TORCHROOM_CIFAR10 is looked at first."""
    named = os.environ.get("TORCHROOM_CIFAR10")
    places = [Path(named) / FOLDER, Path(named)] if named else []
    places.append(data_folder() / FOLDER)
    return next((place for place in places if all((place / name).is_file() for name in (*TRAIN, TEST))), None)


def available() -> bool:
    """Whether the six files are there."""
    return folder() is not None


def read() -> tuple[Bytes, Bytes, Bytes, Bytes]:
    """Training images (50000, 3, 32, 32) and labels (50000,), test images (10000, 3, 32, 32) and labels (10000,).

    Raises Problem if the files are not there or not what they should be.
    """
    place = folder()
    if place is None:
        named = os.environ.get("TORCHROOM_CIFAR10")
        if named:
            raise Problem(
                f"CIFAR-10 is not in {named} (TORCHROOM_CIFAR10): it should hold {FOLDER} with {', '.join(TRAIN)} and "
                f"{TEST}. Correct the folder, or choose the digits.",
                f"{named}（TORCHROOM_CIFAR10）里没有 CIFAR-10：其中应有 {FOLDER}，内含 {'、'.join(TRAIN)} 和 {TEST}。"
                "请改正这个文件夹，或先用手写数字。",
            )
        raise Problem(
            "CIFAR-10 is not on this machine yet. Press Download, or choose the digits, which need no network.",
            "这台机器上还没有 CIFAR-10。请点“下载”，或先用不需要网络的手写数字。",
        )
    train = [read_file(place / name) for name in TRAIN]
    test = read_file(place / TEST)
    images = np.concatenate([table[:, 1:] for table in train]).reshape(-1, 3, 32, 32)
    labels = np.concatenate([table[:, 0] for table in train])
    return images, labels, np.ascontiguousarray(test[:, 1:]).reshape(-1, 3, 32, 32), test[:, 0].copy()


def read_file(path: Path) -> Bytes:
    """The bytes of a file, uint8 (10000, 3073). Raises Problem for a wrong size or a label above 9."""
    try:
        size = path.stat().st_size
        data = np.fromfile(path, np.uint8) if size == ROWS * ROW else None
    except OSError as error:
        raise Problem(
            f"{path} cannot be read ({error.strerror or error}). Check the file and its permissions.",
            f"无法读取 {path}（{error.strerror or error}）。请检查文件及其权限。",
        ) from error
    if data is None or data.size != ROWS * ROW:
        raise Problem(
            f"{path} has {size:,} bytes; a CIFAR-10 binary file has {ROWS * ROW:,} ({ROWS:,} rows of {ROW:,}). "
            "Delete it and fetch the data again.",
            f"{path} 有 {size:,} 字节，而 CIFAR-10 的二进制文件应为 {ROWS * ROW:,} 字节（{ROWS:,} 行 × {ROW:,}）。"
            "请删除它并重新下载。",
        )
    table = data.reshape(ROWS, ROW)
    highest = int(table[:, 0].max())
    if highest > 9:
        raise Problem(
            f"{path} holds the label {highest}; CIFAR-10 has labels 0 to 9. Delete it and fetch the data again.",
            f"{path} 中出现了标签 {highest}，而 CIFAR-10 的标签只有 0 到 9。请删除它并重新下载。",
        )
    return table


def archive_url() -> str:
    """Where the archive is downloaded from."""
    return (os.environ.get("TORCHROOM_MIRROR") or SITE).rstrip("/") + "/" + ARCHIVE


def download(progress: Progress | None = None, sha256: str = SHA256) -> Path:
    """Downloads, checks and unpacks the archive, and returns the folder.

    A second caller, in this process or another, waits for the first and downloads nothing. The folder appears by one
    rename, after all checks, so what is incomplete is never used. Raises Problem without a network, for an archive that
    is not the official one, for a full disk, and for a folder that cannot be written; trying again is always safe.
    """
    ready = folder()
    if ready is not None:
        return ready
    place = data_folder()
    with disk_problems(place):
        place.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(place / f".{FOLDER}.lock"):
            ready = folder()
            if ready is not None:
                return ready
            with tempfile.TemporaryDirectory(prefix=".cifar-10-", dir=place) as scratch:
                check_free_space(place)
                archive = fetch_archive(Path(scratch), sha256, progress)
                unpacked = unpack(archive, Path(scratch) / "unpacked")
                if (place / FOLDER).exists():  # incomplete, or `folder` would have returned it
                    shutil.rmtree(place / FOLDER)
                unpacked.rename(place / FOLDER)
    return place / FOLDER


def check_free_space(place: Path) -> None:
    """Raises the OSError of a full disk before the download rather than in the middle of it."""
    if shutil.disk_usage(place).free < ARCHIVE_BYTES + UNPACKED_BYTES:
        raise OSError(errno.ENOSPC, "not enough room")


def fetch_archive(scratch: Path, sha256: str, progress: Progress | None) -> Path:
    """The archive, downloaded to `scratch` and compared with `sha256`. Raises Problem, or OSError of the disk."""
    import pooch
    import requests

    path = scratch / ARCHIVE
    try:
        # pooch would raise the same error for a wrong checksum and for a broken connection
        load = pooch.HTTPDownloader(progressbar=ProgressBar(progress), chunk_size=1 << 16, timeout=30)
        load(archive_url(), str(path), None)
    except (requests.RequestException, ValueError) as error:
        url = archive_url()
        raise Problem(
            f"{url} could not be fetched ({summary(error)}). Check the network and try again; or name a mirror in "
            "TORCHROOM_MIRROR, or a folder that has the data in TORCHROOM_CIFAR10. The digits need no network.",
            f"无法下载 {url}（{summary(error)}）。请检查网络后重试；也可以用 TORCHROOM_MIRROR 指定镜像，"
            "或用 TORCHROOM_CIFAR10 指定已有数据的文件夹。手写数字不需要网络。",
        ) from error
    digest = pooch.file_hash(str(path))
    if digest != sha256:
        url, size = archive_url(), path.stat().st_size
        raise Problem(
            f"What {url} sent is not the CIFAR-10 archive: {size:,} bytes with SHA-256 {digest[:12]}…, expected "
            f"{sha256[:12]}…. It was thrown away. Try again, then another mirror (TORCHROOM_MIRROR).",
            f"{url} 返回的不是 CIFAR-10 压缩包：{size:,} 字节，SHA-256 为 {digest[:12]}…，应为 {sha256[:12]}…。"
            "文件已丢弃，请重试；若仍如此，请换一个镜像（TORCHROOM_MIRROR）。",
        )
    return path


def summary(error: Exception) -> str:
    """A failed request in at most 80 characters: its message, or the name of the error."""
    text = type(error).__name__ if not str(error) else str(error)
    return text if len(text) <= 80 else type(error).__name__


class ProgressBar:
    """A progress bar for pooch, which sets `total`, then calls `update` with the number of bytes of each chunk."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.total = 0
        self.done = 0

    def update(self, count: int) -> None:
        self.done = min(self.done + count, self.total or ARCHIVE_BYTES)  # pooch counts the last chunk as a full one
        if self.progress:
            self.progress(self.done, self.total or ARCHIVE_BYTES)

    def reset(self) -> None:
        """Called at the end, before an `update` with all bytes once more."""
        self.done = 0

    def close(self) -> None:
        pass


def unpack(archive: Path, into: Path) -> Path:
    """Unpacks the files of the data set to the new folder `into`, and returns it.

    Raises Problem for an incomplete archive. Members of another name are left out, and paths and links are ignored: no
    archive can write elsewhere.
    """
    wanted = {*TRAIN, TEST, "batches.meta.txt", "readme.html"}
    into.mkdir()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                source = tar.extractfile(member) if member.isfile() and name in wanted else None
                if source is not None:
                    with source, open(into / name, "wb") as target:
                        copy(source, target)
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Problem(
            f"{ARCHIVE} cannot be unpacked ({error}). It was thrown away; try again.",
            f"无法解压 {ARCHIVE}（{error}）。文件已丢弃，请重试。",
        ) from error
    for name in (*TRAIN, TEST):
        if not (into / name).is_file():
            raise Problem(
                f"{ARCHIVE} does not hold {name}. It was thrown away; try another mirror (TORCHROOM_MIRROR).",
                f"{ARCHIVE} 中没有 {name}。文件已丢弃，请换一个镜像（TORCHROOM_MIRROR）。",
            )
        read_file(into / name)
    return into


def copy(source: IO[bytes], target: IO[bytes]) -> None:
    """Copies all bytes of `source`, a mebibyte at a time."""
    shutil.copyfileobj(source, target, 1 << 20)


@contextmanager
def disk_problems(place: Path) -> Any:
    """Turns an OSError of the disk with the folder `place` into a Problem."""
    try:
        yield
    except OSError as error:
        if isinstance(error, Problem) or error.errno is None:
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            need = (ARCHIVE_BYTES + UNPACKED_BYTES) // 1_000_000
            raise Problem(
                f"The disk with {place.resolve()} is full: unpacking CIFAR-10 takes {need} MB. Make room, or name "
                "another folder in TORCHROOM_DATA, then try again. Nothing half-written was kept.",
                f"{place.resolve()} 所在的磁盘已满：解压 CIFAR-10 时需要 {need} MB。请腾出空间，"
                "或用 TORCHROOM_DATA 指定别的文件夹，然后重试。没有留下任何不完整的文件。",
            ) from error
        raise Problem(
            f"{place.resolve()} cannot be written ({error.strerror}). Name another folder in TORCHROOM_DATA.",
            f"无法写入 {place.resolve()}（{error.strerror}）。请用 TORCHROOM_DATA 指定别的文件夹。",
        ) from error


@contextmanager
def exclusive_lock(path: Path) -> Any:
    """Holds a lock of all threads and processes; the system releases it if the process dies."""
    with open(path, "w") as handle:
        try:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        except ImportError:  # pragma: no cover - Windows
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
        yield


if __name__ == "__main__":
    print(download())
