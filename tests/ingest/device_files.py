"""Files as devices write them, made for tests and for `benchmarks/`: AcqKnowledge, EmbracePlus, XDF."""

from __future__ import annotations

import struct

import numpy as np

REVISION = 41  # AcqKnowledge 3.8.1: the last layout that is public


def _header(kind, **fields):
    made = kind.for_revision(REVISION, "<")
    packed = made._struct_class()
    for name, value in fields.items():
        setattr(packed, name, value)
    return packed


def acq(path, channels, *, rate=200.0, marks=()):
    """Write an AcqKnowledge file: name to (unit, values); samples lie interleaved as 8-byte floats; marks by sample."""
    from bioread import headers as acq_headers

    first = _header(acq_headers.GraphHeader, lVersion=REVISION, nChannels=len(channels), dSampleTime=1000.0 / rate)
    size = len(bytes(first))
    first.lExtItemHeaderLen = size
    parts = [bytes(first)]
    for number, (name, (unit, values)) in enumerate(channels.items()):
        one = _header(acq_headers.ChannelHeader, nNum=number, szCommentText=name.encode(), szUnitsText=unit.encode(),
                      lBufLength=len(values), dAmplScale=1.0, nVarSampleDivider=1, nChanOrder=number)  # fmt: skip
        one.lChanHeaderLen = len(bytes(one))
        parts.append(bytes(one))
    parts.append(bytes(_header(acq_headers.ForeignHeader, nLength=4)))
    parts += [bytes(_header(acq_headers.ChannelDTypeHeader, nSize=8, nType=1)) for _ in channels]
    parts.append(np.stack([v for _, v in channels.values()], axis=1).astype("<f8").tobytes())
    if marks:
        parts.append(bytes(_header(acq_headers.MarkerHeader, lMarkers=len(marks))))
        for at in marks:
            parts += [bytes(_header(acq_headers.MarkerItemHeader, lSample=at, nTextLength=4)), b"Anna\0"]
        parts.append(bytes(acq_headers.JournalHeaderPre4.EXPECTED_TAG_VALUE) + bytes(80))
    path.write_bytes(b"".join(parts))
    return path


SCHEMA = {
    "type": "record", "name": "record", "fields": [
        {"name": "enrollment", "type": {"type": "record", "name": "e", "fields": [
            {"name": "participantID", "type": "string"}]}},
        {"name": "rawData", "type": {"type": "record", "name": "r", "fields": [
            {"name": "eda", "type": {"type": "record", "name": "eda", "fields": [
                {"name": "timestampStart", "type": "long"}, {"name": "samplingFrequency", "type": "float"},
                {"name": "values", "type": {"type": "array", "items": "float"}}]}},
            {"name": "accelerometer", "type": {"type": "record", "name": "acc", "fields": [
                {"name": "timestampStart", "type": "long"}, {"name": "samplingFrequency", "type": "float"},
                {"name": "imuParams", "type": {"type": "record", "name": "imu", "fields": [
                    {"name": "physicalMin", "type": "int"}, {"name": "physicalMax", "type": "int"},
                    {"name": "digitalMin", "type": "int"}, {"name": "digitalMax", "type": "int"}]}},
                *[{"name": a, "type": {"type": "array", "items": "int"}} for a in "xyz"]]}},
            {"name": "systolicPeaks", "type": {"type": "record", "name": "sp", "fields": [
                {"name": "peaksTimeNanos", "type": {"type": "array", "items": "long"}}]}},
        ]}},
    ],
}  # fmt: skip


def embrace(path, *, start_s=1_700_000_000.0, seconds=60.0, level=5.0, beats=(), z=None):
    """Write an EmbracePlus file with skin conductance at 4 Hz, gravity (or counts) along z, and peaks of the pulse."""
    n = int(4 * seconds)
    record = {
        "enrollment": {"participantID": "Jane Doe"},
        "rawData": {
            "eda": {"timestampStart": int(start_s * 1e6), "samplingFrequency": 4.0, "values": [level] * n},
            "accelerometer": {
                "timestampStart": int(start_s * 1e6), "samplingFrequency": 32.0, "x": [0] * 8 * n, "y": [0] * 8 * n,
                "z": [2048] * 8 * n if z is None else z,
                "imuParams": {"physicalMin": -16, "physicalMax": 16, "digitalMin": -32768, "digitalMax": 32768},
            },
            "systolicPeaks": {"peaksTimeNanos": [int((start_s + b) * 1e9) for b in beats]},
        },
    }  # fmt: skip
    import fastavro

    with path.open("wb") as file:
        fastavro.writer(file, fastavro.parse_schema(SCHEMA), [record])
    return path


def chunk(tag, content):
    return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content


def header(number, *, name="Belt", kind="ECG", rate=100.0, code="float32", labels=(("", "mV"),)):
    channels = "".join(f"<channel><label>{a}</label><unit>{b}</unit></channel>" for a, b in labels)
    text = (
        f"<info><name>{name}</name><type>{kind}</type><channel_count>{len(labels)}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><channel_format>{code}</channel_format>"
        f"<desc><subject>Jane Doe</subject><channels>{channels}</channels></desc></info>"
    )
    return chunk(2, struct.pack("<I", number) + text.encode())


def samples(number, stamps, rows, code="<f4", per=50):
    out = b""
    for first in range(0, len(stamps), per):
        body = b""
        part = stamps[first : first + per]
        for stamp, row in zip(part, rows[first : first + per], strict=True):
            body += b"\x00" if stamp is None else b"\x08" + struct.pack("<d", stamp)
            body += np.asarray(row, dtype=code).tobytes()
        out += chunk(3, struct.pack("<I", number) + b"\x04" + struct.pack("<I", len(part)) + body)
    return out


def offsets(number, *pairs):
    return b"".join(chunk(4, struct.pack("<Idd", number, at, offset)) for at, offset in pairs)


def written(tmp_path, *parts):
    path = tmp_path / "a.xdf"
    path.write_bytes(b"XDF:" + chunk(1, b"<info><version>1.0</version></info>") + b"".join(parts))
    return path
