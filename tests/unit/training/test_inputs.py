"""A network's inputs are what its card says, and the card survives the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.core.errors import InputError
from pipeline.head import SpectrogramQuantization, quantize_spectrogram
from pipeline.models import ImageSize
from pipeline.training.inputs import (
    InputNormalization,
    SpectrogramCard,
    SpectrogramInput,
    card_fields,
    fit_input,
    input_of_card,
    quantized_samples,
)
from pipeline.training.pretrained import PretrainedCard
from pipeline.training.shipped import DIRECTORY
from pipeline.training.task import Task


@pytest.mark.parametrize("planes", [1, 3])
def test_training_people_s_pictures_are_standardized(task: Task, planes: int) -> None:
    x = task.windows.for_subjects(task.split.train).x
    made = fit_input(ImageSize(32, planes), x)
    assert isinstance(made, SpectrogramInput)
    pictures = made(x)
    assert pictures.shape == (len(x), 32, 32, planes) and pictures.dtype == np.float32
    rows = 30 if planes == 1 else 32
    np.testing.assert_allclose(pictures[:, :rows].mean(axis=(0, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(pictures[:, :rows].std(axis=(0, 2)), 1, atol=1e-3)
    assert not pictures[:, rows:].any()


def test_the_samples_fill_the_int8_range(task: Task) -> None:
    x = task.windows.for_subjects(task.split.train).x
    made = fit_input(ImageSize(32, 1), x)
    assert isinstance(made, SpectrogramInput)
    assert (
        np.abs(quantized_samples(x, made.samples, made.card.sample_scale).astype(int)).max() == 127
    )


def test_the_board_s_picture_is_the_training_s_rounded(task: Task) -> None:
    x = task.windows.x[:50]
    made = fit_input(ImageSize(48, 3), x)
    assert isinstance(made, SpectrogramInput)
    scale, zero_point = 0.04, -3
    gain = (1 / (np.asarray(made.card.std) * scale)).astype(np.float32)
    quantization = SpectrogramQuantization(
        made.card.shape(x.shape[1]), np.asarray(made.card.mean, np.float32), gain, zero_point
    )
    rows = quantized_samples(x, made.samples, made.card.sample_scale)
    board = quantize_spectrogram(rows, quantization)
    steps = np.clip(made(x) / np.float32(scale) + zero_point, -128, 127)
    assert np.abs(board - steps).max() <= 0.51


def test_a_card_says_all_of_an_input(task: Task) -> None:
    x = task.windows.x[:50]
    for image in (None, ImageSize(32, 3)):
        made = fit_input(image, x)
        again = input_of_card(**card_fields(made))
        assert again == made
        assert again(x).tobytes() == made(x).tobytes()


def test_a_card_with_too_few_rows_is_refused(task: Task) -> None:
    fields = card_fields(fit_input(ImageSize(32, 3), task.windows.x[:50]))
    few = {**fields["spectrogram"].model_dump(), "mean": [0.0] * 32}
    with pytest.raises(ValidationError, match="have 96 means"):
        SpectrogramCard.model_validate(few)


def test_windows_shorter_than_a_frame_have_no_picture(task: Task) -> None:
    with pytest.raises(InputError, match="shorter than a frame"):
        fit_input(ImageSize(32, 1), task.windows.x[:, :31])


def test_shipped_cards_are_of_networks_over_samples() -> None:
    paths: list[Path] = sorted(DIRECTORY.rglob("*seed0.json"))
    assert paths
    for path in paths:
        card = PretrainedCard.model_validate_json(path.read_bytes())
        assert card.spectrogram is None
        assert isinstance(card.normalize, InputNormalization)
