"""What can happen in a run: frozen structs, each one JSON line of `events.jsonl`.

The driver alone appends them; the window, the command line and the reports fold them (`results.fold`). Every event carries
`time` (seconds since the epoch). An unknown event from a newer version decodes to `Unknown` and is kept.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from microtome.errors import InputError

PerClass = dict[str, tuple[int, int]]
"""class name → (correct, total)"""


def images_of(per_class: PerClass) -> int:
    """How many images were asked about: the n of an accuracy."""
    return sum(total for _, total in per_class.values())


def _now() -> float:
    return time.time()


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=False):
    """The base of every event."""

    time: float = msgspec.field(default_factory=_now)


class RunStarted(Event, tag="run-started", frozen=True, kw_only=True):
    """A driver began, or went on with, the run."""

    run: str
    kind: str  # "slices" | "train" | "search"
    classes: tuple[str, ...]
    trials: int  # planned number of trials (1 for a training)
    epochs: int  # of a full trial
    pid: int
    resumed: bool = False
    workers: int = 1
    objective: str = "mean"  # what a search maximises: mean | worst | loss (minus it)


class Phase(Event, tag="phase", frozen=True, kw_only=True):
    """Progress of a long step that is not an epoch: `done` of `total` `unit` in the phase `name`."""

    name: str
    done: float
    total: float
    unit: str = ""


class ImageSetReady(Event, tag="image-set", frozen=True, kw_only=True):
    """The image set is cut (or was found); counts are images a class, by split."""

    hash: str
    counts: dict[str, dict[str, int]]  # split → class → images
    pixel_size: float
    unit: str
    warnings: tuple[str, ...] = ()


class TrialStarted(Event, tag="trial-started", frozen=True, kw_only=True):
    """A worker took up a trial (again, where `start_epoch` > 0 or `attempt` > 1)."""

    trial: int
    parameters: dict[str, Any]  # only what the search varies; {} for a training
    key: str  # the ledger key
    worker: int
    device: str = "cpu"
    start_epoch: int = 0
    attempt: int = 1
    speculative: bool = False  # begun early: it may be dropped by rule
    inherited: str = ""  # run/trial whose weights it began with
    until: int = 0  # epochs after which it waits for the others; 0: to its end
    own: bool = False  # the user's own trial, which no engine proposed
    continued: str = ""  # run/trial of another run whose checkpoint it goes on from


class BatchProgress(Event, tag="batch", frozen=True, kw_only=True):
    """Progress within an epoch, sent at most twice a second."""

    trial: int
    epoch: int
    done: int
    total: int


class EpochEnded(Event, tag="epoch", frozen=True, kw_only=True):
    """One epoch of one trial, measured on the training and on the validation set."""

    trial: int
    epoch: int  # 0, 1, …
    train_loss: float | None  # None: not a number
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float  # mean of the class accuracies
    per_class: PerClass  # on the validation set
    confusion: tuple[tuple[int, ...], ...]  # rows: true class, columns: predicted
    learning_rate: float
    images_per_second: float
    seconds: float
    # Of a network that tells a number; its accuracies above are R², it has no classes and no confusion.
    r2: float | None = None  # on the validation set, as all of these
    mse: float | None = None  # in the values' unit, squared
    mae: float | None = None
    points: tuple[tuple[float, float, float, int], ...] = ()  # a volume: value, mean and deviation of what is told, images


class TrialEnded(Event, tag="trial-ended", frozen=True, kw_only=True):
    """A trial's end. outcome: done | pruned | cancelled | failed | crashed | lost | reused | dropped (a speculation)."""

    trial: int
    outcome: str
    value: float | None = None  # the objective, to be maximised
    best_epoch: int | None = None
    message: str = ""
    seconds: float = 0.0
    reused_from: str = ""
    costs: dict[str, float] = {}  # "seconds" of training, "parameters" of the network, "epochs", "memory" of a GPU
    told: float | None = None  # what the engine was told, where that is not the value


class TrialPaused(Event, tag="trial-paused", frozen=True, kw_only=True):
    """A trial waits at a rung with its checkpoint: it goes on from there where it is promoted."""

    trial: int
    epochs: int  # trained so far
    value: float | None = None  # the objective so far
    told: float | None = None  # what the engine was told; None: nothing
    costs: dict[str, float] = {}  # as of TrialEnded


class SpaceChanged(Event, tag="space", frozen=True, kw_only=True):
    """The search space was edited in mid-search."""

    table: dict[str, Any]  # the new [search.space]
    defaults: dict[str, Any] = {}  # added axis → its value in the trials from before
    fixed: dict[str, Any] = {}  # frozen axis → its value from now on


class TrialAdded(Event, tag="trial-added", frozen=True, kw_only=True):
    """The user asked for a trial of their own; it is begun next."""

    parameters: dict[str, Any]


