"""Folders and archives of images: what is read, how it is resized and split, and what is left out for which reason."""

import io
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from brep_mae.datasets import image_files
from brep_mae.datasets.image_files import Refused, decode
from brep_mae.datasets.images import LEFT_OUT, Images, read_about, store_images
from brep_mae.datasets.lazy.listed import REJECTS, read_list
from brep_mae.datasets.source import SourceError
from brep_mae.output.files import OutputError
from brep_mae.output.folder import output_folder
from brep_mae.schema import UNLABELLED

CIFAR = Path("../shared/data/cifar10.tar")


def content(color: int = 0, size: tuple[int, int] = (20, 20), suffix: str = "png", mode: str = "RGB") -> bytes:
    """A picture whose left half has a colour and whose right half is white."""
    image = Image.new("RGB", size, (color, 255 - color, 7))
    image.paste((255, 255, 255), (size[0] // 2, 0, *size))
    out = io.BytesIO()
    image.convert(mode).save(out, {"jpg": "JPEG"}.get(suffix, suffix.upper()))
    return out.getvalue()


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def archive(path: Path, files: dict[str, bytes], link: tuple[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        if link:
            member = tarfile.TarInfo(link[0])
            member.type, member.linkname = tarfile.SYMTYPE, link[1]
            tar.addfile(member)
    return path


def store(path: Path, work: Path, size: int = 16, limit: int = 0) -> Path:
    return store_images(path, size, limit, 0.2, 0.2, work)


def two_classes(n: int) -> dict[str, bytes]:
    return {f"{'cat' if i % 2 else 'dog'}/{i:03d}.png": content(i) for i in range(n)}


def test_a_folder_and_an_archive_of_the_same_files_give_the_same_batches(tmp_path):
    files = two_classes(30)
    a = store(write(tmp_path / "folder", files), tmp_path / "w1")
    b = store(archive(tmp_path / "a.tar.gz", files), tmp_path / "w2")
    assert read_about(a) == read_about(b)
    one, other = Images(a, "train").at_step(0, 3, 4), Images(b, "train").at_step(0, 3, 4)
    assert one.uid == other.uid
    assert torch.equal(one.frames.image, other.frames.image)


def test_a_batch_has_one_frame_each_in_0_to_1_and_no_faces(tmp_path):
    data = Images(store(write(tmp_path / "in", two_classes(12)), tmp_path), "train", "validation", "test")
    batch = data.batch(data.uids[:3])
    assert batch.faces is None
    assert batch.frames.image.shape == (3, 1, 3, 16, 16)
    assert batch.frames.face.shape == (3, 1, 16, 16)
    assert (batch.frames.face == -1).all()
    assert 0 <= batch.frames.image.min() < batch.frames.image.max() <= 1


def test_subfolders_are_classes_and_a_flat_folder_has_none(tmp_path):
    folder = store(write(tmp_path / "in", {f"set/{k}": v for k, v in two_classes(12).items()}), tmp_path)
    data = Images(folder, "train", "validation", "test")
    assert data.about.classes == ["cat", "dog"]
    assert all(data.about.classes[n] in uid for uid, n in zip(data.uids, data.labels(), strict=True))
    flat = store(write(tmp_path / "flat", {f"{i}.png": content(i) for i in range(4)}), tmp_path)
    assert set(Images(flat, "train").labels()) == {UNLABELLED}


def test_a_batch_holds_the_classes_of_its_images_where_faces_are_read(tmp_path):
    files = two_classes(12) | {"untold.png": content(99)}
    folder = store(write(tmp_path / "in", files), tmp_path)
    data = Images(folder, "train", "validation", "test", read=frozenset({"frames", "faces"}))
    batch = data.batch(data.uids)
    assert batch.faces.n_solids == len(data) and len(batch.faces.label) == 0
    assert batch.faces.part.tolist() == data.labels().tolist()
    told = [data.about.classes[n] in uid for uid, n in zip(data.uids, batch.faces.part, strict=True) if n >= 0]
    assert all(told) and len(told) == 12
    assert [data.uids[i] for i in np.flatnonzero(~data.labelled(data.uids))] == ["untold.png"]
    assert not Images(folder, "train").labelled(data.uids).any(), "who reads no classes has none"


def test_side_folders_are_the_split_and_a_missing_side_comes_out_of_train(tmp_path):
    files = {f"all/{side}/{name}": data for side in ("train", "test") for name, data in two_classes(20).items()}
    files |= {name: content(100 + i) for i, name in enumerate(files) if "test" in name}
    about = read_about(store(write(tmp_path / "in", files), tmp_path))
    assert len(about.split["test"]) == 20
    assert all("all/test/" in uid for uid in about.split["test"])
    assert 0 < len(about.split["validation"]) < 10
    assert all("all/train/" in uid for uid in about.split["validation"])
    assert sum(map(len, about.split.values())) == len(set().union(*about.split.values())) == 40
    assert about.classes == ["cat", "dog"]


def test_the_split_does_not_move_when_images_are_added(tmp_path):
    few = read_about(store(write(tmp_path / "in", two_classes(40)), tmp_path)).split
    more = read_about(store(write(tmp_path / "in", two_classes(60)), tmp_path)).split
    assert all(set(few[side]) <= set(more[side]) for side in few)


def test_what_is_left_out_is_counted_with_a_reason(tmp_path):
    files = two_classes(6) | {
        "cat/broken.png": content(200)[:60],
        "cat/no.jpg": b"not a picture",
        "cat/empty.png": b"",
        "cat/tiny.png": content(90, (3, 40)),
        "cat/again.png": content(0),
        "README.txt": b"about",
    }
    folder = store(write(tmp_path / "in", files), tmp_path)
    about, rejects = read_about(folder), read_list(folder / REJECTS, LEFT_OUT, "")
    assert about.reasons == {"duplicate": 1, "not_an_image": 1, "too_small": 1, "unreadable": 3}
    assert len(about.labels) + len(rejects) == len(files)
    assert {r["file"] for r in rejects if r["reason"] == "too_small"} == {"cat/tiny.png"}


def test_a_small_file_of_more_pixels_than_the_limit_is_left_out():
    out = io.BytesIO()
    Image.new("1", (8001, 8000)).save(out, "PNG")
    assert len(out.getvalue()) < 50_000
    refused = decode("bomb.png", out.getvalue(), 16)
    assert isinstance(refused, Refused) and refused.reason == "too_large"
    assert "bomb.png" in refused.detail and "8001 x 8000" in refused.detail


def test_a_thin_image_is_left_out_and_none_is_made_larger_than_the_square_that_is_kept():
    """8 x 8 million pixels in 10 kB: their resizing to a shorter side of 64 would take 12 GB."""
    out = io.BytesIO()
    Image.new("1", (8, 8_000_000)).save(out, "PNG")
    assert len(out.getvalue()) < 50_000
    script = f"""
import resource
from brep_mae.datasets.image_files import decode
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
content = bytes.fromhex("{out.getvalue().hex()}")
print(decode("thin.png", content, 64).reason)
"""
    done = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True)
    assert done.stdout.strip() == "too_thin", done.stderr[-300:]
    widest = content(3, (8 * image_files.MAX_RATIO, 8))
    assert decode("wide.png", widest, 64).shape == (64, 64, 3)
    assert decode("thin.png", content(3, (8, 8 * image_files.MAX_RATIO + 1)), 64).reason == "too_thin"


def test_16_bits_are_rounded_to_the_nearest_of_8(tmp_path):
    deep = np.arange(0, 65536, 257 // 4, dtype=np.uint16)
    square = np.resize(deep, (1024, 1024))
    out = io.BytesIO()
    Image.fromarray(square).save(out, "PNG")
    assert (decode("a.png", out.getvalue(), 1024)[..., 0] == (square / 257).round()).all()


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.xz", "tar.bz2"])
def test_a_damaged_archive_is_an_error_that_names_it_or_a_reject_of_what_it_holds(tmp_path, suffix):
    """Cut off anywhere, and one byte after another changed; never an error of the library."""
    whole = archive(tmp_path / f"a.{suffix}", two_classes(6)).read_bytes()
    cut = [whole[: len(whole) * i // 12] for i in range(12)]
    step = max(1, len(whole) // 60)
    flipped = [whole[:i] + bytes([whole[i] ^ 0xFF]) + whole[i + 1 :] for i in range(0, len(whole), step)]
    refused = 0
    for number, damaged in enumerate(cut + flipped):
        path = tmp_path / f"{number}.{suffix}"
        path.write_bytes(damaged)
        try:
            total, files = image_files.read_files(path, 0)
            assert len(list(files)) >= total
        except SourceError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ") and re.search("fetch it again|point it at", str(error))
    assert refused >= 11


def test_a_file_of_more_bytes_than_the_limit_is_left_out_unread(tmp_path, monkeypatch):
    files = {"big.png": content(0, (200, 200)), "small.png": content(0, (8, 8))}
    monkeypatch.setattr(image_files, "MAX_BYTES", len(files["small.png"]))
    for path in (write(tmp_path / "in", files), archive(tmp_path / "a.tar.gz", files)):
        read = dict(image_files.read_files(path, 0)[1])
        assert isinstance(read["big.png"], Refused) and read["big.png"].reason == "too_large"
        assert read["small.png"] == files["small.png"]


def test_an_archive_can_neither_write_nor_read_outside_itself(tmp_path):
    path = archive(
        tmp_path / "a.tar.gz",
        two_classes(5) | {"../../outside.png": content(77)},
        link=("cat/link.png", "/etc/passwd"),
    )
    about = read_about(store(path, tmp_path / "work" / "deep"))
    assert about.reasons == {"not_a_file": 1}
    assert not list(tmp_path.rglob("outside.png"))
    assert "../../outside.png" in about.labels  # a name, no more


def test_resizing_keeps_the_middle_square_of_the_shorter_side(tmp_path):
    pixels = decode("a.png", content(0, (40, 20)), 10)
    assert pixels.shape == (10, 10, 3)
    assert pixels[5, 1].tolist() == [0, 255, 7]
    assert pixels[5, 8].tolist() == [255, 255, 255]
    assert decode("a.png", content(0, (8, 8)), 32).shape == (32, 32, 3)


def test_transparency_becomes_white_grey_three_channels_and_16_bits_8():
    def encoded(image: Image.Image) -> bytes:
        out = io.BytesIO()
        image.save(out, "PNG")
        return out.getvalue()

    clear = decode("a.png", encoded(Image.new("RGBA", (16, 16), (9, 9, 9, 0))), 8)
    assert (clear == 255).all()
    grey = decode("a.png", encoded(Image.new("L", (16, 16), 100)), 8)
    assert (grey == 100).all()
    deep = decode("a.png", encoded(Image.fromarray(np.full((16, 16), 257 * 40, np.uint16))), 8)
    assert (deep == 40).all()


def test_a_limit_is_a_sample_that_stays_the_same_and_is_not_one_side_of_the_split(tmp_path):
    root = write(tmp_path / "in", two_classes(60))
    some = read_about(store(root, tmp_path / "a", limit=15))
    assert len(some.labels) == 15
    assert some == read_about(store(root, tmp_path / "b", limit=15))
    assert len(some.split["train"]) > 5, "a sample by the hash of the split would lie in the other sides"


def test_thinning_keeps_all_classes_and_the_order(tmp_path):
    data = Images(store(write(tmp_path / "in", two_classes(60)), tmp_path), "train")
    few = data.thinned(8)
    assert len(few) == 8 and set(few.labels()) == {0, 1}
    assert list(few.uids) == [uid for uid in data.uids if uid in few.uids]
    assert data.thinned(1000).uids == data.uids


def test_nothing_usable_is_an_error_that_names_the_path(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere: neither a folder nor a tar archive"):
        store(tmp_path / "nowhere", tmp_path)
    with pytest.raises(SourceError, match=r"holds no \.png"):
        store(write(tmp_path / "text", {"a.txt": b""}), tmp_path)
    with pytest.raises(SourceError, match=r"none of its images can be read: .*unreadable"):
        store(write(tmp_path / "bad", {"a.png": b"x"}), tmp_path)
    assert isinstance(decode("a.gif", content(1, suffix="gif"), 8), Refused)


def test_the_store_is_made_once_and_again_when_a_file_changes(tmp_path):
    root, work = write(tmp_path / "in", two_classes(6)), tmp_path / "work"
    first = store(root, work)
    made = (first / "images.json").stat().st_mtime_ns
    assert store(root, work) == first and (first / "images.json").stat().st_mtime_ns == made
    write(root, {"cat/new.png": content(250)})
    assert store(root, work) != first


def test_cifar10_has_ten_classes_and_its_own_test_side(tmp_path):
    if not CIFAR.is_file():
        pytest.skip(f"needs {CIFAR}")
    data = Images(store(CIFAR, tmp_path, size=32, limit=300), "train", "validation", "test")
    assert len(data.about.classes) == 10
    assert set(data.labels()) == set(range(10))
    assert len(data) + sum(data.about.reasons.values()) == 300
    assert all("/test/" in uid for uid in data.about.split["test"])


def test_a_store_that_another_process_fills_is_not_begun_a_second_time(tmp_path):
    given = write(tmp_path / "in", two_classes(6))
    folder = store(given, tmp_path)
    shutil.rmtree(folder)
    with output_folder(folder), pytest.raises(OutputError, match="is writing it; remedy: wait"):
        store(given, tmp_path)
    store(given, tmp_path)
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]
