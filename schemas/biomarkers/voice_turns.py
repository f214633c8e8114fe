"""Turn taking between two people, and how far their voices follow each other."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence

ANSWERS, MINUTES, EXCHANGES, OBSERVED_TWO = "answers", "s of the other's speech", "exchanges", "s with two speakers"

_TURNS = "doi:10.1016/j.wocn.2010.08.002"
_LEVITAN = "https://www.isca-archive.org/interspeech_2011/levitan11_interspeech.html"
_RULES = "silence under .3 s ends no turn"


def _turn(
    name: str, unit: str, statistic: str, definition: str, *aliases: str, evidence: Evidence,
    plausible: tuple[float, float],
) -> Biomarker:  # fmt: skip
    return Biomarker(
        name=f"turn_{name}", modality="audio", unit=unit, statistic=statistic, definition=definition, source=_TURNS,
        method="speech_of_two", evidence=evidence, plausible=plausible, aliases=aliases,
    )  # fmt: skip


def _follow(what: str, statistic: str, definition: str, *, plausible: tuple[float, float]) -> Biomarker:
    return Biomarker(
        name=f"turn_entrain_{what}_{statistic}", modality="audio", unit="1", statistic=statistic,
        definition=definition, source=_LEVITAN, method="adjacent_turns", evidence=Evidence(8, EXCHANGES),
        plausible=plausible,
    )  # fmt: skip


def _entrainment(what: str, words: str) -> tuple[Biomarker, ...]:
    return (
        _follow(
            what, "r",
            f"Correlation of the {words} of this person's turn with that of the other's turn just before.",
            plausible=(-1, 1),
        ),
        _follow(
            what, "p",
            f"Share of 1000 random orders of the other's turns whose correlation of the {words} is as high.",
            plausible=(0, 1),
        ),
    )  # fmt: skip


_ANSWERS, _TWO = Evidence(3, ANSWERS), Evidence(30.0, OBSERVED_TWO)

VOICE_TURNS: tuple[Biomarker, ...] = (
    _turn(
        "latency_mean", "s", "mean",
        f"Mean silence before this person's turn that follows the other's; negative where it begins early; {_RULES}.",
        "response_latency_mean", evidence=_ANSWERS, plausible=(-5, 10),
    ),
    _turn(
        "latency_p50", "s", "p50", "Median silence before this person's turn that follows the other's.",
        "response_latency_median", evidence=_ANSWERS, plausible=(-5, 10),
    ),
    _turn(
        "latency_weighted", "s", "mean",
        "Silence before this person's turns that follow the other's, weighted by the duration of the turn.",
        evidence=_ANSWERS, plausible=(-5, 10),
    ),
    _turn(
        "count", "count", "count", "Turns of this person; backchannels are none.",
        evidence=Evidence(1.0, OBSERVED_TWO), plausible=(0, 1e5),
    ),
    _turn(
        "duration_weighted", "s", "mean", "Mean duration of the turn that a moment of this person's speech lies in.",
        evidence=Evidence(1.0, OBSERVED_TWO), plausible=(0.1, 1200),
    ),
    _turn(
        "overlap_share", "1", "share", "Time in which both speak over the time observed.", "overlap_pct",
        evidence=_TWO, plausible=(0, 0.5),
    ),
    _turn(
        "interruption_rate", "1/min", "rate",
        "Turns of this person that begin within the other's and are longer than 1 s or outlast it, per minute of the "
        "other's speech.",
        "interruptions_rate", evidence=Evidence(30.0, MINUTES), plausible=(0, 30),
    ),
    _turn(
        "backchannel_rate", "1/min", "rate",
        "Utterances of this person of at most 1 s wholly within the other's turn, per minute of the other's speech.",
        evidence=Evidence(30.0, MINUTES), plausible=(0, 40),
    ),
    _turn(
        "floor_share", "1", "share", "This person's speech over that of both, backchannels left out.",
        "floor_share_patient", evidence=_TWO, plausible=(0, 1),
    ),
    *_entrainment("f0", "median pitch in semitones"),
    *_entrainment("level", "level"),
)  # fmt: skip
