"""Sensor windows and small images as domains: who tests, how they are thinned, what pairs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.experiments.fxcy import domains
from pipeline.experiments.fxcy.domains import (
    Domain,
    Examples,
    check_names,
    check_pair,
    domain_kind,
    load_domain,
)
from pipeline.models import backbone
from tests.support.synthetic import ACTIVITIES, synthetic_task

SENSORS, IMAGES = backbone("dscnn"), backbone("smallcnn")


@pytest.fixture
def shaken(monkeypatch: pytest.MonkeyPatch) -> Domain:
    task = synthetic_task()
    asked: dict[str, Any] = {}

    def load_task(name: str, **options: Any) -> Any:
        asked.update(options, name=name)
        return task

    monkeypatch.setattr(domains, "load_task", load_task)
    monkeypatch.setattr("pipeline.data.load_dataset", lambda *_, **__: task.dataset)
    monkeypatch.setattr(domains, "is_dataset_name", lambda name: name == "shaken")
    domain = load_domain("shaken", seed=3)
    assert (asked["scheme"], asked["seed"]) == ("5-fold", 3)
    return domain


def examples(people: list[str], y: list[int]) -> Examples:
    x = np.arange(len(y), dtype=np.float32)[:, None, None]
    return Examples(x, np.array(y, np.int64), np.array(people))


def test_sensor_data_are_divided_by_person(shaken: Domain) -> None:
    assert (shaken.kind, shaken.activities, shaken.rate_hz) == ("sensor", ACTIVITIES, 50.0)
    assert shaken.task is not None
    assert shaken.train.people == shaken.task.split.train
    assert shaken.test.people == shaken.task.split.test
    assert not set(shaken.train.people) & {*shaken.test.people, *shaken.task.split.validation}
    assert shaken.train.x.shape == (len(shaken.train), 128, 6)


def test_both_sides_are_thinned(shaken: Domain) -> None:
    domain = load_domain("shaken", train_windows=50, test_windows=20)
    assert (len(domain.train), len(domain.test)) == (50, 20)
    assert domain.train.people == shaken.train.people
    assert len(load_domain("shaken", train_windows=10**6).train) == len(shaken.train)


def test_thinning_is_even_over_people_and_activities_and_keeps_the_order() -> None:
    people = ["a"] * 100 + ["b"] * 100 + ["c"] * 4
    every = examples(people, [0, 1] * 102)
    thinned = every.thinned(40)
    cells = [f"{person}{k}" for person, k in zip(thinned.subjects, thinned.y, strict=True)]
    assert sorted({cell: cells.count(cell) for cell in cells}.items()) == [
        *[("a0", 9), ("a1", 9), ("b0", 9), ("b1", 9)],
        *[("c0", 2), ("c1", 2)],
    ]
    places = thinned.x[:, 0, 0]
    assert (np.diff(places) > 0).all()
    of_a = places[thinned.subjects == "a"]
    assert of_a.min() < 15 and of_a.max() > 85, "spread over all that person's windows"


@pytest.mark.parametrize("count", range(1, 13))
def test_thinning_gives_exactly_as_many_as_asked(count: int) -> None:
    every = examples(["a"] * 7 + ["b"] * 3 + ["c"] * 2, [0] * 12)
    assert len(every.thinned(count)) == count
    assert len(set(every.thinned(count).x[:, 0, 0].tolist())) == count


def test_thinning_to_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        examples(["a"], [0]).thinned(0)


def test_digits_are_two_domains_divided_by_their_place_in_the_file() -> None:
    low, high = load_domain("digits_low"), load_domain("digits_high")
    assert (low.activities, high.activities) == (tuple("01234"), tuple("56789"))
    assert (low.kind, low.rate_hz, low.task) == ("image", 0.0, None)
    assert (len(low.train), len(low.test)) == (601, 300)
    assert len(low.train) + len(low.test) + len(high.train) + len(high.test) == 1797
    assert low.train.x.shape[1:] == (8, 8, 1)
    assert set(high.test.y.tolist()) == set(range(5))
    assert low.train.people == (), "nobody tells who wrote them"
    assert "train" in low.split


def test_images_of_keras_are_scaled_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tf_keras import datasets

    def load_data() -> Any:
        print("Downloading")
        images = np.full((4, 5, 5), 255, np.uint8)
        return (images, np.array([[0], [1], [2], [1]])), (images[:2], np.array([[2], [0]]))

    monkeypatch.setattr(datasets, "mnist", SimpleNamespace(load_data=load_data))
    domain = load_domain("mnist")
    assert (domain.train.x.shape, domain.train.x.dtype) == ((4, 5, 5, 1), np.float32)
    assert (domain.train.x == 1).all()
    assert (domain.activities, domain.test.y.tolist()) == (("0", "1", "2"), [2, 0])
    assert capsys.readouterr().out == "", "stdout is for one JSON document"


def test_a_network_that_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from tf_keras import datasets

    def load_data() -> Any:
        raise Exception("URL fetch failure\non it -- None")

    monkeypatch.setattr(datasets, "cifar10", SimpleNamespace(load_data=load_data))
    with pytest.raises(ExternalError, match=r"cifar10: .*digits_low") as error:
        load_domain("cifar10")
    assert "\n" not in str(error.value)


def test_every_name_has_a_kind_and_no_other_has() -> None:
    assert [domain_kind(n) for n in ("hapt", "watch", "digits_low")] == [
        *("sensor", "sensor", "image")
    ]
    with pytest.raises(InputError, match=r"no data set 'imagenet'.*watch.*cifar100"):
        domain_kind("imagenet")


def test_what_belongs_together_may_be_paired() -> None:
    for network in (SENSORS, IMAGES):
        check_names("hapt", "watch", network)
    check_names("digits_low", "digits_high", IMAGES)


def test_other_people_at_the_same_rate_may_be_paired(shaken: Domain) -> None:
    check_pair(shaken, replace(shaken, name="other"))


def test_pairs_whose_names_do_not_go_together_are_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match="are the same"):
        check_names("hapt", "hapt", SENSORS)
    with pytest.raises(InputError, match="sensor data takes no image"):
        check_names("hapt", "digits_low", SENSORS)
    with pytest.raises(InputError, match="dscnn takes sensor windows"):
        check_names("digits_low", "digits_high", SENSORS)


def test_pairs_of_different_rates_are_refused(shaken: Domain) -> None:
    with pytest.raises(InputError, match="50 Hz and 20 Hz"):
        check_pair(shaken, replace(shaken, name="slow", rate_hz=20.0))


def test_nobody_may_teach_the_source_and_test_the_target(
    shaken: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two data sets of the same people, as HAPT and UCI HAR are."""
    monkeypatch.setattr(domains, "identities", lambda _, people: frozenset(people))
    target = replace(shaken, name="again", test=shaken.train)
    with pytest.raises(InputError, match="the source network learned person0"):
        check_pair(shaken, target)
