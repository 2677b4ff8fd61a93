from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import threading
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import mrcfile
import numpy as np
import pytest
import tifffile
from PIL import Image

from cryopick_napari.errors import CryopickError
from cryopick_napari.files import replacing
from cryopick_napari.micrograph import check_spacing, find_micrographs, read_micrograph, write_mrc

ROWS, COLUMNS = 37, 50  # a rectangle with an odd side
RAMP = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) % 120  # rows and columns all differ; fits into int8


def mrc(path: Path, image: np.ndarray, voxel: object = None, order: str = "<", **fields: object) -> Path:
    """Write an MRC file of any byte order, and then change fields of its header."""
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(image)
        if voxel is not None:
            file.voxel_size = voxel
        header = np.array(file.header)
        pixels = np.array(file.data)
    header = header.astype(header.dtype.newbyteorder(order))
    header["machst"] = [0x44, 0x44, 0, 0] if order == "<" else [0x11, 0x11, 0, 0]
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.tobytes() + pixels.astype(pixels.dtype.newbyteorder(order)).tobytes())
    return path


def tif(path: Path, image: np.ndarray, **options: object) -> Path:
    tifffile.imwrite(path, image, **options)
    return path


def pillow(path: Path, image: np.ndarray, **options: object) -> Path:
    Image.fromarray(image).save(path, **options)
    return path


def png_promising(path: Path, width: int, height: int) -> Path:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", size), chunk(b"IDAT", zlib.compress(bytes(100))), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def jpeg_promising(path: Path, width: int, height: int) -> Path:
    pillow(path, RAMP.astype("u1"))
    content = bytearray(path.read_bytes())
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    path.write_bytes(content)
    return path


def tiff_promising(path: Path, width: int, height: int, **options: object) -> Path:
    tif(path, RAMP.astype("f4"), **options)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags["ImageWidth"].overwrite(width)
        file.pages.first.tags["ImageLength"].overwrite(height)
    return path


def unfinished(path: Path) -> Path:
    tif(path, RAMP.astype("f4"), rowsperstrip=8)
    with tifffile.TiffFile(path, mode="r+") as file:
        counts = file.pages.first.tags["StripByteCounts"]
        counts.overwrite([*counts.value[:-1], 0])
    return path


def cut(path: Path, share: float = 0.5) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def error_of(path: str | Path, spacing: float | None = None) -> str:
    """Read what must not be readable; the message is one line and names the file."""
    with pytest.raises(CryopickError) as caught:
        read_micrograph(path, spacing)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 220 + len(str(path))
    return message


def assert_reads(path: Path, expected: np.ndarray) -> None:
    micrograph = read_micrograph(path)
    assert micrograph.image.dtype == np.float32
    assert micrograph.image.flags["C_CONTIGUOUS"]
    assert micrograph.image.flags["OWNDATA"] and micrograph.image.flags["WRITEABLE"]
    assert micrograph.shape == expected.shape
    assert micrograph.path == path
    np.testing.assert_array_equal(micrograph.image, expected.astype(np.float32))


# Formats: every test image has distinct rows and columns, so a flip or a transposition would show.


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["i1", "i2", "f4", "u2", "f2"])
def test_mrc_modes_and_byte_orders(tmp_path: Path, kind: str, order: str) -> None:
    image = (RAMP - (0 if kind == "u2" else 60)).astype(kind)
    assert_reads(mrc(tmp_path / "a.mrc", image, order=order), image)


def test_mrc_first_row_is_where_the_pixels_begin(tmp_path: Path) -> None:
    path = mrc(tmp_path / "a.mrc", RAMP.astype("f4"))
    first = np.frombuffer(path.read_bytes()[1024 : 1024 + 4 * COLUMNS], "<f4")
    np.testing.assert_array_equal(read_micrograph(path).image[0], first)


def test_mrc_with_one_section_and_an_extended_header(tmp_path: Path) -> None:
    path = tmp_path / "a.mrcs"
    with mrcfile.new(path) as file:
        file.set_data(RAMP[None].astype("i2"))
        file.set_extended_header(np.zeros(131, "V1"))
    assert_reads(path, RAMP)


