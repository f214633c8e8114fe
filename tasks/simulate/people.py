"""Who is in the cohort: subjects, the parameters of a session, and the label that depends on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cueflow.tasks.simulate.effects import Effects


@dataclass(frozen=True, slots=True)
class Subject:
    """A person: covariates, a standing level of distress, a voice and a look."""

    subject_id: str
    age: int
    sex: str
    distress: float
    f0_hz: float
    look_seed: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How a parameter varies: log-scale noise, effect of one unit of distress, coefficient in the label's log-odds."""

    noise: float
    distress: float
    coefficient: float
    unit: str


SPREADS: dict[str, Spread] = {
    "blink_rate": Spread(0.18, 0.15, 0.5, "1/min"),
    "nod_rate": Spread(0.20, -0.10, 0.0, "1/min"),
    "shake_rate": Spread(0.20, 0.0, 0.0, "1/min"),
    "smile_rate": Spread(0.20, -0.20, -0.4, "1/min"),
    "patch_rate": Spread(0.25, 0.10, 0.0, "1/min"),
    "f0_mean": Spread(0.03, 0.01, 0.0, "Hz"),
    "f0_sd": Spread(0.15, -0.20, -0.5, "st"),
    "jitter": Spread(0.15, 0.0, 0.0, "%"),
    "shimmer": Spread(0.15, 0.0, 0.0, "%"),
    "pause_share": Spread(0.15, 0.15, 0.6, "1"),
    "speaking_share": Spread(0.08, -0.04, 0.0, "1"),
    "hr_mean": Spread(0.09, 0.05, 0.6, "1/min"),
    "hrv": Spread(0.20, -0.20, -0.6, "ms"),
    "breathing_rate": Spread(0.10, 0.04, 0.2, "1/min"),
    "scr_rate": Spread(0.25, 0.20, 0.8, "1/min"),
}
F0_SD_ST = 2.0
"""Cohort mean of the standard deviation of pitch, in semitones."""


def draw_subject(rng: np.random.Generator, number: int) -> Subject:
    """Draw a person.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    number : int
        Its place in the cohort, from 0.

    Returns
    -------
    Subject
        Women and men in turn.
    """
    sex = "f" if number % 2 == 0 else "m"
    return Subject(
        subject_id=f"p{number + 1:03d}",
        age=int(rng.integers(21, 68)),
        sex=sex,
        distress=float(rng.normal()),
        f0_hz=float((200.0 if sex == "f" else 115.0) * math.exp(rng.normal(0.0, 0.08))),
        look_seed=int(rng.integers(2**31)),
    )


def base_values(effects: Effects, subject: Subject) -> dict[str, float]:
    """Cohort means that a session of this person scatters around.

    Parameters
    ----------
    effects : Effects
        Sizes asked for.
    subject : Subject
        The person; its pitch is its own.

    Returns
    -------
    dict of str to float
        One value for each of `SPREADS`, in its unit.
    """
    return {
        "blink_rate": effects.blink_rate_per_min,
        "nod_rate": effects.nods_per_min,
        "shake_rate": effects.shakes_per_min,
        "smile_rate": effects.smiles_per_min,
        "patch_rate": effects.patches_per_min,
        "f0_mean": subject.f0_hz,
        "f0_sd": F0_SD_ST,
        "jitter": effects.jitter_pct,
        "shimmer": effects.shimmer_pct,
        "pause_share": effects.pause_share,
        "speaking_share": effects.speaking_share,
        "hr_mean": effects.hr_bpm,
        "hrv": effects.hrv_ms,
        "breathing_rate": effects.breaths_per_min,
        "scr_rate": effects.scr_per_min,
    }


@dataclass(frozen=True, slots=True)
class Latents:
    """What a session is drawn from: parameters in their units, the state of distress and the label's true log-odds."""

    values: dict[str, float]
    distress: float
    log_odds: float
    label: int


def draw_latents(rng: np.random.Generator, effects: Effects, subject: Subject) -> Latents:
    """Draw the parameters of a session and its label.

    The state is .8 × the subject's distress + .6 × the visit's own. Each parameter is its base ×
    exp(noise + effect × state). With z the log parameter in units of its spread over the cohort, the label is drawn
    from a logistic model with log-odds = `label_strength` × Σ coefficient × z.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    effects : Effects
        Sizes asked for.
    subject : Subject
        Who comes.

    Returns
    -------
    Latents
        A base of 0 stays 0.
    """
    state = 0.8 * subject.distress + 0.6 * float(rng.normal())
    log_odds, values = 0.0, {}
    for name, base in base_values(effects, subject).items():
        spread = SPREADS[name]
        shift = spread.noise * float(rng.normal()) + spread.distress * state
        values[name] = base * math.exp(shift)
        log_odds += spread.coefficient * shift / math.hypot(spread.noise, spread.distress)
    log_odds *= effects.label_strength
    label = int(rng.random() < 1.0 / (1.0 + math.exp(-log_odds)))
    return Latents(values=values, distress=state, log_odds=log_odds, label=label)
