"""One conversation with a board whose every answer is held against its twin.

The twin's extractor runs in TFLite-Micro's own interpreter, the rest in NumPy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.board.client import Client
from pipeline.bundle import Bundle
from pipeline.core.types import Array
from pipeline.data import Dataset, Windows, windows_of
from pipeline.head import BoardTwin, Outcome, Seen, unpack
from pipeline.protocol.messages import HeadState, Learned, Prediction, Status
from pipeline.protocol.samples import decode_samples, encode_samples
from pipeline.training import Scores, score
from pipeline.training.task import Task


@dataclass(frozen=True)
class Run:
    """Consecutive windows of one segment: their indices in the Windows, and all their samples
    (n, 6) in g and rad/s."""

    windows: Array
    samples: Array


def runs(dataset: Dataset, windows: Windows, chosen: Array, hop: int) -> Iterator[Run]:
    """The windows with the sorted indices ``chosen``, grouped wherever one begins ``hop`` samples
    after another in the same recording and with the same activity."""
    length = windows.x.shape[1]
    breaks = [
        i
        for i in range(1, len(chosen))
        if windows.recording[chosen[i]] != windows.recording[chosen[i - 1]]
        or windows.start[chosen[i]] != windows.start[chosen[i - 1]] + hop
        or windows.y[chosen[i]] != windows.y[chosen[i - 1]]
    ]
    for group in np.split(chosen, breaks):
        if len(group):
            start = int(windows.start[group[0]])
            stop = int(windows.start[group[-1]]) + length
            recording = dataset.recordings[int(windows.recording[group[0]])]
            yield Run(group, recording.samples[start:stop])


@dataclass
class Answers:
    """What came back for some windows: their indices and the activity that the board said."""

    sent: int
    windows: list[int] = field(default_factory=list)
    activities: list[int] = field(default_factory=list)
    compared: int = 0
    mismatches: int = 0
    inference_count: int = 0  # engine and head, in the unit of the board's counter

    def only(self, chosen: Array) -> Answers:
        """The answers for these windows; comparisons are not split up."""
        wanted = set(chosen.tolist())
        kept = [
            (window, activity)
            for window, activity in zip(self.windows, self.activities, strict=True)
            if window in wanted
        ]
        return Answers(len(chosen), [w for w, _ in kept], [a for _, a in kept])


@dataclass
class Taught:
    """What came of labelled windows: comparisons of what was learned, its cost, the labels by what
    they did, and the board's probability of the true activity before and after each one."""

    compared: int = 0
    mismatches: int = 0
    update_count: int = 0
    serves: bool = False
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    probabilities: list[tuple[float, float]] = field(default_factory=list)


