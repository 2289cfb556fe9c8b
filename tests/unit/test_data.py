"""Data sets: read as they should be, fetched from a local server that misbehaves in every way, and pictures checked."""

from __future__ import annotations

import errno
import hashlib
import http.server
import io
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.datasets import cifar10, digits, picture
from engine.datasets.cut import cut
from engine.datasets.images import load_images
from engine.types import Problem

FEW = 100


def binary_file(seed: int) -> bytes:
    """A file in the official layout: 10,000 rows, the label n % 10 first, then random pixels."""
    rows = np.random.default_rng(seed).integers(0, 256, (cifar10.ROWS, cifar10.ROW), np.uint8)
    rows[:, 0] = np.arange(cifar10.ROWS) % 10
    return rows.tobytes()


def pack(files: dict[str, bytes]) -> bytes:
    """A .tar.gz with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def archive() -> bytes:
    """An archive in the official layout with FEW rows in each file."""
    content = binary_file(0)[: FEW * cifar10.ROW]
    return pack({f"{cifar10.FOLDER}/{name}": content for name in (*cifar10.TRAIN, cifar10.TEST)})


class Mirror:
    """A web server on this machine; `answer` is what it sends, `cut` after how many bytes the line breaks."""

    def __init__(self) -> None:
        self.answer = b""
        self.cut = -1
        self.status = 200
        self.asked = 0
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.asked += 1
                self.send_response(mirror.status)
                self.send_header("Content-Length", str(len(mirror.answer)))
                self.end_headers()
                self.wfile.write(mirror.answer[: mirror.cut] if mirror.cut >= 0 else mirror.answer)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/sets/"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, archive: bytes) -> Iterator[Mirror]:
    made = Mirror()
    made.answer = archive
    monkeypatch.setenv("TORCHROOM_MIRROR", made.url)
    monkeypatch.setenv("TORCHROOM_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("TORCHROOM_CIFAR10", raising=False)
    monkeypatch.setattr(cifar10, "ROWS", FEW)
    yield made
    made.close()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def nothing_left(tmp_path: Path) -> bool:
    """No folder that counts as the data, and no piece of a download."""
    left = {path.name for path in (tmp_path / "data").iterdir()} - {f".{cifar10.FOLDER}.lock"}
    return not cifar10.available() and not left


# CIFAR-10


def test_binary_files_are_read_in_their_layout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for number, name in enumerate((*cifar10.TRAIN, cifar10.TEST)):
        (tmp_path / name).write_bytes(binary_file(number))
    monkeypatch.setenv("TORCHROOM_CIFAR10", str(tmp_path))
    images, labels, test_images, test_labels = cifar10.read()
    assert images.shape == (50_000, 3, 32, 32)
    assert test_images.shape == (10_000, 3, 32, 32)
    assert images.dtype == labels.dtype == test_labels.dtype == np.uint8
    for index, file, row in ((0, 0, 0), (12_345, 1, 2_345), (49_999, 4, 9_999)):
        raw = binary_file(file)[row * 3073 : (row + 1) * 3073]
        assert labels[index] == raw[0]
        assert images[index, 0, 0, 1] == raw[1 + 1]  # red, first line, second pixel
        assert images[index, 1, 2, 3] == raw[1 + 1024 + 2 * 32 + 3]  # green
        assert images[index, 2, 31, 31] == raw[3072]  # blue, last pixel


def test_the_folder_may_hold_the_files_or_their_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inner = tmp_path / cifar10.FOLDER
    inner.mkdir()
    for name in (*cifar10.TRAIN, cifar10.TEST):
        (inner / name).touch()
    monkeypatch.setenv("TORCHROOM_CIFAR10", str(tmp_path))
    assert cifar10.folder() == inner
    monkeypatch.setenv("TORCHROOM_CIFAR10", str(inner))
    assert cifar10.folder() == inner


def test_a_file_of_another_size_or_with_another_label_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(binary_file(0)[:-1])
    with pytest.raises(Problem, match="30,729,999 bytes"):
        cifar10.read_file(path)
    path.write_bytes(b"\x0a" + binary_file(0)[1:])
    with pytest.raises(Problem, match="label 10"):
        cifar10.read_file(path)


def test_a_folder_without_the_data_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCHROOM_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("TORCHROOM_CIFAR10", str(tmp_path))
    with pytest.raises(Problem, match="TORCHROOM_CIFAR10") as found:
        cifar10.read()
    assert str(tmp_path) in found.value.zh
    monkeypatch.delenv("TORCHROOM_CIFAR10")
    with pytest.raises(Problem, match="digits"):
        cifar10.read()


def test_a_download_is_checked_unpacked_and_counted(mirror: Mirror, tmp_path: Path, archive: bytes) -> None:
    seen: list[tuple[int, int]] = []
    assert not cifar10.available()
    place = cifar10.download(lambda done, total: seen.append((done, total)), sha(archive))
    assert place == tmp_path / "data" / cifar10.FOLDER
    assert cifar10.available()
    assert seen[-1] == (len(archive), len(archive))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert cifar10.read()[1].tolist() == [n % 10 for n in range(FEW)] * 5
    cifar10.download(sha256="never looked at: the data are here")
    assert mirror.asked == 1


def test_two_who_want_it_at_once_share_one_download(mirror: Mirror, archive: bytes) -> None:
    places: list[Path] = []
    both = [threading.Thread(target=lambda: places.append(cifar10.download(None, sha(archive)))) for _ in range(3)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(places) == 3
    assert mirror.asked == 1


def test_no_network_is_said_and_leaves_nothing(mirror: Mirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCHROOM_MIRROR", "http://127.0.0.1:9/")
    with pytest.raises(Problem, match="Check the network") as found:
        cifar10.download()
    assert "网络" in found.value.zh
    assert "http://127.0.0.1:9/cifar-10-binary.tar.gz" in found.value.en
    assert nothing_left(tmp_path)


def test_a_page_that_is_not_there_is_said(mirror: Mirror, tmp_path: Path) -> None:
    mirror.status = 404
    with pytest.raises(Problem, match="could not be fetched"):
        cifar10.download()
    assert nothing_left(tmp_path)


def test_a_broken_line_never_counts_and_trying_again_works(mirror: Mirror, tmp_path: Path, archive: bytes) -> None:
    mirror.cut = len(archive) // 2
    with pytest.raises(Problem, match="try again"):
        cifar10.download(None, sha(archive))
    assert nothing_left(tmp_path)
    mirror.cut = -1
    cifar10.download(None, sha(archive))
    assert cifar10.available()


def test_a_wrong_checksum_is_said_and_thrown_away(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="not the CIFAR-10 archive") as found:
        cifar10.download()
    assert "SHA-256" in found.value.zh
    assert nothing_left(tmp_path)


def test_a_full_disk_is_said_before_and_during(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, archive: bytes
) -> None:
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        with pytest.raises(Problem, match="is full") as found:
            cifar10.download(None, sha(archive))
    assert "已满" in found.value.zh
    assert mirror.asked == 0

    def full(source: Any, target: Any) -> None:
        target.write(source.read(1000))
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(cifar10, "copy", full)
        with pytest.raises(Problem, match="is full"):
            cifar10.download(None, sha(archive))
    assert nothing_left(tmp_path)


def test_a_folder_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCHROOM_DATA", str(tmp_path / "file" / "data"))
    monkeypatch.delenv("TORCHROOM_CIFAR10", raising=False)
    with pytest.raises(Problem, match="TORCHROOM_DATA"):
        cifar10.download()


def test_an_archive_cannot_write_elsewhere(mirror: Mirror, tmp_path: Path) -> None:
    mirror.answer = pack({"../../escaped.bin": b"x", f"/tmp/{cifar10.TEST}": b"y"})
    with pytest.raises(Problem, match=r"does not hold data_batch_1\.bin"):
        cifar10.download(None, sha(mirror.answer))
    assert nothing_left(tmp_path)
    assert not list(tmp_path.rglob("escaped.bin"))


def test_what_is_no_archive_is_said(mirror: Mirror, tmp_path: Path) -> None:
    mirror.answer = b"<html>Please sign in</html>"
    with pytest.raises(Problem, match="cannot be unpacked"):
        cifar10.download(None, sha(mirror.answer))
    assert nothing_left(tmp_path)


def test_a_process_killed_in_the_middle_leaves_nothing_that_counts(mirror: Mirror, tmp_path: Path) -> None:
    """What it had written lies in a folder of another name; the lock went with it; the next try works."""
    code = (
        "import os, signal; from engine.datasets import cifar10; "
        f"cifar10.ROWS = {FEW}; cifar10.unpack = lambda *_: os.kill(os.getpid(), signal.SIGKILL); "
        f"cifar10.download(None, {sha(mirror.answer)!r})"
    )
    ended = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), timeout=60, check=False)
    assert ended.returncode == -9
    assert not cifar10.available()
    cifar10.download(None, sha(mirror.answer))
    assert cifar10.available()


def test_reading_needs_no_torch() -> None:
    code = "import sys; from engine.datasets import cifar10, digits, picture; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


# digits


def test_digits_are_scikit_learns_own() -> None:
    from sklearn.datasets import load_digits

    images, labels, test_images, test_labels = digits.read()
    whole = np.concatenate([images, test_images])
    found = load_digits()
    assert whole.shape == (1797, 3, 16, 16)
    assert whole.dtype == np.uint8
    assert (np.concatenate([labels, test_labels]) == found.target).all()
    for channel in range(3):
        for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
            small = whole[:, channel, corner[0] :: 2, corner[1] :: 2]
            assert np.abs(small / 255 * 16 - found.images).max() < 0.04


@pytest.mark.parametrize("name", ["digits", pytest.param("cifar10", marks=pytest.mark.cifar)])
def test_the_three_parts_are_kept_apart(name: str) -> None:
    import torch

    from engine.datasets.images import load_images, load_official

    if name == "cifar10" and not cifar10.available():
        pytest.skip("needs real CIFAR-10: TORCHROOM_CIFAR10 is not set")
    percent = 10 if name == "cifar10" else 20
    data = load_images(name, "cpu", percent)
    images, labels, test_images, test_labels = (cifar10 if name == "cifar10" else digits).read()
    assert len(data.validation) == round(len(images) * percent / 100)
    assert len(data.train) + len(data.validation) == len(images)
    assert (data.test.images.numpy() == test_images).all()
    assert (data.test.labels.numpy() == test_labels).all()
    both = np.concatenate([data.train.images.numpy(), data.validation.images.numpy()])
    assert sorted(map(digest, both)) == sorted(map(digest, images))
    some = images[:5000]
    for channel in range(3):
        assert abs(data.mean[channel].item() - some[:, channel].mean() / 255) < 0.01
        assert abs(data.std[channel].item() - some[:, channel].std() / 255) < 0.01
    every = load_official(name, "cpu")[0]
    assert data.train.frames.data_ptr() == every.frames.data_ptr()  # one copy, whatever the split
    other = load_images(name, "cpu", 2)
    assert len(other.train) > len(data.train)
    assert torch.equal(other.train.labels[: len(data.train)], data.train.labels)
    again = np.random.RandomState(0).permutation(len(images))[-len(data.validation) :]
    assert (data.validation.labels.numpy() == labels[again]).all()


def digest(image: np.ndarray[Any, Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(image).tobytes())


def test_a_set_that_does_not_exist_is_named() -> None:
    from engine.datasets.images import load_images

    with pytest.raises(Problem, match="mnist"):
        load_images("mnist", "cpu", 20)


# pictures


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def test_a_small_picture_comes_back_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert (picture.decode(encoded(Image.fromarray(pixels))) == pixels).all()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_every_format_is_bounded_to_256(form: str) -> None:
    found = picture.decode(encoded(Image.new("RGB", (900, 600), (200, 30, 30)), form))
    assert found.shape == (171, 256, 3)
    assert np.abs(found.astype(int) - (200, 30, 30)).max() < 12


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "I;16", "RGBA"])
def test_every_kind_of_pixel_becomes_rgb(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    assert picture.decode(encoded(Image.new(mode, (8, 8)), form)).shape == (8, 8, 3)


def test_sixteen_bits_of_grey_are_scaled_and_not_cut_off() -> None:
    """As scanners and microscopes write them: 32768 of 65535 is the grey 128 of 255, by numpy's rounding as by ours."""
    ramp = np.linspace(0, 65535, 256 * 40).astype(np.uint16).reshape(40, 256)
    ramp[0, :3] = 0, 32768, 65535
    found = picture.decode(encoded(Image.fromarray(ramp)))
    assert found[0, :3, 0].tolist() == [0, 128, 255]
    assert (found == np.rint(ramp / 257.0).astype(np.uint8)[..., None]).all()


