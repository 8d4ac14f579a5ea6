"""Edge Impulse's files are read sample for sample, or refused in one line with the place."""

from __future__ import annotations

import json
import math
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.data import Segment, import_dataset, load_dataset, read_own_recordings
from pipeline.data.importers import Given, Reading
from tests.support import foreign_data as made
from tests.support import forms, own_forms
from tests.support.own_forms import read_form

N = 1500
SCALE = np.array([made.G] * 3 + [180 / math.pi] * 3)
SAMPLES = made.motion(30, 50.0, "walking")
VALUES = SAMPLES * SCALE


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))


def read(path: Path, **given: Any) -> Reading:
    return read_form("edge-impulse", path, **given)


def refusal(path: Path, **given: Any) -> str:
    return own_forms.refusal("edge-impulse", path, **given)


def close(found: np.ndarray) -> bool:
    return bool(np.allclose(found, SAMPLES.astype(np.float32), rtol=1e-6, atol=1e-7))


@pytest.mark.parametrize(
    "name", ["walking.xyz.json", "walking.1.cbor.2abc.json", "walking.json", "walking.1.cbor"]
)
def test_samples_rate_and_the_label_of_the_name_are_the_files(tmp_path: Path, name: str) -> None:
    path = forms.write_edge(tmp_path / name, forms.edge_document(VALUES))
    reading = read(path)
    (recording,) = reading.recordings
    assert close(recording.samples) and recording.rate_hz == 50.0
    assert recording.segments == (Segment(0, N, "walking"),)
    assert recording.source == name
    assert reading.warnings == ()


def test_float32_that_a_device_wrote_in_our_units_is_the_same_to_the_bit(tmp_path: Path) -> None:
    samples = SAMPLES.astype(np.float32)
    units = ("g",) * 3 + ("rad/s",) * 3
    for name in ("walking.1.json", "walking.2.cbor"):
        document = forms.edge_document(samples.astype(np.float64), units=units)
        (recording,) = read(forms.write_edge(tmp_path / name, document)).recordings
        assert recording.samples.tobytes() == samples.tobytes()


def test_cbor_of_a_device_has_open_arrays_halves_and_a_filled_page(tmp_path: Path) -> None:
    small = SAMPLES.astype(np.float16)
    rows = b"".join(
        b"\x86" + b"".join(b"\xf9" + struct.pack(">e", value) for value in row)
        for row in small.tolist()
    )
    units = ("g",) * 3 + ("rad/s",) * 3
    payload = forms.edge_document(VALUES[:0], units=units)["payload"]
    del payload["values"]
    data = b"\xbf" + cbor2.dumps("payload") + b"\xbf"
    data += b"".join(cbor2.dumps(key) + cbor2.dumps(value) for key, value in payload.items())
    data += cbor2.dumps("values") + b"\x9f" + rows + b"\xff\xff\xff" + b"\xff" * 5000
    path = tmp_path / "walking.1.cbor"
    path.write_bytes(data)
    (recording,) = read(path).recordings
    assert np.array_equal(recording.samples, small.astype(np.float32))


@pytest.mark.parametrize(
    "sensors",
    [
        ("acc x", "acc y", "acc z", "gyr x", "gyr y", "gyr z"),
        ("ax", "ay", "az", "gx", "gy", "gz"),
        ("Acceleration X", "Acceleration Y", "Acceleration Z", "Gyro X", "Gyro Y", "Gyro Z"),
        ("accel_x", "accel_y", "accel_z", "gyroscope_x", "gyroscope_y", "gyroscope_z"),
    ],
)
def test_sensors_are_known_by_name_in_any_order(tmp_path: Path, sensors: tuple[str, ...]) -> None:
    order = [5, 0, 3, 1, 4, 2]
    document = forms.edge_document(
        np.insert(VALUES[:, order], 2, 55.0, axis=1),
        [*(sensors[i] for i in order[:2]), "magX", *(sensors[i] for i in order[2:])],
        [
            *(forms.EDGE_UNITS[i] for i in order[:2]),
            "uT",
            *(forms.EDGE_UNITS[i] for i in order[2:]),
        ],
    )
    reading = read(forms.write_edge(tmp_path / "walking.1.json", document))
    assert close(reading.recordings[0].samples)
    assert len(reading.warnings) == 1 and "left out: magX" in reading.warnings[0]


