"""Downloads and unpacks published datasets by name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import pooch

from net2vec.core.messages import did_you_mean
from net2vec.data.files import folder_in_one_stroke
from net2vec.data.tools.downloading import (
    DownloadError,
    Progress,
    ResumingDownloader,
    discard,
    has_begun,
    hidden_path,
)
from net2vec.data.tools.unpacking import BadArchiveError, unpack
from net2vec.errors import DataError


@dataclass(frozen=True)
class Publication:
    """A dataset that is published as one archive.

    Attributes:
        file: the archive's name.
        about: a description.
        urls: its addresses in the order of trial; none if its owners require a registration.
        checksum: `md5:...` of the archive; a download with another checksum is refused.
        reported_checksum: an unverified checksum; another one only causes a warning.
        terms: address of the registration or the terms of use.
    """

    file: str
    about: str
    urls: tuple[str, ...] = ()
    checksum: str | None = None
    reported_checksum: str | None = None
    terms: str = ""


def _broden(size: int, reported_checksum: str | None = None) -> Publication:
    file = f"broden1_{size}.zip"
    original = f"http://netdissect.csail.mit.edu/data/{file}"
    return Publication(
        file,
        f"Broden (Bau et al. 2017) at {size} pixels: 63,305 images in six categories",
        (
            original,
            f"https://web.archive.org/web/2024id_/{original}",
            # A copy for networks of actions, said there to contain regions of actions as well.
            f"http://data.csail.mit.edu/soundnet/actions3/{file}",
        ),
        reported_checksum=reported_checksum,
    )


PUBLICATIONS: Mapping[str, Publication] = MappingProxyType(
    {
        "broden1_224": _broden(224, "md5:be13c292eaef3300da03f8d0e48eab1c"),
        "broden1_227": _broden(227),
        "broden1_384": _broden(384),
        "ade20k": Publication(
            "ADE20K_2021_17_01.zip",
            "the full ADE20K (Zhou et al. 2017): objects, parts and scenes",
            terms="https://groups.csail.mit.edu/vision/datasets/ADE20K/",
        ),
        "ade20k_scene_parsing": Publication(
            "ADEChallengeData2016.zip",
            "ADE20K scene parsing: 22,210 images in 150 classes",
            ("http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",),
        ),
        "voc2012": Publication(
            "VOCtrainval_11-May-2012.tar",
            "PASCAL VOC 2012: 2,913 images in 20 classes of objects",
            (
                "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
                "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            ),
            checksum="md5:6cd6e144f989b92b3379bac3b3de84fd",
        ),
        "dtd": Publication(
            "dtd-r1.0.1.tar.gz",
            "Describable Textures (Cimpoi et al. 2014): 5,640 images in 47 textures",
            ("https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz",),
            checksum="md5:fff73e5086ae6bdbea199a49dfb8a4c1",
        ),
    }
)
"""The datasets of `fetch_dataset` by name."""


@dataclass(frozen=True)
class Fetched:
    """A dataset that has been fetched.

    Attributes:
        folder: its folder.
        source: the address or the archive that it came from.
        warnings: doubts about the archive, to be shown to the user.
    """

    folder: Path
    source: str
    warnings: tuple[str, ...] = ()


def fetch_dataset(
    name: str,
    into: Path | str,
    *,
    archive: Path | str | None = None,
    publications: Mapping[str, Publication] = PUBLICATIONS,
    download_progress: Progress = lambda done, total: None,
    unpack_progress: Callable[[int, int], object] = lambda files, total: None,
    pause: float = 1.0,
) -> Fetched:
    """Downloads a published dataset and unpacks it, or unpacks a copy obtained otherwise.

    An interrupted download is resumed; downloaded files are removed after unpacking. An archive of
    the right name in the folder is taken for the user's own copy: it is used first and not removed.
    If the archive of a source cannot be unpacked, the next source is tried.

    Args:
        name: one of `publications`.
        into: the folder in which to make the folder `name`.
        archive: a copy of the archive, to be used instead of a download; it is not removed.
        publications: the known datasets by name.
        download_progress: called with the bytes done and the total bytes, None if unknown.
        unpack_progress: called with the number of files since the last call, and of all files.
        pause: seconds before a broken download is tried again.

    Raises:
        DataError: if the name is unknown, the folder exists or cannot be written, no source has an
            archive that can be unpacked, or the copy is damaged or unsafe.
    """
    publication = _publication(name, publications)
    into = Path(into)
    folder = into / name
    if folder.exists():
        raise DataError(f"{folder}: is here already; use it, or remove it to fetch it again")

    def put(path: Path, source: str) -> Fetched:
        with folder_in_one_stroke(folder) as unfinished:
            unpack(path, unfinished, progress=unpack_progress)
        return Fetched(folder, source, _doubts(path, source, publication))

    if archive is None:
        fetched = _first_good(name, publication, into, put, download_progress, pause)
    else:
        fetched = put(Path(archive), str(archive))
    for url in publication.urls:
        discard(into, publication.file, url)
    return fetched


def _publication(name: str, publications: Mapping[str, Publication]) -> Publication:
    if name not in publications:
        hint = did_you_mean(name, publications, f"known are {', '.join(publications)}")
        raise DataError(f"no dataset to fetch is called {name!r}; {hint}")
    return publications[name]


def _first_good(
    name: str,
    publication: Publication,
    into: Path,
    put: Callable[[Path, str], Fetched],
    progress: Progress,
    pause: float,
) -> Fetched:
    """Unpacks, by `put`, the first valid archive: the user's copy, or one of the sources."""
    file = publication.file
    here = into / file
    faults: list[str] = []  # of the sources in turn
    unused: tuple[str, ...] = ()
    if here.is_file():
        try:
            return put(here, str(here))
        except BadArchiveError as fault:
            faults.append(str(fault))
            unused = (f"{fault}; left as it is, not used",)
    for url in publication.urls:
        try:
            resumed = has_begun(into, file, url)
            try:
                fetched = put(_download(url, publication, into, progress, pause), url)
            except BadArchiveError:
                if not resumed:
                    raise
                # The part of an earlier session may have been damaged on this disk.
                discard(into, file, url)
                fetched = put(_download(url, publication, into, progress, pause), url)
            return replace(fetched, warnings=(*unused, *fetched.warnings))
        except DownloadError as fault:
            faults.append(f"{urlsplit(url).hostname}: {fault}")
        except BadArchiveError as fault:
            faults.append(f"{urlsplit(url).hostname}: {fault.reason}")
            discard(into, file, url)
    by_hand = f"net2vec data fetch {name} --from {file}"
    if not publication.urls:
        faults.append("its owners ask for a registration")
        raise DataError(
            f"{name}: {'; '.join(faults)}; get {file} at {publication.terms}, then run: {by_hand}"
        )
    raise DataError(
        f"{name}: no source gives {file} ({'; '.join(faults)}); "
        f"get it otherwise, then run: {by_hand}"
    )