class BoardSession:
    """Streams windows of a task to the board at ``port`` and compares bit for bit."""

    def __init__(
        self,
        port: str,
        bundle: Bundle,
        twin: BoardTwin,
        task: Task,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._task = task
        self._bundle = bundle
        self._twin = twin
        self._on_progress = on_progress
        self._client = Client.open(port, model_id=bytes.fromhex(bundle.model_id))
        self.engine = self._client.hello().engine.name.lower()

    def close(self) -> None:
        self._client.close()

    def head(self) -> HeadState:
        return self._client.head()

    def reset(self) -> HeadState:
        """Both back to the factory head."""
        self._twin.reset()
        return self._client.head_reset()

    def save(self) -> HeadState:
        return self._client.save()

    def status(self) -> Status:
        return self._client.status()

    def classify(self, chosen: Array) -> Answers:
        """Streams the windows with these indices; the twin predicts the same ones, and those
        between them where the board answers more often."""
        bundle = self._bundle
        length, every = bundle.window_samples, bundle.answer_every
        found = list(runs(self._task.dataset, self._task.windows, chosen, bundle.hop_samples))
        windows = [windows_of(run.samples, length, every) for run in found]
        ends = np.cumsum([len(each) for each in windows])
        at_cut = np.split(self._at_cut(np.concatenate(windows)), ends[:-1])
        answers = Answers(sent=len(chosen))
        for run, mine in zip(found, at_cut, strict=True):
            self._twin.restart()
            seen = self._twin.see(mine)
            for number, prediction in self._stream(run.samples):
                answers.compared += 1
                answers.mismatches += not agrees(prediction, seen[number])
                answers.inference_count = max(
                    answers.inference_count, prediction.engine_count + prediction.head_count
                )
                place, between = divmod(number, bundle.hop_samples // every)
                if not between:
                    answers.windows.append(int(run.windows[place]))
                    answers.activities.append(prediction.activity)
            self._on_progress(len(answers.windows), len(chosen))
        return answers

    def teach(self, chosen: Array) -> Taught:
        """Streams each window by itself and labels it; the twin learns the same. What was
        learned in the end is compared as a whole, too."""
        windows = self._task.windows
        at_cut = self._at_cut(windows.x[chosen])
        taught = Taught()
        for i, window in enumerate(chosen.tolist()):
            label = int(windows.y[window])
            for _, prediction in self._stream(windows.x[window]):
                learned = self._client.label(prediction.end_index, label)
                taught.compared += 1
                taught.mismatches += not self._learns_alike(at_cut[i], learned)
                taught.outcomes[learned.outcome] += 1
                taught.serves = learned.serves
                taught.update_count = max(taught.update_count, learned.update_count)
                taught.probabilities.append((learned.probability_before, learned.probability_after))
            self._on_progress(i + 1, len(chosen))
        taught.compared += 1
        taught.mismatches += not self._state_agrees(self._client.head(), self._client.pull())
        return taught

    def scores(self, answers: Answers) -> Scores:
        """Of the windows that were answered."""
        windows = self._task.windows
        index = np.array(answers.windows, dtype=np.int64)
        return score(
            windows.y[index],
            np.array(answers.activities, dtype=np.int64),
            windows.subjects[index],
            len(windows.activities),
        )

    def _at_cut(self, x: Array) -> Array:
        """Raw windows (N, T, 6) as they are sent -> windows at the cut, int8 (N, B)."""
        wire, _ = encode_samples(x.reshape(-1, x.shape[-1]))
        return self._bundle.at_cut(decode_samples(wire).reshape(x.shape))

    def _learns_alike(self, window: Array, learned: Learned) -> bool:
        """Labels the window at the cut, int8 (B,), on the twin, too; whether the board's answer to
        the same label is the twin's, bit for bit."""
        twin, learner = self._twin, self._twin.learner
        twin.restart()
        twin.see(window[None])
        outcome, before, after = twin.label(learned.activity)
        return learned == replace(
            learned,
            outcome=outcome,
            serves=learner.learned_active,
            updates=learner.updates,
            probability_before=before,
            probability_after=after,
            head_crc=learner.head.crc(),
        )

    def _state_agrees(self, state: HeadState, payload: bytes) -> bool:
        """Whether the board's head, as it describes it and as it hands it out, is the twin's; the
        times are the board's own."""
        twin, learner = self._twin, self._twin.learner
        theirs = unpack(payload, learner.head.factory_activities)
        twin.since_s, twin.saved_s = theirs.since_s, theirs.saved_s
        held, held_right = learner.holdout()
        return payload == twin.payload() and state == replace(
            state,
            serves=learner.learned_active,
            updates=learner.updates,
            head_crc=learner.head.crc(),
            guard=learner.guard,
            held=held,
            held_right=held_right,
            stored=learner.replay.count,
            evidence=learner.learning.evidence,
            labels=tuple(learner.labels[: learner.head.activities]),
        )

    def _stream(self, samples: Array) -> list[tuple[int, Prediction]]:
        """Pairs of an answer's number and the answer, matched by the window's last sample."""
        result = self._client.stream(samples, restart=True)
        length, every = self._bundle.window_samples, self._bundle.answer_every
        first_end = result.start_index + length - 1
        pairs = []
        for prediction in result.predictions:
            number, rest = divmod(prediction.end_index - first_end, every)
            if rest == 0 and 0 <= number <= (len(samples) - length) // every:
                pairs.append((number, prediction))
        return pairs


def agrees(prediction: Prediction, expected: Seen) -> bool:
    """Bit for bit; every float32 is exact in a float."""
    return (
        prediction.features_crc == expected.features_crc
        and np.asarray(prediction.probabilities, np.float32).tobytes()
        == expected.probabilities.tobytes()
        and prediction.activity == expected.activity
        and prediction.smoothed == expected.smoothed
        and prediction.smoothed_probability == expected.smoothed_probability
        and prediction.novelty == expected.novelty
    )