def test_transparent_becomes_white_and_turned_becomes_upright() -> None:
    assert (picture.decode(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)))) == 255).all()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    assert picture.decode(encoded(Image.new("RGB", (40, 20)), "JPEG", exif=exif)).shape == (40, 20, 3)


def header_only(width: int, height: int) -> bytes:
    """A PNG that says it is large and holds almost nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(10_000, 5_000), (20_000, 10_000), (60_000, 60_000)])
def test_a_picture_of_fifty_megapixels_is_refused_by_its_header(width: int, height: int) -> None:
    with pytest.raises(Problem, match="24 million pixels") as found:
        picture.decode(header_only(width, height))
    assert "2400 万像素" in found.value.zh


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_truncated_picture_is_refused(form: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8))
    whole = encoded(noise, form)
    with pytest.raises(Problem, match=r"breaks off|not a picture"):
        picture.decode(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"<svg/>", bytes(5000), b"\xff\xd8\xff"]
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(Problem) as found:
        picture.decode(content)
    assert found.value.zh


def test_a_very_large_file_and_a_very_narrow_picture_are_refused() -> None:
    with pytest.raises(Problem, match="20 MB"):
        picture.decode(bytes(20_000_001))
    with pytest.raises(Problem, match="too narrow"):
        picture.decode(encoded(Image.new("RGB", (2000, 3))))


def test_a_batch_is_cut_where_it_is_asked_and_mirrored() -> None:
    split = load_images("digits", "cpu", 20).train
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randint(0, len(split), (50,), generator=generator)
    places = torch.randint(0, 2 * split.border + 1, (2, 50), generator=generator)
    mirrored = torch.rand(50, generator=generator) < 0.5
    crops = cut(split, chosen, places, mirrored)
    size = split.images.shape[2]
    for n in range(50):
        y, x = places[:, n].tolist()
        wanted = split.frames[chosen[n], y : y + size, x : x + size]
        assert torch.equal(crops[n], wanted.flip(1) if mirrored[n] else wanted)