def _download(
    url: str, publication: Publication, into: Path, progress: Progress, pause: float
) -> Path:
    """Downloads the archive, unless an earlier call did but could not unpack it.

    Raises:
        DownloadError: if the source refuses, or its file has another checksum.
        DataError: if the folder cannot be written.
    """
    # A hidden name, as a file of the archive's own name belongs to the user.
    path = hidden_path(into, publication.file, url)
    try:
        with _quiet_pooch():
            pooch.retrieve(
                url,
                known_hash=publication.checksum,
                fname=path.name,
                path=into,
                downloader=ResumingDownloader(publication.file, progress=progress, pause=pause),
            )
    except ValueError:  # from pooch: the checksum
        raise DownloadError("the file has another checksum") from None
    except OSError as fault:
        raise DataError(f"{into}: cannot be written ({fault.strerror})") from None
    return path


def _doubts(archive: Path, source: str, publication: Publication) -> tuple[str, ...]:
    for checksum, trust in (
        (publication.checksum, "known"),
        (publication.reported_checksum, "reported"),
    ):
        if checksum is None:
            continue
        algorithm, _, wanted = checksum.partition(":")
        digest = pooch.file_hash(str(archive), alg=algorithm)
        if digest != wanted:
            return (
                f"{source}: its {algorithm} is {digest}, not the {trust} {wanted}; "
                "it may be another version",
            )
    return ()


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Suppresses pooch's messages about hashes."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
