"""States of a value, and the one list of reasons for anything that is not `ok`."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """State of a value, a stream or a session."""

    OK = "ok"
    LOW_QUALITY = "low_quality"
    TOO_SHORT = "too_short"
    ABSENT = "absent"
    FAILED = "failed"


class Reason(StrEnum):
    """Why something is not `ok`; `sentence` says it to people."""

    # evidence
    FEW_EVIDENCE = "few_evidence"
    LOW_COVERAGE = "low_coverage"
    LOW_SIGNAL = "low_signal"
    IMPLAUSIBLE = "implausible"
    NOT_COMPUTABLE = "not_computable"
    FRAME_RATE_LOW = "frame_rate_low"
    SAMPLING_RATE_LOW = "sampling_rate_low"
    CLIPPED = "clipped"
    CONTACT_LOSS = "contact_loss"
    NO_FACE = "no_face"
    PERSON_NOT_FOUND = "person_not_found"
    ONE_PERSON = "one_person"
    PICTURE_OF_A_FACE = "picture_of_a_face"
    PICTURE_TOO_DARK = "picture_too_dark"
    PICTURE_TOO_SMALL = "picture_too_small"
    PICTURE_UPSIDE_DOWN = "picture_upside_down"
    BODY_NOT_VISIBLE = "body_not_visible"
    REFERENCE_UNUSABLE = "reference_unusable"
    FACE_CUT_OFF = "face_cut_off"
    MOUTH_COVERED = "mouth_covered"
    GLASSES = "glasses"
    EYES_COVERED = "eyes_covered"
    NO_VOICE = "no_voice"
    ONE_SPEAKER = "one_speaker"
    SEVERAL_SPEAKERS = "several_speakers"
    ONE_MICROPHONE = "one_microphone"
    BAND_LIMITED = "band_limited"
    HUM = "hum"
    OFFSET = "offset"
    SAMPLES_MISSING = "samples_missing"
    TRACK_SHORT = "track_short"
    NO_TRANSCRIPT = "no_transcript"
    TRANSCRIPT_ELSEWHERE = "transcript_elsewhere"
    TRANSCRIPT_NAMES = "transcript_names"
    NO_RECOGNISER = "no_recogniser"
    FLAT_SIGNAL = "flat_signal"
    WRONG_SIGNAL = "wrong_signal"
    LEAD_INVERTED = "lead_inverted"
    LEADS_MISNAMED = "leads_misnamed"
    NO_PARTNER = "no_partner"
    UNSYNCHRONISED = "unsynchronised"
    NOTHING_SHARED = "nothing_shared"
    PLACE_UNCLEAR = "place_unclear"
    LOCAL_TIME = "local_time"
    NO_OVERLAP = "no_overlap"
    SPANS_ELSEWHERE = "spans_elsewhere"
    NOT_MARKED = "not_marked"
    PHASE_OUTSIDE = "phase_outside"
    RHYTHM_EVEN = "rhythm_even"
    # streams
    NO_STREAM = "no_stream"
    NOT_REQUESTED = "not_requested"
    FILE_MISSING = "file_missing"
    FILE_EMPTY = "file_empty"
    FILE_TRUNCATED = "file_truncated"
    FILE_UNREADABLE = "file_unreadable"
    HEADER_WRONG = "header_wrong"
    CHANNELS_CANCEL = "channels_cancel"
    FORMAT_UNKNOWN = "format_unknown"
    NO_VIDEO_FRAMES = "no_video_frames"
    NO_AUDIO_SAMPLES = "no_audio_samples"
    COLUMN_MISSING = "column_missing"
    NOT_A_NUMBER = "not_a_number"
    RATE_MISSING = "rate_missing"
    RATE_MISMATCH = "rate_mismatch"
    TIME_NOT_INCREASING = "time_not_increasing"
    TIME_UNEVEN = "time_uneven"
    UNIT_UNKNOWN = "unit_unknown"
    UNIT_WRONG = "unit_wrong"
    # manifest
    MANIFEST_INVALID = "manifest_invalid"
    DUPLICATE_STREAM = "duplicate_stream"
    PATH_OUTSIDE = "path_outside"
    MODALITY_UNKNOWN = "modality_unknown"
    NO_USABLE_STREAM = "no_usable_stream"
    # machine
    STREAM_FAILED = "stream_failed"
    TIME_LIMIT = "time_limit"
    WORKER_DIED = "worker_died"
    OUT_OF_MEMORY = "out_of_memory"
    DISK_FULL = "disk_full"
    STORE_UNREACHABLE = "store_unreachable"
    UNEXPECTED = "unexpected"
    OUTPUT_FOREIGN = "output_foreign"
    # models and fusion
    MODEL_MISSING = "model_missing"
    MODEL_HASH = "model_hash"
    NO_FUSION_MODEL = "no_fusion_model"
    FEW_SUBJECTS = "few_subjects"
    OUT_OF_DISTRIBUTION = "out_of_distribution"
    QUERY_REFUSED = "query_refused"
    TABLES_INVALID = "tables_invalid"
    CONFIG_INVALID = "config_invalid"

    @property
    def sentence(self) -> str:
        """The reason as a sentence."""
        return SENTENCES[self]


SENTENCES: dict[Reason, str] = {
    Reason.FEW_EVIDENCE: "Less evidence than the measure's rule asks for.",
    Reason.LOW_COVERAGE: "Too little of the window could be observed.",
    Reason.LOW_SIGNAL: "The signal is too weak or too noisy for this measure.",
    Reason.IMPLAUSIBLE: "The value lies outside the plausible range.",
    Reason.NOT_COMPUTABLE: "The measure is undefined for this data.",
    Reason.FRAME_RATE_LOW: "The frame rate is too low for this measure.",
    Reason.SAMPLING_RATE_LOW: "The sampling rate is too low for this kind of signal.",
    Reason.CLIPPED: "The signal is clipped.",
    Reason.CONTACT_LOSS: "The electrode had no contact.",
    Reason.NO_FACE: "No face was found.",
    Reason.PERSON_NOT_FOUND: "The person of this role was not found in the recording.",
    Reason.ONE_PERSON: "The measure needs two people, and one was seen.",
    Reason.PICTURE_TOO_DARK: "The picture is black, or too dark for anything to be seen.",
    Reason.PICTURE_TOO_SMALL: "The picture has too few pixels for a face to be seen.",
    Reason.PICTURE_UPSIDE_DOWN: "The faces stand on their heads: turn the recording and run it again.",
    Reason.PICTURE_OF_A_FACE: "The face never moves: it is a picture, not a person.",
    Reason.BODY_NOT_VISIBLE: "The part of the body is out of the picture or hidden.",
    Reason.REFERENCE_UNUSABLE: "The reference photograph shows no face, or several; the rule chose the person.",
    Reason.FACE_CUT_OFF: "For much of the time the face reached out of the picture.",
    Reason.MOUTH_COVERED: "Something lies over the mouth, a mask perhaps: what it does cannot be seen.",
    Reason.GLASSES: "Glasses lie before the eyes: their rims and what they mirror move the irises that are found.",
    Reason.EYES_COVERED: "Dark glasses, perhaps, lie before the eyes: what they do cannot be seen.",
    Reason.NO_VOICE: "No voice was found.",
    Reason.ONE_SPEAKER: "Only one person was heard, so there is no talk between two.",
    Reason.SEVERAL_SPEAKERS: "Several people were heard and nobody knows whose recording it is: the value mixes them.",
    Reason.ONE_MICROPHONE: "One microphone for both people: talk over the other is told apart roughly, or not at all.",
    Reason.BAND_LIMITED: "The recording has no sound in a band that this measure needs.",
    Reason.HUM: "Mains hum is nearly as loud as the speech.",
    Reason.OFFSET: "The samples lie far off zero: the recorder is not in order.",
    Reason.SAMPLES_MISSING: "Samples of the recording are missing, or are no numbers.",
    Reason.TRACK_SHORT: "The sound of this video begins late or ends early: there is none for part of the picture.",
    Reason.NO_TRANSCRIPT: "There is no transcript beside the recording.",
    Reason.TRANSCRIPT_NAMES: "The transcript names speakers, but not who is who: call them Patient and Clinician.",
    Reason.TRANSCRIPT_ELSEWHERE: "All times of the transcript lie outside the recording; it may be another one's.",
    Reason.NO_RECOGNISER: "Words were not looked for in the sound: audio.recognise is off.",
    Reason.FLAT_SIGNAL: "The signal does not change.",
    Reason.WRONG_SIGNAL: "The signal does not look like its modality: columns or leads may be swapped.",
    Reason.LEAD_INVERTED: "The waves of this lead point the wrong way for its name: two electrodes were exchanged. "
    "Beats and their times stay.",
    Reason.LEADS_MISNAMED: "The leads of this file do not fit each other under their names, but would under others: "
    "two names or electrodes were exchanged, or one lead is inverted. Beats and their times stay.",
    Reason.NO_STREAM: "The session has no recording of this modality.",
    Reason.NOT_REQUESTED: "This modality was left out of the run.",
    Reason.FILE_MISSING: "The file is not there.",
    Reason.FILE_EMPTY: "The file is empty.",
    Reason.FILE_TRUNCATED: "The file is cut off: it ends within a line, or before its header says. Copy it again.",
    Reason.FILE_UNREADABLE: "The file cannot be decoded.",
    Reason.HEADER_WRONG: "The file holds more than its header says.",
    Reason.CHANNELS_CANCEL: "One sound channel is the other upside down: together they are silent. Name one of them.",
    Reason.FORMAT_UNKNOWN: "The file format is not one that cueflow reads.",
    Reason.NO_PARTNER: "The other recording that the measure needs is not there.",
    Reason.UNSYNCHRONISED: "The recorders' clocks are not known well enough against each other.",
    Reason.NOTHING_SHARED: "No other recording shares time stamps, sound, movement, beats or marks with this one.",
    Reason.PLACE_UNCLEAR: "What this recording shares with others does not tell its place from a chance one.",
    Reason.LOCAL_TIME: "The recorder's time stamps are off by whole hours, as of a clock in local time.",
    Reason.NO_OVERLAP: "The recording does not overlap with any other of the session: check start_s and its clock.",
    Reason.SPANS_ELSEWHERE: "Phases and exclusions were cut before the recorder's place was found, and could not be "
    "cut anew: run again, or write its offset_s into the manifest as start_s.",
    Reason.NOT_MARKED: "The session has no baseline phase or no events for the measure.",
    Reason.PHASE_OUTSIDE: "No recording reaches into this phase of events.csv: its onset_s is in seconds of the "
    "session clock.",
    Reason.RHYTHM_EVEN: "The breathing is as even as a metronome's: whether chance looks the same cannot be told.",
    Reason.NO_VIDEO_FRAMES: "The file holds no video frames.",
    Reason.NO_AUDIO_SAMPLES: "The file holds no audio samples.",
    Reason.COLUMN_MISSING: "The named column or channel is not in the file, or more than one could be meant.",
    Reason.NOT_A_NUMBER: "The column holds text where numbers should be.",
    Reason.RATE_MISSING: "Neither the file nor the manifest gives time stamps or a sampling rate.",
    Reason.RATE_MISMATCH: "The declared sampling rate disagrees with the data.",
    Reason.TIME_NOT_INCREASING: "The time stamps do not increase.",
    Reason.TIME_UNEVEN: "The time stamps jitter by more than half a sampling period: no two beats can be timed.",
    Reason.UNIT_WRONG: "No such signal has this size: the values are in another unit than the one that is given.",
    Reason.UNIT_UNKNOWN: "The unit cannot be converted to the one expected.",
    Reason.MANIFEST_INVALID: "The manifest cannot be used.",
    Reason.DUPLICATE_STREAM: "Two streams of the session have the same modality, role and channel.",
    Reason.PATH_OUTSIDE: "The path leaves the dataset's folder.",
    Reason.MODALITY_UNKNOWN: "The modality is not one that cueflow knows.",
    Reason.NO_USABLE_STREAM: "No recording of the session could be used.",
    Reason.STREAM_FAILED: "At least one recording of the session could not be used.",
    Reason.TIME_LIMIT: "The step took longer than its limit and was stopped.",
    Reason.WORKER_DIED: "The process that did the step died.",
    Reason.OUT_OF_MEMORY: "The step ran out of memory.",
    Reason.STORE_UNREACHABLE: "The shared store could not be reached; the next run tries again.",
    Reason.DISK_FULL: "The disk is full.",
    Reason.UNEXPECTED: "An unexpected error; the log has the trace.",
    Reason.OUTPUT_FOREIGN: "The output folder belongs to another dataset.",
    Reason.MODEL_MISSING: "A pretrained model is not there and no source could be reached.",
    Reason.MODEL_HASH: "A model file's hash is not the one in the lock file.",
    Reason.NO_FUSION_MODEL: "No fusion model was given.",
    Reason.FEW_SUBJECTS: "Too few subjects for a model that can be believed.",
    Reason.OUT_OF_DISTRIBUTION: "The session lies outside what the model was trained on.",
    Reason.QUERY_REFUSED: "The query is not allowed.",
    Reason.TABLES_INVALID: "The folder does not hold cueflow tables.",
    Reason.CONFIG_INVALID: "The configuration cannot be used.",
}