@pytest.mark.parametrize("unit", ["N/A", "", None])
def test_units_that_the_file_leaves_open_are_those_that_physics_allows(
    tmp_path: Path, unit: str | None
) -> None:
    document = forms.edge_document(VALUES)
    for sensor in document["payload"]["sensors"]:
        sensor["units"] = unit
    path = forms.write_edge(tmp_path / "walking.1.json", document)
    reading = read(path)
    assert close(reading.recordings[0].samples)
    assert any("is taken for m/s2" in each for each in reading.warnings)
    stated = read(path, accel_unit="m/s2", gyro_unit="dps")
    assert close(stated.recordings[0].samples) and stated.warnings == ()


def test_units_that_cannot_be_told_are_asked_for_by_option(tmp_path: Path) -> None:
    still = np.tile([0.0, 0.0, made.G, 0.0, 0.0, 0.0], (N, 1)) + SAMPLES * 1e-3
    document = forms.edge_document(still, units=("m/s2",) * 3 + ("N/A",) * 3)
    path = forms.write_edge(tmp_path / "resting.1.json", document)
    assert "--gyro-unit rad/s or deg/s" in refusal(path)


@pytest.mark.parametrize(
    ("interval_ms", "rate_hz"), [(16, 62.5), (10.0, 100.0), (1000 / 119, 119.0), (1000 / 52, 52.0)]
)
def test_rate_is_that_of_the_interval(tmp_path: Path, interval_ms: float, rate_hz: float) -> None:
    samples = made.motion(20, rate_hz, "walking") * SCALE
    document = forms.edge_document(samples, interval_ms=interval_ms)
    (recording,) = read(forms.write_edge(tmp_path / "walking.1.json", document)).recordings
    assert (recording.rate_hz, len(recording.samples)) == (rate_hz, len(samples))


def test_interval_in_whole_ms_gives_way_to_a_stated_rate_that_it_may_be(tmp_path: Path) -> None:
    document = forms.edge_document(made.motion(20, 119.0) * SCALE, interval_ms=8)
    path = forms.write_edge(tmp_path / "sitting.1.json", document)
    assert read(path, recorded_rate=119.0).recordings[0].rate_hz == 119.0
    for wrong in (50.0, 0.0, -119.0, math.nan):
        assert "--recorded-rate says" in refusal(path, recorded_rate=wrong)


# ---- people and labels ---------------------------------------------------------------------------


def test_a_device_counts_as_a_person_with_one_warning_unless_somebody_is_named(
    tmp_path: Path,
) -> None:
    for number in (1, 2):
        document = forms.edge_document(VALUES + number * 1e-4, device_name="ac:87:a3:0a")
        forms.write_edge(tmp_path / f"walking.{number}.json", document)
    reading = read(tmp_path)
    assert {each.subject for each in reading.recordings} == {"ac:87:a3:0a"}
    assert len(reading.warnings) == 1 and "give --subject NAME" in reading.warnings[0]
    named = read(tmp_path, subject="anna")
    assert {each.subject for each in named.recordings} == {"anna"} and named.warnings == ()


RANGES = [
    {"startIndex": 0, "endIndex": 499, "label": "walking"},
    {"startIndex": 500, "endIndex": 999, "label": "unlabeled"},
    {"startIndex": 1000, "endIndex": 1499, "label": "Café"},
]


def labels_file(folder: Path, ranges: object, name: str = "any.1.json") -> Path:
    content = {"version": 1, "type": "structured-labels", "structuredLabels": {name: ranges}}
    path = folder / "structured_labels.labels"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("whole_folder", [True, False])
