"""What a stage hands back: measures, events and per-second series of one stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.session import Group

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Window:
    """A span of the session clock that measures are taken over; `phase` is "session" or a label of events.csv."""

    start_s: float
    end_s: float
    phase: str = "session"

    @property
    def duration_s(self) -> float:
        """Length in s."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Measure:
    """One value of a declared biomarker over a window, and the evidence it rests on.

    `value` is None exactly where `status` is too_short, absent or failed, or where coverage is below the rule.
    `n_evidence` counts in the unit of the biomarker's evidence rule; `coverage` is the share of the window that
    could be observed, 0 to 1; `quality` is the stage's own quality of the signal, 0 to 1, or None. `speaker` names one
    of several people heard in the recording; empty: the recording's own person, or all that is in it.
    """

    biomarker: str
    window: Window
    value: float | None
    status: Status
    reason: Reason | None
    n_evidence: float
    coverage: float
    quality: float | None = None
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """An interval or instant on the session clock; `speaker` as in `Measure`."""

    kind: str
    label: str
    start_s: float
    end_s: float
    score: float | None = None
    evidence: Mapping[str, float | str] = field(default_factory=dict)
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A declared per-second signal: `t_s` (n,) starts of the seconds on the session clock, `values` (n,), NaN = gap."""

    name: str
    t_s: FloatArray
    values: FloatArray


@dataclass(frozen=True, slots=True)
class SpeakerRole:
    """Whose voice a speaker's is: `role` is empty where nobody can tell, then `rule` is too.

    `rule` says how the role was found (own_microphone, voice_print, …), `confidence` 0 to 1 how sure that is.
    """

    speaker: str
    role: str = ""
    rule: str = ""
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What the session's other recordings need to know of a recording: frames of 10 ms from `start_s` on.

    `speech` (n,) of the recording's own person, `anyone` (n,) of all that it hears, `used` (n,) frames that may be
    used, `level_db` and `f0_hz` (n,); `prints` (k, 256) voice prints, in the order of the findings' speakers, or the
    one person's.
    """

    start_s: float
    speech: NDArray[np.bool_]
    anyone: NDArray[np.bool_]
    used: NDArray[np.bool_]
    level_db: NDArray[np.float32]
    f0_hz: NDArray[np.float32]
    prints: FloatArray


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything a stage found in one recording, on the session clock.

    `start_s` and `end_s` are the recording's extent; `coverage` the share of it that was usable, 0 to 1; `quality`
    the stage's own quality of the signal, 0 to 1, or None. `status` is ok, or low_quality or too_short with a reason:
    then the recording was read but its values must be taken with care. `speakers` are the people told apart in one
    recording; `heard` is for the session's other recordings and is not stored.
    """

    start_s: float
    end_s: float
    coverage: float
    quality: float | None
    status: Status
    reason: Reason | None
    measures: tuple[Measure, ...]
    events: tuple[Event, ...]
    series: tuple[Series, ...]
    speakers: tuple[SpeakerRole, ...] = ()
    heard: Heard | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Trace:
    """A slow signal that other recorders may share: value k (n,) at `start_s` + k / `rate`, NaN where there is none."""

    start_s: float
    rate: float
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clues:
    """What a recording holds by which its clock may be placed on another one's.

    `began_s` is the recorder's zero in seconds since 1970 by its own clock, `began_error_s` how coarsely it is written,
    `zoned` whether it is known to be UTC; `sound` loudness in dB; `movement` its size in any unit, of each part of a
    picture; `marks_s` presses of a button, triggers and written marks; all on the recorder's clock.
    """

    began_s: float | None = None
    began_error_s: float = 0.0
    zoned: bool = False
    sound: Trace | None = None
    movement: tuple[Trace, ...] = ()
    marks_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamResult:
    """Outcome of one stream: its findings, or why there are none; `clues` only where a clock has to be placed."""

    modality: str
    role: str
    channel: str
    status: Status
    reason: Reason | None
    message: str
    findings: Findings | None
    method_version: str
    model_sha256: str
    input_sha256: str
    seconds: float
    clues: Clues | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Signal:
    """A sampled physiological signal on the session clock.

    `values` (n,) in `unit`, NaN where a sample is missing; `times_s` (n,) strictly increasing; `sampling_rate` in Hz is
    the nominal rate: a step in `times_s` of more than 1.5 periods is a gap. `began_s` is time 0 in seconds since 1970
    by the recorder's own clock, where the file says it, to `began_error_s`; `zoned` where it is known to be UTC;
    `moved_s` is by how much the manifest moved the file's own clock; `cut` whether the file ends within a line.
    """

    values: FloatArray
    times_s: FloatArray
    sampling_rate: float
    unit: str
    began_s: float | None = None
    began_error_s: float = 0.0
    zoned: bool = False
    moved_s: float = 0.0
    cut: bool = False

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.values)

    def part(self, first: int, last: int) -> Signal:
        """The samples from `first` to `last`, which is left out."""
        return replace(self, values=self.values[first:last], times_s=self.times_s[first:last])


@dataclass(frozen=True, slots=True)
class LongSignal:
    """A `Signal` of so many samples that they are decoded part by part, as they are asked for.

    `read` gives the values from one sample to another, which is left out, and `times` when they were taken; without
    `times` sample k lies at `start_s` + k / `sampling_rate`. All else is as in `Signal`.
    """

    n: int
    read: Callable[[int, int], FloatArray]
    start_s: float
    sampling_rate: float
    unit: str
    began_s: float | None = None
    began_error_s: float = 0.0
    zoned: bool = False
    moved_s: float = 0.0
    times: Callable[[int, int], FloatArray] | None = None
    cut: bool = False

    def part(self, first: int, last: int) -> Signal:
        """The samples from `first` to `last`, which is left out."""
        last = min(last, self.n)
        if self.times is None:
            times = np.asarray(self.start_s + np.arange(first, last) / self.sampling_rate)
        else:
            times = self.times(first, last)
        return Signal(
            self.read(first, last), times, self.sampling_rate, self.unit, self.began_s, self.began_error_s, self.zoned,
            self.moved_s, self.cut,
        )  # fmt: skip


Recorded = Signal | LongSignal
"""A signal of any length."""


@dataclass(frozen=True, slots=True)
class SyncRecord:
    """A stream's place on the session clock.

    `source` is "declared" where the manifest gives start_s; "reference" where it gives none and this recorder's clock
    is the session's; "estimated" where what another recorder saw too tells the place, with the half-width of its 95 %
    interval in `uncertainty_s`, the drift in ppm, and in `method` what was shared; else "unsynchronised": the stream is
    taken to start with the session, nothing is known of the error, and no measure between it and what stands on the
    session clock is made; `reason` says why. Unsynchronised streams of one `group` (from 1 on) were placed on one
    another: the first recorder of a group is taken to start with the session, the places of the others are on that
    one's clock, and measures between them are made. `reason` also marks a recording that does not overlap with any
    other. `jumps` are steps of the recorder's clock: (session time in s, by how many s later times were moved, and to
    how many s the moment is known).
    """

    modality: str
    role: str
    channel: str
    offset_s: float
    uncertainty_s: float | None
    source: str
    drift_ppm: float = 0.0
    method: str = ""
    reason: Reason | None = None
    jumps: tuple[tuple[float, float, float], ...] = ()
    group: int = 0


@dataclass(frozen=True, slots=True)
class Aligned:
    """A session on one clock.

    `coverage` is the share of the session that each stage's best usable patient stream covers; `grid` maps a role to
    the seconds (n,) and the series by name, each (n,) with NaN where there is nothing.
    """

    start_s: float
    end_s: float
    coverage: dict[Group, float]
    grid: dict[str, tuple[FloatArray, dict[str, FloatArray]]]
    sync: tuple[SyncRecord, ...]

    @property
    def duration_s(self) -> float:
        """From the first to the last sample of any stream, s."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one biomarker adds to the log-odds, and the reference its value was compared to."""

    modality: str
    biomarker: str
    contribution: float
    value: float | None
    reference: float | None
    span_start_s: float | None
    span_end_s: float | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """A fused prediction: `log_odds` is `bias` plus the sum of all contributions, exactly.

    `support` is the share of the usual evidence that was there; `distance` above 1 means unlike any session seen. Where
    the model abstains, probability and interval are None and `reason` says why.
    """

    session_id: str
    target: str
    probability: float | None
    interval_low: float | None
    interval_high: float | None
    log_odds: float | None
    bias: float
    abstained: bool
    reason: Reason | None
    contributions: tuple[Contribution, ...]
    support: float | None = None
    distance: float | None = None
