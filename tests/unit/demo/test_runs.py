import numpy as np

from pipeline.demo.board import runs
from pipeline.experiments.labelling import choose, users_of
from pipeline.training.task import Task


def test_runs_hold_every_window_s_own_samples(task: Task) -> None:
    windows = task.windows
    subject = task.split.test[0]
    chosen = np.concatenate([choose(windows, u, 4)[0] for u in users_of(windows, [subject])])
    chosen.sort()
    seen = []
    for run in runs(task.dataset, windows, chosen, task.shape.hop):
        for number, window in enumerate(run.windows):
            start = number * task.shape.hop
            np.testing.assert_array_equal(
                run.samples[start : start + windows.x.shape[1]], windows.x[window]
            )
        seen.extend(run.windows.tolist())
    assert seen == chosen.tolist()
    assert len(chosen) == len(windows.activities) * 4
    assert set(windows.subjects[chosen]) == {subject}