def test_ranges_of_the_structured_labels_include_their_end(
    tmp_path: Path, whole_folder: bool
) -> None:
    path = forms.write_edge(tmp_path / "d" / "any.1.json", forms.edge_document(VALUES))
    labels_file(path.parent, RANGES)
    (recording,) = read(path.parent if whole_folder else path).recordings
    assert recording.segments == (Segment(0, 500, "walking"), Segment(1000, 1500, "Café"))


def test_a_studio_export_has_its_labels_in_one_list(tmp_path: Path) -> None:
    kinds: dict[str, Mapping[str, object]] = {
        "training/a.1.json": {"type": "label", "label": "Jumping Jack"},
        "training/b.1.json": {"type": "unlabeled"},
        "testing/c.1.json": {"type": "multi-label", "labels": RANGES},
    }
    for number, name in enumerate(kinds):
        forms.write_edge(tmp_path / "e" / name, forms.edge_document(VALUES + number * 1e-4))
    files = [
        {"path": path, "name": "x", "category": path.split("/")[0], "label": label}
        for path, label in kinds.items()
    ]
    (tmp_path / "e" / "info.labels").write_text(json.dumps({"version": 1, "files": files}))
    zipped = made.zipped(tmp_path / "e", tmp_path / "export.zip")
    for path in (tmp_path / "e", zipped):
        found = {each.source: each.segments for each in read(path).recordings}
        assert found["training/a.1.json"] == (Segment(0, N, "Jumping Jack"),)
        assert found["training/b.1.json"] == ()
        assert [each.activity for each in found["testing/c.1.json"]] == ["walking", "Café"]
    stated = {each.source: each.segments for each in read(zipped, activity="rowing").recordings}
    assert stated["training/b.1.json"] == (Segment(0, N, "rowing"),)


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ([{"startIndex": 0, "endIndex": N, "label": "x"}], f"the samples are 0 to {N - 1}"),
        ([{"startIndex": 9, "endIndex": 8, "label": "x"}], "from 9 to 8"),
        ([{"startIndex": -1, "endIndex": 8, "label": "x"}], "from -1 to 8"),
        ([{"startIndex": 0.5, "endIndex": 8, "label": "x"}], "a range without a start"),
        ([{"startIndex": 0, "label": "x"}], "a range without a start, an end and a label"),
        ([{"startIndex": 0, "endIndex": 8, "label": 5}], "a range without"),
        ([{"startIndex": 0, "endIndex": 10**30, "label": "x"}], "a number far too large"),
        (["x"], "a range without"),
        ({"x": 1}, "no list of ranges"),
        ([*RANGES, {"startIndex": 1400, "endIndex": 1450, "label": "x"}], "two ranges have sample"),
        ([{"startIndex": 0, "endIndex": 8, "label": "unknown"}], "no activity can be called"),
        ([{"startIndex": 0, "endIndex": 8, "label": "x" * 32}], "can be no activity's name"),
    ],
)
def test_ranges_that_cannot_be_right_are_refused(
    tmp_path: Path, ranges: object, words: str
) -> None:
    path = forms.write_edge(tmp_path / "any.1.json", forms.edge_document(VALUES))
    labels_file(tmp_path, ranges)
    message = refusal(path)
    assert words in message and "structured_labels.labels" in message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("structured_labels.labels", "[]"),
        ("structured_labels.labels", "{}"),
        ("structured_labels.labels", '{"structuredLabels": {"any.1.json": ['),
        ("info.labels", '{"files": 5}'),
        ("info.labels", '{"files": [5]}'),
        ("info.labels", '{"files": [{"path": "any.1.json", "label": {"type": "box"}}]}'),
        ("info.labels", '{"files": [{"path": "any.1.json", "label": {"type": "label"}}]}'),
        ("info.labels", '{"files": [{"path": "any.1.json"}]}'),
    ],
)
def test_damaged_label_files_are_refused_by_name(tmp_path: Path, name: str, text: str) -> None:
    path = forms.write_edge(tmp_path / "any.1.json", forms.edge_document(VALUES))
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name):
        read(path)


