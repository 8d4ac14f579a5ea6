"""Physics that tells units apart, also where nothing is extreme."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.data import read_csv
from pipeline.data.plausibility import (
    Samples,
    check_gravity,
    check_rotation,
    check_turning_gravity,
    turning_gravity,
)
from pipeline.data.vocabulary import VOCABULARY, canonical, in_order, label_map, parse_label_map
from tests.support import foreign_data as made


def motion(seconds: float = 60, activity: str = "sitting") -> Samples:
    return made.motion(seconds, 50, activity).astype(np.float32)


def in_degrees(samples: Samples) -> Samples:
    return samples * np.array([1] * 3 + [180 / np.pi] * 3, np.float32)


def test_gravity_turns_as_the_gyroscope_says() -> None:
    found = turning_gravity([(motion(), 50.0)])
    assert found.factor == pytest.approx(1.0, abs=0.03)
    assert found.informative and found.may_be(1.0)


def test_quiet_degrees_are_caught_by_physics_alone() -> None:
    samples = in_degrees(motion())
    assert np.abs(samples[:, 3:]).max() < 35
    check_rotation(samples, 50.0, "x")
    with pytest.raises(InputError, match=r"x: gravity turns 0\.017 times.*deg/s"):
        check_turning_gravity([(samples, 50.0)], "x")


def test_degrees_are_caught_at_rest() -> None:
    rng = np.random.default_rng(0)
    lying = np.tile(np.float32([1, 0, 0, 0, 0, 0]), (500, 1))
    lying[:, 3:] = rng.normal(0, 0.012, (500, 3))  # rad/s, as a quiet body turns
    check_rotation(lying, 50.0, "x")
    with pytest.raises(InputError, match="in which nothing moves; it looks like deg/s"):
        check_rotation(in_degrees(lying), 50.0, "x")


def test_hard_motion_says_nothing_and_is_taken() -> None:
    rng = np.random.default_rng(0)
    wild = rng.normal(0, 3, (3000, 6)).astype(np.float32)
    wild[:, 2] += 1
    found, doubts = check_turning_gravity([(wild, 50.0)], "x", strict=True)
    assert (found.informative, doubts) == (False, [])
    check_rotation(wild, 50.0, "x")


def test_too_little_says_nothing() -> None:
    assert not turning_gravity([(in_degrees(motion(15)), 50.0)]).informative
    nothing = turning_gravity([(motion(0.1), 50.0)])
    assert (nothing.seconds, nothing.correlation) == (0.0, 0.0)


def test_walking_rests_at_one_g() -> None:
    samples = np.concatenate([motion(activity="walking"), motion(10)])
    assert check_gravity([(samples, 50.0)], "x") == pytest.approx(1.0, abs=0.03)


def test_a_csv_file_in_quiet_degrees_is_refused(tmp_path: Path) -> None:
    labels = ["sitting"] * 1500 + ["standing"] * 1500
    path = made.write_own(tmp_path / "x.csv", in_degrees(motion()), labels)
    with pytest.raises(InputError, match="looks like deg/s"):
        read_csv(path)


def test_a_csv_file_whose_gyroscope_is_mirrored_is_told(tmp_path: Path) -> None:
    labels = ["sitting"] * 1500 + ["standing"] * 1500
    samples = motion() * np.float32([1, 1, 1, -1, -1, -1])
    doubts: list[str] = []
    read_csv(made.write_own(tmp_path / "x.csv", samples, labels), doubts.append)
    assert len(doubts) == 1 and "the gyroscope's axes were -gx, -gy, -gz" in doubts[0]


# ---- one vocabulary ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "word"),
    [
        ("WALKING_UPSTAIRS", "upstairs"),
        ("Walking", "walking"),
        ("LAYING", "lying"),
        ("ascending stairs", "upstairs"),
        ("STAND_TO_SIT", "stand-to-sit"),
        ("Run", "running"),
        ("jogging", "jogging"),
        ("PEN", "PEN"),
        ("My Dance", "My Dance"),
    ],
)
def test_labels_become_common_words(label: str, word: str) -> None:
    assert canonical(label) == word
    assert canonical(word) == word


def test_classes_come_in_the_common_order_and_transitions_are_none() -> None:
    found = in_order(["dance", "jogging", "sit-to-stand", "walking", "dance"])
    assert found == ("walking", "jogging", "dance")
    assert len(set(VOCABULARY)) == len(VOCABULARY)


def test_a_label_map_names_labels_as_the_source_or_the_vocabulary_does() -> None:
    override = parse_label_map("LAYING=rest, walking = gait ,sit=")
    assert override == {"LAYING": "rest", "walking": "gait", "sit": ""}
    assert label_map(["LAYING", "WALKING", "sit"], override, canonical) == {
        "LAYING": "rest",
        "WALKING": "gait",
        "sit": "",
    }
    assert parse_label_map("") == {}
