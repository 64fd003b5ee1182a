"""The four published files of Fashion-MNIST: found, verified and read where they lie.

Each is an IDX file packed with gzip: a magic number (0x0800 plus the number of axes), the length of
each axis, then the bytes themselves. torchvision and d2l read the same files in the same place.
"""

import gzip
import hashlib
import os
import struct
import zlib
from pathlib import Path

import torch

URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"  # where its authors publish it
FILES = {  # name: (published MD5, shape)
    "train-images-idx3-ubyte.gz": ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", (60000, 28, 28)),
    "train-labels-idx1-ubyte.gz": ("25c81989df183df01b3e8a0aad5dffbe", (60000,)),
    "t10k-images-idx3-ubyte.gz": ("bef4ecab320f06d8554ea6380940ec79", (10000, 28, 28)),
    "t10k-labels-idx1-ubyte.gz": ("bb300cfdad3c16e7a12a480ee83cd310", (10000,)),
}


def load_fashion_mnist(root=None):
    """Read the four files and return `(train_images, train_labels, test_images, test_labels)`.

    All are uint8 tensors: images `(60000, 28, 28)` and `(10000, 28, 28)`, labels `(60000,)` and
    `(10000,)`. `root` is the folder that holds `FashionMNIST/raw/`, as in torchvision; without it,
    that is the `data` folder beside `course_lib`, and where there is none (the library installed
    alone) the files are downloaded to the user's cache once. Raises `FileNotFoundError` for a
    missing file, `ValueError` for a damaged one, `OSError` for a download that failed.
    """
    beside = Path(__file__).parents[1] / "data"
    if root is None and not (beside / "FashionMNIST" / "raw").is_dir():
        paths = [_download(name) for name in FILES]
    else:
        paths = [_verified(Path(root or beside) / "FashionMNIST" / "raw" / name) for name in FILES]
    return tuple(read_idx(path, FILES[path.name][1]) for path in paths)


def read_idx(path, shape):
    """Read a gzipped IDX file of bytes as a uint8 tensor of the expected `shape`.

    Raises `ValueError` where the header says otherwise, or the bytes are too few or too many.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "two-by-three.gz"
    >>> with gzip.open(path, "wb") as file:
    ...     count = file.write(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes([1, 2, 3, 4, 5, 6]))
    >>> read_idx(path, (2, 3))
    tensor([[1, 2, 3],
            [4, 5, 6]], dtype=torch.uint8)
    """
    values = torch.empty(shape, dtype=torch.uint8)
    try:
        with gzip.open(path) as file:
            magic, *found = struct.unpack(f">{1 + len(shape)}I", file.read(4 + 4 * len(shape)))
            if magic != 0x0800 + len(shape) or tuple(found) != tuple(shape):
                raise ValueError(f"{path}: the header says magic number {magic:#06x} and shape {tuple(found)}, "
                                 f"expected {0x0800 + len(shape):#06x} and {tuple(shape)}")
            # A mebibyte at a time, straight into the tensor: the file is never in memory twice.
            count = sum(file.readinto(part.numpy()) for part in values.view(-1).split(1 << 20))
            if count != values.numel() or file.read(1):
                raise ValueError(f"{path}: {'more' if count == values.numel() else 'fewer'} bytes "
                                 f"than the {values.numel()} that its header announces")
    except (gzip.BadGzipFile, EOFError, zlib.error, struct.error) as error:
        raise ValueError(f"{path} is no whole gzipped IDX file: {error}") from error
    return values


def _verified(path):
    mend = (f"Get it back with `git checkout -- data/FashionMNIST/raw` in the course's folder, "
            f"copy it from elsewhere, or download {_address(path.name)} to that place.")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing. {mend} (`root` names the folder that holds FashionMNIST/raw/.)")
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != FILES[path.name][0]:
        raise ValueError(f"{path} is damaged: {path.stat().st_size} bytes with the MD5 sum {found}, "
                         f"expected {FILES[path.name][0]}. {mend}")
    return path


def _download(name):
    import pooch  # verifies what it finds or fetches, and renames only what is whole

    folder = pooch.os_cache("from-convolution-to-vgg")
    try:
        return Path(pooch.retrieve(_address(name), known_hash="md5:" + FILES[name][0], fname=name,
                                   path=folder / "FashionMNIST" / "raw"))
    except (OSError, ValueError) as error:
        kind = OSError if isinstance(error, OSError) else ValueError
        raise kind(f"{name} could not be downloaded from {_address(name)}: {error}. Connect to the network and try "
                   f"again, set COURSE_DATA_URL to the address of a folder with the four files, or copy them "
                   f"to {folder / 'FashionMNIST' / 'raw'}.") from error


def _address(name):
    # A class behind one slow line sets COURSE_DATA_URL to a mirror in the room.
    return f"{os.environ.get('COURSE_DATA_URL', URL).rstrip('/')}/{name}"
