"""Bytes to store: random-looking, the same in every run and every worker."""

import functools
import os
import pathlib
import random

from . import places

MIB = 1024 * 1024
FIVE_MIB = 5 * MIB

# Around every boundary of the format: empty, chunk (16 KiB), smallest part (5 MiB); then several parts.
SIZES = (0, 1, 16383, 16384, 16385, FIVE_MIB - 1, FIVE_MIB, FIVE_MIB + 1, 20 * MIB + 7)
MULTIPART_SIZE = 70 * MIB + 13

# What shells, URLs, XML and file systems each find hard. Only what a POSIX file name can hold.
NASTY_NAMES = (
    "plain.txt",
    "with space.txt",
    " leading and trailing ",
    "plus+plus.txt",
    "percent%20already.txt",
    "percent%",
    "凭证/二〇二六年/总账 一月.pdf",
    "emoji-🗝.bin",
    "é-composed-é-decomposed.txt",
    "quotes'\"`.txt",
    "amp&<xml>.txt",
    "query?a=b#fragment",
    "semi;colon:comma,at@eq=dollar$",
    "brackets[1]{2}(3)",
    "star*tilde~caret^bang!",
    "back\\slash",
    "pipe|.txt",
    "...dots...",
    "deep/" * 20 + "leaf",
)


@functools.lru_cache(maxsize=32)
def content(size: int, seed: int = 1) -> bytes:
    """`size` bytes that do not repeat."""
    return random.Random(f"{size}/{seed}").randbytes(size)


def file_of(size: int, seed: int = 1) -> pathlib.Path:
    """A file of this run that holds `content(size, seed)`."""
    path = places.run_folder() / "files" / f"{size}-{seed}"
    with places.locked("files"):
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content(size, seed))
    return path


def write_tree(folder: pathlib.Path, names, size: int = 1000) -> dict[str, bytes]:
    """Files of different content under `folder`; what each holds."""
    tree = {}
    for seed, name in enumerate(names, start=1):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tree[name] = content(size + seed, seed)
        write_old(path, tree[name])
    return tree


def write_old(path: pathlib.Path, content: bytes) -> None:
    """A file last changed long ago: Last-Modified has whole seconds, so a file of this second looks newer."""
    path.write_bytes(content)
    os.utime(path, (1_700_000_000, 1_700_000_000))


def read_tree(folder: pathlib.Path) -> dict[str, bytes]:
    """Every file under `folder` by its relative name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
