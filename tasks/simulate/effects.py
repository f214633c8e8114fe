"""What a simulated cohort contains: every effect can be switched on, off and scaled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["video", "audio", "ecg", "ppg", "eda", "respiration", "accelerometer", "temperature"]
ALL_KINDS: tuple[Kind, ...] = (
    "video",
    "audio",
    "ecg",
    "ppg",
    "eda",
    "respiration",
    "accelerometer",
    "temperature",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Sizes of the effects; rates and levels are cohort means that every session scatters around.

    Parameters
    ----------
    modalities : tuple of str
        Which recordings are made.
    width, height : int
        Video size in pixels, both even.
    fps_choices : tuple of float
        Frame rates that sessions draw from, 1/s.
    variable_frame_times : bool
        Every other session with video gets jittered time stamps and dropped frames.
    blink_rate_per_min, nods_per_min, shakes_per_min, smiles_per_min, patches_per_min : float
        Episodes per minute (patches: hands that move).
    absent_per_min : float
        Spans of 1.5 to 3 s per minute in which nobody is in the picture.
    camera_shift_px, zoom, lean : float
        Size of a camera shift (pixels at a width of 640), of a zoom and of a lean towards the camera (shares); 0: none.
    light : float
        Size of a change of light (share); 0: none.
    sway_deg, still_pixel_noise : float
        Head sway (standard deviation, degrees) and sensor noise (grey levels).
    jitter_pct, shimmer_pct : float
        Period and amplitude perturbation of the voice from cycle to cycle: mean absolute difference of neighbours
        over the mean, in %.
    pause_share : float
        Share of the patient's turns that is silence.
    speaking_share : float
        Share of the interview (the session after its rest phase) that is the patient's turns, pauses included.
    noise_db : float
        Level of background noise against the speech's level, in dB.
    crosstalk_db : float
        Level of the clinician in the patient's microphone against the patient, in dB.
    room_recording, aac_in_video : bool
        Some sessions have a room recording of both speakers; some have the patient's track inside the video file.
    hr_bpm, hrv_ms, rsa_ms : float
        Mean heart rate, random part of the beat intervals and amplitude of their respiratory part.
    breaths_per_min, scr_per_min : float
        Breathing rate and rate of skin conductance responses.
    gaps_per_min : float
        Gaps of 1 to 4 s in the physiological recordings per minute.
    clock_offset_s, clock_drift_ppm : float
        Largest start offset and drift of a device's clock; 0: all clocks agree.
    hide_starts : float
        Share of sessions whose wrist device has no `start_s` in the manifest.
    missing_share : float
        Share of sessions that lack one modality.
    broken : bool
        With 4 sessions or more one extra session has a truncated video; with 8 or more another has only text named mp4.
    label_strength : float
        Factor on the coefficients of the label; 0: labels are coin flips.
    """

    modalities: tuple[Kind, ...] = ALL_KINDS
    width: int = 640
    height: int = 360
    fps_choices: tuple[float, ...] = (25.0, 30.0)
    variable_frame_times: bool = True
    blink_rate_per_min: float = 16.0
    nods_per_min: float = 3.0
    shakes_per_min: float = 1.5
    smiles_per_min: float = 2.0
    patches_per_min: float = 3.0
    absent_per_min: float = 0.0
    camera_shift_px: float = 30.0
    zoom: float = 0.15
    lean: float = 0.12
    light: float = 0.25
    sway_deg: float = 1.0
    still_pixel_noise: float = 1.0
    jitter_pct: float = 0.8
    shimmer_pct: float = 4.0
    pause_share: float = 0.22
    speaking_share: float = 0.6
    noise_db: float = -40.0
    crosstalk_db: float = -40.0
    room_recording: bool = True
    aac_in_video: bool = True
    hr_bpm: float = 72.0
    hrv_ms: float = 25.0
    rsa_ms: float = 30.0
    breaths_per_min: float = 15.0
    scr_per_min: float = 5.0
    gaps_per_min: float = 0.5
    clock_offset_s: float = 2.0
    clock_drift_ppm: float = 40.0
    hide_starts: float = 0.25
    missing_share: float = 0.2
    broken: bool = True
    label_strength: float = 1.0

    @classmethod
    def quick(cls, *, width: int = 320, height: int = 180) -> Effects:
        """Small and plain, for tests: all recordings, one frame rate, agreeing clocks, nothing missing or broken.

        Parameters
        ----------
        width, height : int, optional
            Video size in pixels.

        Returns
        -------
        Effects
            Rates are high enough that 8 s hold some of everything.
        """
        return replace(
            cls.plain(),
            width=width,
            height=height,
            fps_choices=(25.0,),
            blink_rate_per_min=24.0,
            nods_per_min=8.0,
            smiles_per_min=8.0,
            patches_per_min=8.0,
            scr_per_min=10.0,
        )

    @classmethod
    def plain(cls) -> Effects:
        """Whole recordings of good quality: no camera motion, gaps, clock errors, missing or broken files.

        Returns
        -------
        Effects
            What is left are the people.
        """
        return cls(
            variable_frame_times=False,
            camera_shift_px=0.0,
            zoom=0.0,
            lean=0.0,
            light=0.0,
            room_recording=False,
            aac_in_video=False,
            gaps_per_min=0.0,
            clock_offset_s=0.0,
            clock_drift_ppm=0.0,
            hide_starts=0.0,
            missing_share=0.0,
            broken=False,
        )
