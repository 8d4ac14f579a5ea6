from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.experiments.jobs import run_sweep
from tests.unit.experiments.jobs.squares import Make, results_of, squares


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("nonsense", InputError, "no database URL"),
        ("postgresql://har:secret@127.0.0.1:port/x", InputError, "no database URL"),
        ("sqlite://", InputError, "needs a file"),
        ("nosuchdb://har:secret@127.0.0.1/x", InputError, "no driver for it; install nosuchdb"),
        ("postgresql+psycopg2://har:secret@127.0.0.1:1/x", InputError, "install psycopg2"),
    ],
)
def test_a_storage_that_is_none_is_one_clear_line_without_the_password(
    sweep: Make, url: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        run_sweep(sweep(storage=url))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_password_that_the_database_tells_is_not_shown() -> None:
    from sqlalchemy.exc import OperationalError

    from pipeline.experiments.jobs.storage import storage_errors

    url = "postgresql+psycopg://har:secret@127.0.0.1/x"
    with pytest.raises(ExternalError) as caught, storage_errors(url):
        raise OperationalError(None, None, Exception(f"refused: {url}\nDEHEAD: more"))
    assert "refused" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_that_is_locked_is_one_clear_line_and_keeps_what_it_has(
    sweep: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    run_sweep(sweep(2))
    monkeypatch.setattr("pipeline.experiments.jobs.storage._SQLITE_WAIT_S", 0.2)
    other = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ExternalError, match=r"study\.db: database is locked; nothing .* is lost"):
        run_sweep(sweep(4))
    other.execute("ROLLBACK")
    other.close()
    assert results_of(sweep(4)) == squares(4)


def test_a_file_that_is_no_database_stays_as_it_is(sweep: Make, tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("not a database, and dear to somebody " * 50)
    before = path.read_bytes()
    with pytest.raises(ExternalError, match=r"thesis\.txt: .*; move it away, or name another with"):
        run_sweep(sweep(storage=f"sqlite:///{path}"))
    assert path.read_bytes() == before


def test_a_database_that_cannot_be_opened_is_the_world_s_fault(sweep: Make, tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(ExternalError, match=r"folder\.db"):
        run_sweep(sweep(storage=f"sqlite:///{tmp_path}/folder.db"))
