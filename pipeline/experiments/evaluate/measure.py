"""One bundle on its test subjects: float, int8 and compiled, window by window, and what the board
would show over whole recordings: smoothed, and sometimes unknown.

Isolated windows of one activity each are the easy half. In a recording every window counts in its
turn, also those that straddle two activities, show a transition or have no label.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.bundle import load_bundle
from pipeline.bundle.bundle import FULL_FLOAT, Bundle
from pipeline.core.types import Array
from pipeline.data import Recording, SubjectSplit, Windows, windows_of
from pipeline.experiments.evaluate.report import Detection, RecordingsReport, Shown
from pipeline.head import softmax
from pipeline.training.inputs import input_of_card
from pipeline.training.metrics import worst_of
from pipeline.training.task import Task

KNOWN, TRANSITION, UNLABELLED, MIXED, UNSEEN = range(5)
"""Kinds of windows. Known: all of it shows one activity of the data set. Transition: at least half
of it has a label that is not among these. Unlabelled: none of it has a label. Mixed: all others.
Unseen: of a data set that has none of these activities."""
_NAMES = {TRANSITION: "transition", UNLABELLED: "unlabelled", MIXED: "mixed"}


@dataclass(frozen=True, eq=False)
class Followed:
    """N windows in their order, arrays (N,). ``truth`` is -1 where the kind is not known; ``said``
    is the head's activity and ``smoothed`` the smoother's; ``unknown`` is bool. ``place`` numbers
    the recording. ``now`` is the activity at the window's last sample, which began with the sample
    ``begun``, ``since`` seconds before, after another one: -1, -1 and NaN where that is not so."""

    kind: Array
    truth: Array
    said: Array
    smoothed: Array
    unknown: Array
    session: Array
    place: Array
    now: Array
    begun: Array
    since: Array


def follow(bundle: Bundle, task: Task, unseen: Windows | None) -> Followed:
    """The test subjects' recordings from start to end, as a board with the bundle sees them, each
    of its answers, and then the isolated windows of another data set."""
    head, novelty = bundle.new_head(), bundle.novelty()
    limits, smoother = bundle.limits(), bundle.new_smoother(bundle.smoother_roots)
    subjects = set(task.split.test)
    length = bundle.window_samples
    recordings = [
        r for r in task.dataset.recordings if r.subject in subjects and len(r.samples) >= length
    ]
    starts = [np.arange(0, len(r.samples) - length + 1, bundle.answer_every) for r in recordings]
    known = [
        _kinds(r, s, length, bundle.activities) for r, s in zip(recordings, starts, strict=True)
    ]
    x = np.concatenate([windows_of(r.samples, length, bundle.answer_every) for r in recordings])
    kind, truth = (np.concatenate(parts) for parts in zip(*known, strict=True))
    begun = [
        _begun(r, s + length - 1, bundle.activities)
        for r, s in zip(recordings, starts, strict=True)
    ]
    now, begin, since = (np.concatenate(parts) for parts in zip(*begun, strict=True))
    counts = [len(s) for s in starts]
    session = np.repeat([r.session for r in recordings], counts)
    place = np.repeat(np.arange(len(recordings)), counts)
    if unseen is not None:
        n = len(unseen)
        x = np.concatenate([x, unseen.x])
        kind, truth = np.append(kind, np.full(n, UNSEEN)), np.append(truth, np.full(n, -1))
        session, place = np.append(session, np.full(n, "")), np.append(place, np.full(n, -1))
        now, begin = np.append(now, np.full(n, -1)), np.append(begin, np.full(n, -1))
        since = np.append(since, np.full(n, np.nan))

    at_cut = bundle.at_cut(x)
    probabilities = head.predict(at_cut)
    said = probabilities.argmax(axis=1)
    unknown = limits.novelty(novelty.distance(head.features(at_cut), said), said) > 1.0
    smoothed = said.copy()
    for number in range(len(recordings)):
        here = place == number
        smoothed[here] = smoother.run(probabilities[here], unknown[here]).argmax(axis=1)
    return Followed(kind, truth, said, smoothed, unknown, session, place, now, begin, since)


def _begun(
    recording: Recording, ends: Array, activities: Sequence[str]
) -> tuple[Array, Array, Array]:
    """``now``, ``begun`` and ``since`` of the windows whose last samples are ``ends``."""
    now, begun, since = np.full(len(ends), -1), np.full(len(ends), -1), np.full(len(ends), np.nan)
    known = [segment for segment in recording.segments if segment.activity in activities]
    for before, segment in pairwise(sorted(known, key=lambda each: each.start)):
        if segment.activity != before.activity:
            here = (ends >= segment.start) & (ends < segment.stop)
            now[here] = activities.index(segment.activity)
            begun[here] = segment.start
            since[here] = (ends[here] + 1 - segment.start) / recording.rate_hz
    return now, begun, since


def _kinds(
    recording: Recording, starts: Array, length: int, activities: Sequence[str]
) -> tuple[Array, Array]:
    """Kind and truth (N,) of the windows that begin at ``starts``."""
    label = np.full(len(recording.samples), -2)  # no label
    for segment in recording.segments:
        named = segment.activity in activities
        label[segment.start : segment.stop] = activities.index(segment.activity) if named else -1
    windows = label[starts[:, None] + np.arange(length)]  # (N, T)
    first = windows[:, 0]
    known = (first >= 0) & (windows == first[:, None]).all(axis=1)
    transition = (windows == -1).mean(axis=1) >= 0.5
    unlabelled = (windows == -2).all(axis=1)
    kind = np.select([known, transition, unlabelled], [KNOWN, TRANSITION, UNLABELLED], MIXED)
    return kind, np.where(known, first, -1)


def recordings_report(
    followed: Sequence[Followed], hop_s: float, unseen: str | None
) -> RecordingsReport:
    """All runs of a split together. Over several seeds the same recordings count once each, which
    is the mean over seeds."""
    all_of = {
        field.name: np.concatenate([getattr(each, field.name) for each in followed])
        for field in fields(Followed)
    }
    known = all_of["kind"] == KNOWN
    names = {**_NAMES, **({UNSEEN: unseen} if unseen else {})}
    detection = {}
    for kind, name in names.items():
        here = all_of["kind"] == kind
        if here.any():
            share = round(float(all_of["unknown"][here].mean()), 6)
            detection[name] = Detection(unknown=share, windows=int(here.sum()))
    return RecordingsReport(
        hop_s=hop_s,
        known_windows=int(known.sum()),
        plain=_shown(followed, all_of, "said"),
        smoothed=_shown(followed, all_of, "smoothed"),
        false_reject=round(float(all_of["unknown"][known].mean()), 6),
        detection=detection,
    )


def _shown(followed: Sequence[Followed], all_of: dict[str, Array], column: str) -> Shown:
    known = all_of["kind"] == KNOWN
    right = (all_of[column] == all_of["truth"])[known]
    session = all_of["session"][known]
    by_session = {str(name): float(right[session == name].mean()) for name in np.unique(session)}
    worst = worst_of(by_session)
    delays = [delay for each in followed for delay in _delays(each, getattr(each, column))]
    seconds = [each_s for each in followed for each_s in _delays_s(each, getattr(each, column))]
    return Shown(
        accuracy=round(float(right.mean()), 6),
        worst_session=round(by_session[worst], 6),
        worst_session_name=worst,
        changes=len(delays),
        delay_windows_median=float(np.median(delays)) if delays else 0.0,
        delay_windows_p95=float(np.percentile(delays, 95)) if delays else 0.0,
        delay_s_mean=round(float(np.mean(seconds)), 3) if seconds else 0.0,
    )


def _delays_s(each: Followed, shown: Array) -> Iterator[float]:
    """Of every change of activity inside a recording: seconds from the new one's first sample to
    the first answer that shows it; to its last answer where none does."""
    changed = np.flatnonzero(each.now >= 0)
    names = np.stack([each.place[changed], each.begun[changed]])
    begins = np.flatnonzero((np.diff(names, axis=1) != 0).any(axis=0)) + 1
    for windows in np.split(changed, begins) if len(changed) else ():
        right = windows[shown[windows] == each.now[windows]]
        yield float(each.since[right[0] if len(right) else windows[-1]])


def _delays(each: Followed, shown: Array) -> Iterator[int]:
    """Of every change of activity inside a recording: how many known windows of the new activity
    passed before it was first shown; all of them where it never was."""
    known = np.flatnonzero(each.kind == KNOWN)
    begins = [
        at
        for at in range(1, len(known))
        if each.place[known[at]] == each.place[known[at - 1]]
        and each.truth[known[at]] != each.truth[known[at - 1]]
    ]
    for at in begins:
        truth, place = each.truth[known[at]], each.place[known[at]]
        passed = 0
        for i in known[at:]:
            if (each.truth[i], each.place[i]) != (truth, place) or shown[i] == truth:
                break
            passed += 1
        yield passed


@dataclass(frozen=True, eq=False)
class Measurement:
    """What one network said of N test windows.

    truth int64 (N,), subjects and sessions str (N,); ``probabilities`` by engine, float32 (N, K).
    ``mismatches``: windows on which the C engine and TFLite-Micro differ in any bit.
    ``followed``: what the same network shows over whole recordings.
    """

    split: SubjectSplit
    seed: int
    model_id: str
    weights: str
    truth: Array
    subjects: Array
    sessions: Array
    probabilities: dict[str, Array]
    mismatches: int
    followed: Followed


def measure(
    directory: Path, task: Task, weights: str, unseen: Windows | None = None
) -> Measurement:
    """Runs the bundle's own files on the windows and the whole recordings of the task's test
    subjects, and on ``unseen``: windows of activities that are none of the task's.

    ``weights`` says where they come from (`pipeline.experiments.evaluate.report.RunReport`). Raises
    InputError for a damaged bundle, ExternalError where a tool is missing.
    """
    from pipeline.sim.parity import run_compiled

    bundle = load_bundle(directory)
    test = task.windows.for_subjects(task.split.test)
    theirs = bundle.at_cut(test.x)
    ours = run_compiled(bundle.compiled, bundle.engine_input(test.x))
    head = bundle.new_head()
    probabilities = {
        "float": _float_probabilities(bundle, test.x),
        "int8": head.predict(theirs),
        "compiled": head.predict(ours),
    }
    bits = [probabilities[engine].view(np.uint32) for engine in ("int8", "compiled")]
    differs = (theirs != ours).any(axis=1) | (bits[0] != bits[1]).any(axis=1)
    return Measurement(
        split=task.split,
        seed=bundle.provenance.seed,
        model_id=bundle.model_id,
        weights=weights,
        truth=test.y,
        subjects=test.subjects,
        sessions=test.sessions,
        probabilities=probabilities,
        mismatches=int(differs.sum()),
        followed=follow(bundle, task, unseen),
    )


def _float_probabilities(bundle: Bundle, x: Array) -> Array:
    """Raw windows (N, T, 6) -> probabilities (N, K) of the float32 network in the bundle."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    made = bundle.normalization
    inputs = input_of_card(made.knee, made.mean, made.std, bundle.spectrogram)(x)
    interpreter = Interpreter(
        model_content=(bundle.directory / FULL_FLOAT).read_bytes(),
        num_threads=1,
        # The delegate announces itself on the terminal.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    logits = []
    for window in inputs[:, None]:  # (1, T, 1, 6), or a picture (1, S, S, planes)
        interpreter.set_tensor(source, window)
        interpreter.invoke()
        logits.append(interpreter.get_tensor(answer)[0])
    return softmax(np.stack(logits))
