import numpy as np

from pipeline.demo.runs import calibration, first_of_each, runs
from pipeline.training.task import HOP_SAMPLES, Task


def test_runs_hold_every_window_s_own_samples(task: Task) -> None:
    windows = task.windows
    subject = task.split.test[0]
    chosen = first_of_each(windows, subject, 4)
    seen = []
    for run in runs(task.dataset, windows, chosen, HOP_SAMPLES):
        for number, window in enumerate(run.windows):
            start = number * HOP_SAMPLES
            np.testing.assert_array_equal(
                run.samples[start : start + windows.x.shape[1]], windows.x[window]
            )
        seen.extend(run.windows.tolist())
    assert seen == chosen.tolist()
    assert len(chosen) == len(windows.activities) * 4
    assert set(windows.subjects[chosen]) == {subject}


def test_calibration_and_test_windows_share_no_sample(task: Task) -> None:
    windows, subject = task.windows, task.split.test[0]
    labelled, rest = calibration(windows, subject, 3)
    assert len(labelled) == 3 * len(windows.activities) and len(rest) > 10
    used = {
        (int(windows.recording[i]), sample)
        for i in labelled
        for sample in range(windows.start[i], windows.start[i] + 128)
    }
    tested = {
        (int(windows.recording[i]), sample)
        for i in rest
        for sample in range(windows.start[i], windows.start[i] + 128)
    }
    assert not used & tested
    assert set(windows.subjects[np.concatenate([labelled, rest])]) == {subject}