def test_a_stated_activity_goes_before_the_name_and_a_name_that_is_none_is_refused(
    tmp_path: Path,
) -> None:
    path = forms.write_edge(tmp_path / "unknown.1.json", forms.edge_document(VALUES))
    message = refusal(path)
    assert "no activity can be called 'unknown'" in message and "--activity NAME" in message
    assert read(path, activity="rowing").recordings[0].segments == (Segment(0, N, "rowing"),)


# ---- damage --------------------------------------------------------------------------------------


def test_the_case_of_a_payload_without_sensors_names_file_and_what_is_missing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "walk.json"
    path.write_text('{"payload": {"interval_ms": 16, "values": [[0, 0, 9.8]]}}')
    assert "no sensors in its payload" in refusal(path)
    with pytest.raises(InputError, match=r"walk\.json: no sensors in its payload"):
        read_own_recordings(tmp_path, 50.0)
    with pytest.raises(InputError, match=r"walk\.json: not the data that is expected here"):
        import_dataset("csv", path)


def changed(**payload: Any) -> dict[str, Any]:
    document = forms.edge_document(VALUES)
    document["payload"].update(payload)
    return document


def with_value(value: object) -> dict[str, Any]:
    rows = VALUES.tolist()
    rows[7][4] = value
    return changed(values=rows)


def without(key: str) -> dict[str, Any]:
    document = forms.edge_document(VALUES)
    del document["payload"][key]
    return document