@pytest.mark.parametrize("order", ["<", ">"])
def test_mrc_without_or_with_wrong_stamps(tmp_path: Path, order: str) -> None:
    image = RAMP.astype("f4")
    for fields in ({"map": b"\0\0\0\0"}, {"machst": [0] * 4}, {"map": b"", "machst": [0] * 4}):
        assert_reads(mrc(tmp_path / "a.mrc", image, order=order, **fields), image)


def test_mrc_longer_than_promised_is_read(tmp_path: Path) -> None:
    path = mrc(tmp_path / "a.mrc", RAMP.astype("f4"))
    path.write_bytes(path.read_bytes() + b"rest")
    assert_reads(path, RAMP)


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"])
def test_tiff_types(tmp_path: Path, kind: str) -> None:
    image = (RAMP - (60 if kind[0] != "u" else 0)).astype(kind)
    assert_reads(tif(tmp_path / "a.tif", image), image)


@pytest.mark.parametrize(
    "options",
    [
        {"byteorder": ">"},
        {"bigtiff": True},
        {"imagej": True},
        {"ome": True},
        {"tile": (16, 16)},
        {"rowsperstrip": 8},
        {"compression": "zlib"},
        {"compression": "zlib", "tile": (16, 16)},
    ],
)
def test_tiff_layouts(tmp_path: Path, options: dict[str, object]) -> None:
    assert_reads(tif(tmp_path / "a.tif", RAMP.astype("u2"), **options), RAMP)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "f4"])