class WarmStarted(Event, tag="warm-start", frozen=True, kw_only=True):
    """What the engine was told, before the first trial, of trials of other runs; they count in no budget."""

    points: tuple[dict[str, Any], ...]  # each {parameters, value, costs, trial: run/trial}
    left_out: int = 0  # trials of the same images with other settings, or outside the space


class Retrained(Event, tag="retrained", frozen=True, kw_only=True):
    """One of the best trials was trained again on fresh seeds and freshly cut slices: its honest value."""

    trial: int
    seed: int
    value: float  # the objective on the fresh validation images
    correct: int = 0
    total: int = 0
    image_set: str = ""  # hash of the fresh slices


class Ranked(Event, tag="ranked", frozen=True, kw_only=True):
    """The ranking of the retrained trials: trial → (mean, low, high), 95 %; those tied with the first."""

    means: dict[str, tuple[float, float, float]]
    tied: tuple[int, ...]
    words: str
    winner: int = 0  # the trial that was taken; 0: the journal is of an older version
    p: dict[str, float] = {}  # of the others against the first: paired t-tests on the same seeds, Holm's correction included


class Piloted(Event, tag="piloted", frozen=True, kw_only=True):
    """What a pilot measured at the smallest and the largest corner of the space, and promises."""

    corners: tuple[dict[str, Any], ...]  # each {parameters, images_per_second, memory, seconds}
    hours: tuple[float, float, float]  # low, likely, high
    disk: int  # bytes
    workers: int = 1  # that trained side by side while it measured
    total_memory: int = 0  # bytes of the machine, or of its GPU
    notes: tuple[str, ...] = ()  # what the promise leaves out


class Evaluated(Event, tag="evaluated", frozen=True, kw_only=True):
    """The locked evaluation set was opened for a trial."""

    trial: int
    accuracy: float
    interval: tuple[float, float]  # 95 %
    per_class: PerClass
    confusion: tuple[tuple[int, ...], ...]
    baseline: dict[str, float] = {}  # name → accuracy of the same slices' baselines
    baseline_intervals: dict[str, tuple[float, float]] = {}  # name → 95 %
    baseline_gains: dict[str, tuple[float, float, float]] = {}  # name → network − baseline, paired, with its 95 % interval
    baseline_details: dict[str, str] = {}  # name → how it was set, in words
    baseline_images: int = 0  # images that they were measured on; 0: all
    independence: str = ""  # how the sets were separated, in words
    # Of a network that tells a number: accuracy, interval and baseline are R².
    r2: float | None = None
    rmse: float | None = None  # in `unit`
    mae: float | None = None
    unit: str = ""
    n: int = 0  # images
    points: tuple[tuple[float, float, float, int], ...] = ()  # as of EpochEnded
    caution: str = ""  # how far the interval and the split may be trusted, in words


class Note(Event, tag="note", frozen=True, kw_only=True):
    """A sentence for the user. level: info | warning | error."""

    text: str
    level: str = "info"
    hint: str = ""


class StateChanged(Event, tag="state", frozen=True, kw_only=True):
    """The driver's state word: running | pausing | paused | stopping; and what an order has changed, where it has."""

    state: str
    workers: int | None = None
    trials: int | None = None  # planned number of trials


class WorkerEnded(Event, tag="worker-ended", frozen=True, kw_only=True):
    """A worker process ended unexpectedly; `log` holds its last lines."""

    worker: int
    reason: str
    log: str = ""


class RunEnded(Event, tag="run-ended", frozen=True, kw_only=True):
    """The end of a run. state: done | stopped | aborted | failed."""

    state: str
    message: str = ""
    best_trial: int | None = None
    seconds: float = 0.0


class Unknown(Event, tag="unknown", frozen=True, kw_only=True):
    """An event of a newer version, kept as it was read."""

    data: dict[str, Any] = {}


AnyEvent = (
    RunStarted
    | Phase
    | ImageSetReady
    | TrialStarted
    | BatchProgress
    | EpochEnded
    | TrialEnded
    | TrialPaused
    | SpaceChanged
    | TrialAdded
    | WarmStarted
    | Retrained
    | Ranked
    | Piloted
    | Evaluated
    | Note
    | StateChanged
    | WorkerEnded
    | RunEnded
    | Unknown
)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AnyEvent)


def encode(event: Event) -> bytes:
    """One JSON line, without the line feed."""
    return _encoder.encode(event)


def decode(line: bytes) -> Event:
    """Read one JSON line; InputError where it is no JSON object."""
    try:
        event: Event = _decoder.decode(line)
        return event
    except msgspec.ValidationError:
        try:
            data = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.ValidationError as error:
            raise InputError(f"Not an event: {line[:80]!r}.") from error
        return Unknown(data=data)
    except msgspec.DecodeError as error:
        raise InputError(f"Not an event: {line[:80]!r}.") from error