@pytest.mark.parametrize("suffix", ["json", "cbor"])
@pytest.mark.parametrize(
    ("document", "words"),
    [
        (without("interval_ms"), "no interval_ms in its payload"),
        (without("values"), "no values in its payload"),
        ({"payload": {}}, "no interval_ms and no sensors and no values"),
        ({"payload": 5, "protected": 1}, "no payload in it"),
        ({"protected": {}, "x": 1}, "no payload in it"),
        (changed(interval_ms=0), "interval_ms is 0;"),
        (changed(interval_ms=-20), "interval_ms is -20;"),
        (changed(interval_ms=math.nan), "interval_ms is nan;"),
        (changed(interval_ms=math.inf), "interval_ms is inf;"),
        (changed(interval_ms=10**400), "interval_ms is a number far too large"),
        (changed(interval_ms="20"), "interval_ms is '20';"),
        (changed(interval_ms=True), "interval_ms is True;"),
        (changed(interval_ms=1000), "interval_ms 1000: 1 Hz"),
        (changed(interval_ms=0.02), "interval_ms 0.02: 50000 Hz"),
        (changed(sensors=[]), "no accX, accY, accZ, gyrX, gyrY, gyrZ among no sensors"),
        (changed(sensors={}), "no list of names and units"),
        (changed(sensors=["accX"]), "no list of names and units"),
        (changed(values=[]), "0 samples in its values"),
        (changed(values="x"), "no samples in its values"),
        (changed(values=[[1.0] * 6]), "1 samples in its values"),
        (changed(values=[1.0, 2.0]), "values[0]: no row of numbers"),
        (changed(values=[*VALUES.tolist()[:9], [1.0] * 5]), "values[9]: 5 numbers; expected 6"),
        (with_value(math.nan), "values[7], gyrY: nan is no usable number"),
        (with_value(-math.inf), "values[7], gyrY: -inf"),
        (with_value(None), "values[7], gyrY: None"),
        (with_value("1.0"), "values[7], gyrY: '1.0'"),
        (with_value(True), "values[7], gyrY: True"),
        (with_value([1]), "values[7], gyrY: a list"),
        (with_value(1e21), "values[7], gyrY: 1e+21"),
        (with_value(10**400), "values[7], gyrY: a number far too large"),
        (changed(device_name="x\ny"), "device_name is no text"),
        (changed(device_name=["x"]), "device_name is no text"),
        (changed(device_name="x" * 65), "device_name is no text of up to 64"),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_place(
    tmp_path: Path, suffix: str, document: dict[str, Any], words: str
) -> None:
    if suffix == "cbor" and "far too large" in words:
        words = "damaged or cut short"  # it has whole numbers of that size in a tag alone
    assert words in refusal(forms.write_edge(tmp_path / f"walking.1.{suffix}", document))


@pytest.mark.parametrize(
    ("sensors", "units", "words"),
    [
        (
            forms.EDGE_SENSORS[:3],
            forms.EDGE_UNITS[:3],
            "no gyrX, gyrY, gyrZ among accX, accY, accZ",
        ),
        (forms.EDGE_SENSORS[:5], forms.EDGE_UNITS[:5], "no gyrZ among"),
        ((*forms.EDGE_SENSORS[:5], "acc x"), forms.EDGE_UNITS, "accX and acc x are the same"),
        (forms.EDGE_SENSORS, ("lsb", *forms.EDGE_UNITS[1:]), "unit 'lsb': there are g, m/s2, mg"),
        (forms.EDGE_SENSORS, ("g", *forms.EDGE_UNITS[1:]), "g and m/s2 for one sensor"),
        (forms.EDGE_SENSORS, ("g",) * 3 + ("dps",) * 3, "divide by 9.80665"),
        (forms.EDGE_SENSORS, ("m/s2",) * 3 + ("rad/s",) * 3, "multiply by pi/180"),
    ],
)
def test_sensors_that_are_missing_or_in_other_units_are_refused(
    tmp_path: Path, sensors: tuple[str, ...], units: tuple[str, ...], words: str
) -> None:
    document = forms.edge_document(VALUES[:, : len(sensors)], sensors, units)
    assert words in refusal(forms.write_edge(tmp_path / "walking.1.json", document))


@pytest.mark.parametrize("name", ["walking.1.json", "walking.1.cbor"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
def test_files_that_are_cut_short_are_refused(tmp_path: Path, name: str, share: float) -> None:
    path = forms.write_edge(tmp_path / name, forms.edge_document(VALUES))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    message = refusal(path)
    assert "cut short" in message and ("column" in message or "byte" in message)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x81" * 100_000, id="nested"),
        pytest.param(b"\x9b" + b"\x7f" * 8, id="an array that says it is huge"),
        pytest.param(b"\x7b\0\0\0" + b"\xff" * 5, id="a text that says it is huge"),
        pytest.param(cbor2.dumps(cbor2.CBORTag(4, [10**9, 1])), id="a number of 10^9 digits"),
        pytest.param(cbor2.dumps(cbor2.CBORTag(35, "(a+)+$")), id="an expression"),
        pytest.param(bytes.fromhex("d81c81d81d00"), id="an array in itself"),
        pytest.param(cbor2.dumps({"payload": 1}) + b"more", id="more after the end"),
        pytest.param(b"{not cbor}", id="text"),
    ],
)
def test_hostile_cbor_is_refused_at_once(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "walking.1.cbor"
    path.write_bytes(data)
    refusal(path)


@pytest.mark.parametrize(
    "text",
    [
        '{"payload": ' + "[" * 100_000,
        '{"payload": {"interval_ms": ' + "1" * 5000 + "}}",
        '{"payload": {}} trailing',
        "{'payload': 1, \"payload\"}",
    ],
    ids=["nested", "a number of 5000 digits", "more after the end", "other quotes"],
)
def test_hostile_json_is_refused_at_once(tmp_path: Path, text: str) -> None:
    path = tmp_path / "walking.1.json"
    path.write_text(text)
    assert "damaged" in refusal(path)


# ---- CSV -----------------------------------------------------------------------------------------

HEADER = ("timestamp", *forms.EDGE_SENSORS)


def rows(times: Callable[[np.ndarray], np.ndarray] = lambda at: at * 20) -> list[list[float]]:
    return np.column_stack([times(np.arange(N)), VALUES]).tolist()


def test_csv_has_its_timestamp_in_ms_and_its_label_in_the_name(tmp_path: Path) -> None:
    path = forms.write_table(tmp_path / "Rowing.1.csv", HEADER, rows())
    reading = read(path, accel_unit="m/s2", gyro_unit="deg/s", subject="anna")
    (recording,) = reading.recordings
    assert close(recording.samples) and (recording.rate_hz, recording.subject) == (50.0, "anna")
    assert recording.segments == (Segment(0, N, "Rowing"),) and reading.warnings == ()


def test_csv_is_cut_at_a_gap(tmp_path: Path) -> None:
    late = rows(lambda at: at * 20 + 1000 * (at >= 700))
    reading = read(forms.write_table(tmp_path / "walking.1.csv", HEADER, late))
    assert [len(each.samples) for each in reading.recordings] == [700, 800]
    assert any("1 gaps in timestamp, the first before line 702" in w for w in reading.warnings)


def test_csv_in_bursts_asks_for_the_rate_by_option(tmp_path: Path) -> None:
    bursts = rows(lambda at: at // 10 * 200)
    path = forms.write_table(tmp_path / "walking.1.csv", HEADER, bursts)
    assert "give --recorded-rate 50" in refusal(path)
    (recording,) = read(path, recorded_rate=50.0).recordings
    assert (recording.rate_hz, len(recording.samples)) == (50.0, N)


@pytest.mark.parametrize(
    ("header", "table", "words"),
    [
        (HEADER[:4], [row[:4] for row in rows()], "no gyrX, gyrY, gyrZ among accX, accY, accZ"),
        (HEADER, rows(lambda at: at / 50), "as seconds it would be 50 Hz"),
        (HEADER, rows(lambda at: at * 0), "the same in every line"),
        (HEADER, rows(lambda at: at * 20 % 15000), "line 752: timestamp does not increase"),
        (HEADER, rows(lambda at: at * 20 - 40 * (at == 9)), "line 11: timestamp does not increase"),
        (HEADER, rows()[:1], "1 samples"),
        (HEADER, [], "0 samples"),
        (HEADER, [*rows()[:8], [160.0, 1.0]], "line 10: 2 columns; expected 7"),
        (HEADER, [*rows()[:8], [160.0, "nan", *rows()[8][2:]]], "line 10, column accX: nan"),
        (HEADER, [*rows()[:8], [160.0, "x", *rows()[8][2:]]], "line 10, column accX: 'x'"),
        (HEADER, [["nan", *rows()[0][1:]], *rows()[1:]], "line 2, column timestamp: nan"),
    ],
)
def test_csv_that_cannot_be_right_is_refused_with_its_line(
    tmp_path: Path, header: tuple[str, ...], table: list[list[Any]], words: str
) -> None:
    assert words in refusal(forms.write_table(tmp_path / "walking.1.csv", header, table))


# ---- end to end ----------------------------------------------------------------------------------


def test_import_and_train_take_the_three_kinds_as_what_they_say(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    document = forms.edge_document(VALUES, device_name="anna")
    forms.write_edge(folder / "walking.1.json", document)
    forms.write_edge(folder / "Walking-Fast.1.cbor", {**document, "signature": "1" * 64})
    forms.write_table(folder / "rowing.1.csv", HEADER, rows())
    import_dataset("edge-impulse", folder)
    dataset = load_dataset("mine")
    own, rates = read_own_recordings(folder, 50.0)
    for found in (dataset, own):
        assert sum(len(each.samples) for each in found.recordings) == 3 * N
        assert set(found.activities) == {"walking", "Walking-Fast", "rowing"}
        assert found.subjects == ("anna", "rowing.1") and found.rate_hz == 50.0
        assert all(close(each.samples) for each in found.recordings)
    assert set(rates.values()) == {50.0}
    (folder / "rowing.1.csv").unlink()
    shutil.rmtree(tmp_path / "cache")
    import_dataset("edge-impulse", folder, given=Given(subject="ben"))
    assert load_dataset("mine").subjects == ("ben",)
