"""Downloads one pinned file from the package index that pip is configured to use.

No index is named here: pip is asked. The file is only stored: nothing of it is installed or run.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin, urlsplit, urlunsplit

from pipeline.core.errors import ExternalError, InputError
from pipeline.data.archives import file_sha256
from pipeline.data.source import Pinned

if TYPE_CHECKING:
    import requests

TIMEOUT_S = (15.0, 60.0)  # to connect, between two reads
ATTEMPTS = 4
CHUNK_BYTES = 1 << 16
PAGE_BYTES = 20_000_000

Advance = Callable[[int], None]  # called with the number of bytes so far


def index_url() -> str:
    """The simple index that pip would use: environment, configuration, pip's own default.

    Raises:
        ExternalError: there is no pip to ask, or its index is no http(s) address.
    """
    url = _pip_setting("index-url") or _ask(
        ["-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"]
    )
    if not url:
        raise ExternalError(
            "pip names no package index; install pip in this environment or set PIP_INDEX_URL"
        )
    if urlsplit(url).scheme not in ("http", "https"):
        raise ExternalError(f"pip's index {_public(url)} is no http(s) address; set PIP_INDEX_URL")
    return url.rstrip("/")


def certificates() -> str | None:
    """A bundle of certificate authorities, where pip is configured to use one."""
    if any(os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")):
        return os.environ.get("PIP_CERT") or None  # requests finds the other two
    return _pip_setting("cert") or None


def _pip_setting(name: str) -> str:
    """A setting as pip sees it, "" where there is none.

    Read from ``pip config list``: ``pip config get`` looks into the user's file only.
    """
    value = os.environ.get("PIP_" + name.upper().replace("-", "_"), "").strip()
    if value:
        return value
    for line in _ask(["-m", "pip", "config", "list"]).splitlines():
        key, _, text = line.partition("=")
        if key == f"global.{name}":
            with contextlib.suppress(ValueError, SyntaxError):
                value = str(ast.literal_eval(text)).strip()
    return value


def _ask(arguments: list[str]) -> str:
    try:
        answer = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _public(url: str) -> str:
    """The address without user name and password, for messages."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


class _Links(HTMLParser):
    """Collects (text, href) of every link of a simple page (PEP 503)."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self._href: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._href, self._text = dict(attrs).get("href"), ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._href is not None:
            self.links.append((self._text.strip(), self._href))
            self._href = None


def find_link(page: str, content_type: str, base_url: str, file: str) -> str | None:
    """The address of ``file`` on a project's page: HTML (PEP 503) or JSON (PEP 691)."""
    links: list[tuple[str, str]]
    if "json" in content_type:
        try:
            entries = json.loads(page)["files"]
            links = [(str(entry["filename"]), str(entry["url"])) for entry in entries]
        except (ValueError, KeyError, TypeError) as error:
            raise ExternalError(f"{_public(base_url)}: not a project page ({error!r})") from error
    else:
        parser = _Links()
        parser.feed(page)
        parser.close()
        links = parser.links
    for text, href in links:
        if text == file:
            return urldefrag(urljoin(base_url, href)).url
    return None


def download(source: Pinned, target: Path, advance: Advance) -> None:
    """Fetches the source's file into ``target``, resuming a ``.part`` file in the same folder.

    The file appears under its name only after its SHA-256 was found right.

    Raises:
        ExternalError: no index, no network, no such file there, or the transfer keeps breaking off.
        InputError: what came is not the pinned file.
    """
    part = target.with_name(target.name + ".part")
    leftover = part.exists()
    while True:
        _complete(source, part, target, advance)
        actual = file_sha256(part)
        if actual == source.sha256:
            part.replace(target)
            return
        part.unlink()
        if not leftover:
            break
        leftover = False  # what an earlier run left may be what was wrong
    raise InputError(
        f"{source.file}: SHA-256 {actual} came from the index where {source.sha256} is pinned; "
        "nothing was kept: use another index, or fetch again"
    )


def _complete(source: Pinned, part: Path, target: Path, advance: Advance) -> None:
    """Makes ``part`` as long as the source's file, over as many attempts as it takes."""
    import requests
    import urllib3

    if part.exists() and part.stat().st_size > source.size_bytes:
        part.unlink()
    bundle = certificates()
    failure: Exception | None = None
    url = ""
    with requests.Session() as session:
        for attempt in range(ATTEMPTS):
            time.sleep(attempt)
            try:
                url = url or _locate(session, source, bundle)
                if not part.exists() or part.stat().st_size < source.size_bytes:
                    _transfer(session, url, part, source.size_bytes, bundle, advance)
                return
            except (requests.RequestException, urllib3.exceptions.HTTPError, _Incomplete) as error:
                failure = error
    raise ExternalError(
        f"{source.file}: the download failed {ATTEMPTS} times ({_reason(failure)}); check the "
        f"network and run it again: it resumes, or put the file yourself at {target}"
    )


class _Incomplete(Exception):
    """The answer was shorter than promised, or a server error; worth another attempt."""


def _reason(error: Exception | None) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"//[^/@\s]+@", "//", text)[:200]


def _locate(session: requests.Session, source: Pinned, bundle: str | None) -> str:
    project = re.sub(r"[-_.]+", "-", source.package).lower()
    page_url = f"{index_url()}/{project}/"
    accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
    with session.get(
        page_url,
        headers={"Accept": accept},
        timeout=TIMEOUT_S,
        verify=bundle,
        stream=True,
    ) as response:
        _check(response, page_url)
        page = response.raw.read(PAGE_BYTES, decode_content=True).decode("utf-8", "replace")
        found = find_link(page, response.headers.get("Content-Type", ""), response.url, source.file)
    if found is None:
        raise ExternalError(
            f"{_public(page_url)} does not list {source.file}; use an index that carries it"
        )
    return found


def _check(response: requests.Response, url: str) -> None:
    if response.status_code in (408, 429) or response.status_code >= 500:
        raise _Incomplete(f"{_public(url)} answered {response.status_code}")
    if response.status_code >= 400:
        raise ExternalError(
            f"{_public(url)} answered {response.status_code} {response.reason}; "
            "check pip's index-url"
        )


def _transfer(
    session: requests.Session,
    url: str,
    part: Path,
    size: int,
    bundle: str | None,
    advance: Advance,
) -> None:
    """Adds to ``part`` until it has ``size`` bytes."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with session.get(
        url, headers=headers, timeout=TIMEOUT_S, verify=bundle, stream=True
    ) as response:
        if response.status_code == 416:
            part.unlink(missing_ok=True)
            raise _Incomplete("the index refused to resume")
        _check(response, url)
        resumed = response.status_code == 206 and _resumes_at(response, have)
        have = have if resumed else 0
        advance(have)
        raw: Any = response.raw
        with part.open("ab" if resumed else "wb") as file:
            # Undecoded: some mirrors label a .tar.gz as a gzip-encoded tar.
            for chunk in raw.stream(CHUNK_BYTES, decode_content=False):
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


def _resumes_at(response: requests.Response, offset: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {offset}-")