def test_tiff_lzw_needs_no_extra_codecs(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tif"
    assert cv2.imwrite(str(path), RAMP.astype(kind), [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    assert_reads(path, RAMP)


def test_png_and_jpeg(tmp_path: Path) -> None:
    assert_reads(pillow(tmp_path / "a.png", RAMP.astype("u1")), RAMP)
    assert_reads(pillow(tmp_path / "b.png", (RAMP * 500).astype("u2")), RAMP * 500)
    assert_reads(pillow(tmp_path / "c.png", RAMP % 2 == 0), RAMP % 2 == 0)
    rows = np.repeat(np.linspace(0, 255, ROWS).astype("u1")[:, None], COLUMNS, axis=1)
    image = read_micrograph(pillow(tmp_path / "a.jpg", rows, quality=95)).image
    np.testing.assert_allclose(image, rows, atol=6)


def test_an_orientation_tag_turns_nothing(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    rows = np.repeat(np.linspace(0, 255, ROWS).astype("u1")[:, None], COLUMNS, axis=1)
    for name in ("a.jpg", "a.png", "a.tif"):
        image = read_micrograph(pillow(tmp_path / name, rows, exif=exif)).image
        assert image[0].mean() < 10 < 240 < image[-1].mean()


@pytest.mark.parametrize(
    ("name", "channels"),
    [("a.png", 3), ("a.png", 4), ("a.jpg", 3), ("a.tif", 3), ("a.tif", 4), ("lzw.tif", 3), ("lzw.tif", 4)],
)
def test_equal_colours_are_grey(tmp_path: Path, name: str, channels: int) -> None:
    grey = np.repeat(np.arange(ROWS, dtype="u1")[:, None], COLUMNS, axis=1)
    image = np.stack([grey] * 3 + [np.full_like(grey, 255)] * (channels - 3), axis=-1)
    path = pillow(tmp_path / name, image, **({"compression": "tiff_lzw"} if name == "lzw.tif" else {}))
    np.testing.assert_allclose(read_micrograph(path).image, grey, atol=3)
    coloured = image.copy()
    coloured[..., 1] = 255 - coloured[..., 1]
    assert "colour" in error_of(pillow(tmp_path / name, coloured))


def test_other_ways_of_colour(tmp_path: Path) -> None:
    grey = RAMP.astype("u1")
    transparent = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(grey)])
    transparent.save(tmp_path / "la.png")
    Image.fromarray(grey).convert("P").save(tmp_path / "p.png")
    tifffile.imwrite(
        tmp_path / "planes.tif", np.stack([grey] * 3), photometric="rgb", planarconfig="separate"
    )
    for name in ("la.png", "p.png", "planes.tif"):
        assert_reads(tmp_path / name, grey)
    cv2.imwrite(str(tmp_path / "deep.png"), np.stack([RAMP.astype("u2")] * 3, axis=-1))
    assert "16-bit grey" in error_of(tmp_path / "deep.png")


def test_a_wrong_extension_does_not_matter(tmp_path: Path) -> None:
    assert_reads(mrc(tmp_path / "mrc.png", RAMP.astype("f4")), RAMP)
    assert_reads(mrc(tmp_path / "mrc", RAMP.astype("f4")), RAMP)
    pillow(tmp_path / "a.png", RAMP.astype("u1")).rename(tmp_path / "png.mrc")
    tif(tmp_path / "a.tif", RAMP.astype("u2")).rename(tmp_path / "tif.jpg")
    assert_reads(tmp_path / "png.mrc", RAMP)
    assert_reads(tmp_path / "tif.jpg", RAMP)


# Values.


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_not_finite_becomes_the_median(tmp_path: Path, bad: float) -> None:
    image = RAMP.astype("f8")
    image[3, 4] = image[-1, 0] = bad
    others = np.delete(image.ravel(), [3 * COLUMNS + 4, (ROWS - 1) * COLUMNS])
    read = read_micrograph(tif(tmp_path / "a.tif", image)).image
    assert np.isfinite(read).all()
    assert read[3, 4] == read[-1, 0] == np.float32(np.median(others))
    np.testing.assert_array_equal(read[0], image[0])


def test_a_whole_field_is_copied_once(tmp_path: Path) -> None:
    side = 2048
    path = mrc(tmp_path / "a.mrc", np.tile(np.arange(side, dtype="f4"), (side, 1)))
    read_micrograph(mrc(tmp_path / "first.mrc", RAMP.astype("f4")))  # imports are not what is measured
    tracemalloc.start()
    read_micrograph(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.1 * 4 * side * side


def test_reading_in_threads(tmp_path: Path) -> None:
    paths = [mrc(tmp_path / f"{i}.mrc", RAMP.astype("f4") + i) for i in range(8)]
    read: dict[int, float] = {}

    def job(i: int) -> None:
        read[i] = float(read_micrograph(paths[i]).image[0, 0])

    threads = [threading.Thread(target=job, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == {i: float(i) for i in range(8)}


# Errors.


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def text(path: Path) -> Path:
    path.write_text("x,y\n" * 1000)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def link_to_nothing(path: Path) -> Path:
    path.symlink_to("nowhere")
    return path


def noise(side: tuple[int, int] = (ROWS, COLUMNS)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, side).astype("u1")


F4 = RAMP.astype("f4")
BROKEN: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "missing": (lambda p: p, "a.mrc", "no such file"),
    "link to nothing": (link_to_nothing, "a.mrc", "no such file"),
    "a folder": (folder, "a.mrc", "folder"),
    "a pipe": (fifo, "a.mrc", "ordinary file"),
    "empty mrc": (empty, "a.mrc", "empty"),
    "empty png": (empty, "a.png", "empty"),
    "text named mrc": (text, "a.mrc", "is not an MRC"),
    "text named png": (text, "a.png", "is not an MRC"),
    "zeros named mrc": (lambda p: p.write_bytes(bytes(5000)) and p, "a.mrc", "is not an MRC"),
    "cut mrc": (lambda p: cut(mrc(p, F4)), "a.mrc", f"{1024 + F4.nbytes} bytes or more, the file holds 4212"),
    "cut by a byte": (lambda p: cut(mrc(p, F4), 0.9999), "a.mrc", "cut short"),
    "cut in the header": (lambda p: cut(mrc(p, F4), 0.03), "a.mrc", "cut short"),
    "cut tif": (lambda p: cut(tif(p, F4)), "a.tif", "cut short"),
    "unfinished tif": (unfinished, "a.tif", "never written"),
    "cut compressed tif": (lambda p: cut(tif(p, noise(), compression="zlib")), "a.tif", "cut short"),
    "cut lzw tif": (lambda p: cut(pillow(p, noise(), compression="tiff_lzw"), 0.4), "a.tif", "cut short"),
    "cut in the tif's tags": (lambda p: cut(tif(p, F4), 0.005), "a.tif", "cut short"),
    "only tif's first bytes": (lambda p: p.write_bytes(b"II*\0") and p, "a.tif", "cut short"),
    "cut png": (lambda p: cut(pillow(p, noise())), "a.png", "cut short"),
    "cut in png's header": (lambda p: cut(pillow(p, noise()), 0.01), "a.png", "cut short"),
    "cut jpg": (lambda p: cut(pillow(p, noise((200, 200)))), "a.jpg", "cut short"),
    "cut in jpg's header": (lambda p: cut(pillow(p, noise()), 0.02), "a.jpg", "cut short"),
    "mrc stack": (lambda p: mrc(p, np.stack([F4] * 5)), "a.mrcs", "holds 5 frames: sum or motion-correct"),
    "mrc volume stack": (lambda p: mrc(p, np.stack([F4] * 6), ispg=401, mz=3), "a.mrc", "6 frames"),
    "tif pages": (lambda p: tif(p, np.stack([F4] * 3), photometric="minisblack"), "a.tif", "holds 3 frames"),
    "imagej stack": (lambda p: tif(p, np.stack([F4] * 3), imagej=True), "a.tif", "holds 3 frames"),
    "one-directory tif": (
        lambda p: tif(p, np.stack([F4] * 3), truncate=True, photometric="minisblack"), "a.tif", "3 frames"
    ),
    "animated png": (
        lambda p: pillow(p, noise(), save_all=True, append_images=[Image.fromarray(noise() // 2)]),
        "a.png", "2 frames",
    ),
    "constant mrc": (lambda p: mrc(p, F4 * 0 + 3), "a.mrc", "constant"),
    "constant png": (lambda p: pillow(p, noise() * 0), "a.png", "constant"),
    "constant but for a NaN": (lambda p: tif(p, np.where(F4 == 7, np.nan, 2.0)), "a.tif", "constant"),
    "nothing finite": (lambda p: tif(p, F4 * np.nan), "a.tif", "no finite"),
    "infinite": (lambda p: tif(p, np.full((64, 64), 1e300)), "a.tif", "no finite"),
    "small mrc": (lambda p: mrc(p, F4[:31]), "a.mrc", "only 50 x 31 px"),
    "small tif": (lambda p: tif(p, F4[:, :31]), "a.tif", "only 31 x 37 px"),
    "small png": (lambda p: pillow(p, noise()[:5]), "a.png", "only 50 x 5 px"),
    "small jpg": (lambda p: pillow(p, noise()[:5]), "a.jpg", "only 50 x 5 px"),
    "complex mrc": (lambda p: mrc(p, F4.astype("c8")), "a.mrc", "complex"),
    "complex shorts": (lambda p: mrc(p, F4, mode=3), "a.mrc", "complex"),
    "4-bit mrc": (lambda p: mrc(p, F4, mode=101), "a.mrc", "mode 101"),
    "complex tif": (lambda p: tif(p, F4.astype("c8")), "a.tif", "complex64"),
    "no columns": (lambda p: mrc(p, F4, nx=0), "a.mrc", "damaged"),
    "negative rows": (lambda p: mrc(p, F4, ny=-37), "a.mrc", "damaged"),
    "no sections": (lambda p: mrc(p, F4, nz=0), "a.mrc", "damaged"),
    "negative extended header": (lambda p: mrc(p, F4, nsymbt=-5), "a.mrc", "damaged"),
    "no png rows": (lambda p: png_promising(p, 50, 0), "a.png", "damaged"),
    "unequal voxels": (lambda p: mrc(p, F4, voxel=(1.5, 2.5, 1.5)), "a.mrc", "1.5 Å/px along x but 2.5"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_each_error_is_one_line_with_the_file_and_the_remedy(tmp_path: Path, case: str) -> None:
    make, name, expected = BROKEN[case]
    message = error_of(make(tmp_path / name))
    assert expected in message
    assert ": " in message.removeprefix(str(tmp_path))  # what is wrong: what to do


HUGE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "mrc": (lambda p: mrc(p, F4, nx=2**31 - 1, ny=2**31 - 1), "a.mrc"),
    "mrc below the limit": (lambda p: mrc(p, F4, nx=2**15, ny=2**15), "a.mrc"),
    "mrc, bytes": (lambda p: mrc(p, RAMP.astype("i1"), nx=2**16, ny=2**14), "a.mrc"),
    "mrc, extended header": (lambda p: mrc(p, F4, nsymbt=2**31 - 1), "a.mrc"),
    "png": (lambda p: png_promising(p, 2**31 - 1, 2**31 - 1), "a.png"),
    "png below the limit": (lambda p: png_promising(p, 30000, 30000), "a.png"),
    "jpg": (lambda p: jpeg_promising(p, 65500, 65500), "a.jpg"),
    "jpg below the limit": (lambda p: jpeg_promising(p, 30000, 30000), "a.jpg"),
    "tif": (lambda p: tiff_promising(p, 2**32 - 1, 2**32 - 1), "a.tif"),
    "tif below the limit": (lambda p: tiff_promising(p, 30000, 30000), "a.tif"),
    "compressed tif": (lambda p: tiff_promising(p, 30000, 30000, compression="zlib"), "a.tif"),
    "tiled tif": (lambda p: tiff_promising(p, 30000, 30000, tile=(16, 16)), "a.tif"),
}  # fmt: skip


@pytest.mark.parametrize("case", HUGE)
def test_a_huge_promise_allocates_nothing(tmp_path: Path, case: str) -> None:
    make, name = HUGE[case]
    path = make(tmp_path / name)
    error_of(tmp_path / "missing.mrc")
    tracemalloc.start()
    error_of(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("name", ["a.mrc", "a.tif", "z.tif", "lzw.tif", "a.png", "a.jpg"])
def test_damaged_bytes_give_pixels_or_one_line(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if name == "a.mrc":
        mrc(path, F4)
    elif name.startswith("z"):
        tif(path, noise(), compression="zlib")
    else:
        pillow(path, noise(), **({"compression": "tiff_lzw"} if name == "lzw.tif" else {}))
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 400), 4):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            assert np.isfinite(read_micrograph(path).image).all()
        except CryopickError as error:
            assert str(path) in str(error)
            assert "\n" not in str(error)
    assert "Traceback" not in capfd.readouterr().err


def test_no_permission(tmp_path: Path) -> None:
    path = mrc(tmp_path / "a.mrc", F4)
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything, so be nobody for a moment
    try:
        assert "permission" in error_of(path)
    finally:
        os.seteuid(user)


def test_a_name_that_cannot_be_one() -> None:
    for name in ("a\0b.mrc", "a" * 5000 + ".mrc"):
        with pytest.raises(CryopickError):
            read_micrograph(name)


# Pixel size.


def test_the_header_tells_the_spacing(tmp_path: Path) -> None:
    micrograph = read_micrograph(mrc(tmp_path / "a.mrc", F4, voxel=1.77))
    assert micrograph.spacing == pytest.approx(1.77)
    assert read_micrograph(mrc(tmp_path / "a.mrc", F4, voxel=1.77, order=">")).spacing == pytest.approx(1.77)


@pytest.mark.parametrize("voxel", [0.0, 1.0, -1.5, np.nan, np.inf, (1.5, 0, 0)])
def test_headers_that_do_not_know_never_contradict(tmp_path: Path, voxel: object) -> None:
    path = mrc(tmp_path / "a.mrc", F4, voxel=voxel)
    assert read_micrograph(path).spacing is None
    assert read_micrograph(path, 1.77).spacing == 1.77


def test_headers_without_a_sampling_do_not_know(tmp_path: Path) -> None:
    assert read_micrograph(mrc(tmp_path / "a.mrc", F4, voxel=1.77, mx=0)).spacing is None


def test_the_given_spacing_wins_within_a_percent(tmp_path: Path) -> None:
    path = mrc(tmp_path / "a.mrc", F4, voxel=1.77)
    assert read_micrograph(path, 1.78).spacing == 1.78
    for wrong in (1.80, 1.0, 17.7):
        message = error_of(path, wrong)
        assert "1.77" in message
        assert f"{wrong:g}" in message
        assert "drop --spacing" in message


def test_a_spacing_is_checked_without_reading_pixels(tmp_path: Path) -> None:
    knows, unknown = mrc(tmp_path / "a.mrc", F4, voxel=1.77), mrc(tmp_path / "b.mrc", F4, voxel=0)
    check_spacing(knows, 1.78)
    check_spacing(unknown, 3)
    with pytest.raises(CryopickError, match=r"a\.mrc says itself that its pixels are 1\.77 Å, not 3"):
        check_spacing(knows, 3)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(CryopickError, match="above 0"):
            check_spacing(unknown, wrong)


@pytest.mark.parametrize("spacing", [0, 0.0, -1.0, float("nan"), float("inf")])
def test_a_given_spacing_must_make_sense(tmp_path: Path, spacing: float) -> None:
    assert "above 0" in error_of(mrc(tmp_path / "a.mrc", F4), spacing)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"imagej": True, "resolution": (10 / 1.77, 10 / 1.77), "metadata": {"unit": "nm"}}, 1.77),
        ({"imagej": True, "resolution": (1e4 / 1.77, 1e4 / 1.77), "metadata": {"unit": "um"}}, 1.77),
        ({"imagej": True, "resolution": (1e4 / 1.77, 1e4 / 1.77), "metadata": {"unit": "\\u00B5m"}}, 1.77),
        ({"imagej": True, "resolution": (1 / 1.77, 1 / 1.77), "metadata": {"unit": "angstrom"}}, 1.77),
        ({"imagej": True, "resolution": (1 / 1.77, 1 / 1.77), "metadata": {"unit": "pixel"}}, None),
        ({"imagej": True, "resolution": (1 / 1.77, 1 / 1.77)}, None),
        ({"imagej": True, "resolution": (1, 1), "metadata": {"unit": "um"}}, None),
        ({"ome": True, "metadata": {"PhysicalSizeX": 1.77, "PhysicalSizeXUnit": "Å",
                                    "PhysicalSizeY": 1.77, "PhysicalSizeYUnit": "Å"}}, 1.77),
        ({"ome": True, "metadata": {"PhysicalSizeX": 1.77e-4, "PhysicalSizeY": 1.77e-4}}, 1.77),
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.177, "PhysicalSizeXUnit": "nm",
                                    "PhysicalSizeY": 0.177, "PhysicalSizeYUnit": "nm"}}, 1.77),
        ({"ome": True}, None),
        ({"resolution": (1e8 / 1.77, 1e8 / 1.77), "resolutionunit": "CENTIMETER"}, 1.77),
        ({"resolution": (2.54e8 / 1.77, 2.54e8 / 1.77), "resolutionunit": "INCH"}, 1.77),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
        ({"resolution": (72, 72), "resolutionunit": "CENTIMETER"}, None),
        ({"resolution": (0, 0), "resolutionunit": "INCH"}, None),
        ({"resolution": (1, 1), "resolutionunit": "NONE"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_tiff_spacing(tmp_path: Path, options: dict[str, object], expected: float | None) -> None:
    path = tif(tmp_path / "a.tif", F4, **options)
    assert read_micrograph(path).spacing == (None if expected is None else pytest.approx(expected, rel=1e-3))
    assert read_micrograph(path, 1.77).spacing == 1.77


def test_png_and_jpeg_know_no_spacing(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg"):
        assert read_micrograph(pillow(tmp_path / name, noise(), dpi=(300, 300))).spacing is None


# Writing.


@pytest.mark.parametrize("spacing", [None, 1.77])
def test_mrc_round_trip(tmp_path: Path, spacing: float | None) -> None:
    path = tmp_path / "a.mrc"
    write_mrc(path, RAMP.astype("f8").T.copy().T, spacing)
    micrograph = read_micrograph(path)
    np.testing.assert_array_equal(micrograph.image, RAMP)
    assert micrograph.spacing == (None if spacing is None else pytest.approx(spacing))
    assert mrcfile.validate(path, print_file=io.StringIO())
    assert [file.name for file in tmp_path.iterdir()] == ["a.mrc"]


def test_write_mrc_refuses_what_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shape"):
        write_mrc(tmp_path / "a.mrc", np.zeros((2, 3, 4)), None)
    with pytest.raises(ValueError, match="above 0"):
        write_mrc(tmp_path / "a.mrc", F4, 0.0)
    assert not list(tmp_path.iterdir())


def test_maps_with_nan_are_written_without_a_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_mrc(tmp_path / "a.mrc", np.where(F4 == 7, np.nan, F4), 1.5)
    assert read_micrograph(tmp_path / "a.mrc").shape == F4.shape


def test_unwritable_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "no" / "a.mrc", tmp_path / "file" / "a.mrc", tmp_path, Path("/dev/full")):
        with pytest.raises(CryopickError, match=f"cannot write {path}"):
            write_mrc(path, F4, None)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert Path("/dev/full").is_char_device()


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "a.mrc"
    write_mrc(path, F4, 1.5)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(CryopickError, match="cannot write"):
            write_mrc(path, np.zeros((500, 500)), None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    np.testing.assert_array_equal(read_micrograph(path).image, F4)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mrc"]


def test_replacing_keeps_the_suffix_and_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".csv"
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_writes_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("real.csv")
    with replacing(tmp_path / "link.csv") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"


# Finding.


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder as a microscope session leaves it."""
    for name in ("b.mrc", "a.TIF", ".hidden.mrc", "c.star", "sub/d.png", "sub/deep/e.jpeg", "odd [1]/f.mrcs"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.mrc").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["."], ["a.TIF", "b.mrc"]),
        (["b.mrc"], ["b.mrc"]),
        (["sub", "."], ["sub/d.png", "a.TIF", "b.mrc"]),
        (["*.mrc"], ["b.mrc"]),
        (["*"], ["a.TIF", "b.mrc"]),
        (["**/*"], ["a.TIF", "b.mrc", "odd [1]/f.mrcs", "sub/d.png", "sub/deep/e.jpeg"]),
        (["odd [1]/f.mrcs"], ["odd [1]/f.mrcs"]),
        (["odd [1]"], ["odd [1]/f.mrcs"]),
        (["sub/../b.mrc", "b.mrc", "."], ["sub/../b.mrc", "a.TIF"]),
        ([], []),
    ],
)
def test_words_for_micrographs(session: Path, words: list[str], expected: list[str]) -> None:
    assert find_micrographs(words) == [Path(name) for name in expected]


def test_absolute_words(session: Path) -> None:
    assert find_micrographs([str(session / "**" / "*.png")]) == [session / "sub" / "d.png"]
    assert find_micrographs([session / "b.mrc", "b.mrc"]) == [session / "b.mrc"]


def test_a_list(session: Path) -> None:
    listed = session / "sub" / "list.txt"
    listed.write_text(
        f"\ufeff# mine\r\nd.png\n\n  b.mrc  \n{session / 'a.TIF'}\nd.png\ndeep/*.jpeg\n", "utf-8"
    )
    sub = Path("sub")
    expected = [sub / "d.png", Path("b.mrc"), session / "a.TIF", sub / "deep" / "e.jpeg"]
    assert find_micrographs(["@sub/list.txt"]) == expected


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nothing.mrc"], "nothing.mrc"),
        (["b.mrc", "empty"], "empty"),
        (["*.jpg"], "*.jpg"),
        (["*.star"], "*.star"),
        ([""], "no such"),
        (["@missing.txt"], "@missing.txt"),
        (["@blank.txt"], "@blank.txt"),
        (["@wrong.txt"], "nowhere.mrc"),
        (["@bytes.txt"], "@bytes.txt"),
        (["@sub"], "@sub"),
        (["@"], "@"),
        (["a\0b"], "a\0b"),
    ],
)
def test_words_for_nothing(session: Path, words: list[str], named: str) -> None:
    (session / "blank.txt").write_text("# nothing\n\n")
    (session / "wrong.txt").write_text("b.mrc\nnowhere.mrc\n")
    (session / "bytes.txt").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(CryopickError) as caught:
        find_micrographs(words)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    assert words[0].startswith("@") or ".mrc .mrcs .map .tif" in str(caught.value)


# The real thing.


def test_real_files(data: Path) -> None:
    noisy = read_micrograph(next((data / "empiar-10146" / "micrographs").glob("*.png")), 1.5)
    assert noisy.shape == (1200, 1240)
    assert noisy.spacing == 1.5
    icy = read_micrograph(data / "micrograph-cleaner" / "micrograph.mrc")
    assert icy.shape == (927, 959)
    assert icy.spacing is None  # its header says 1
    assert "holds 65 frames" in error_of(data / "volumes" / "ribosome70s.mrc")


def test_importing_is_light() -> None:
    code = (
        "import sys, cryopick_napari.micrograph; "
        "print(*{'torch', 'napari', 'qtpy', 'matplotlib', 'tifffile', 'mrcfile', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stdout.strip()
