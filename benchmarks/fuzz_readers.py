"""Every reader on mutated files: each must be read or refused with a reason, in 5 s and bounded memory.

Every other file is read as if it were a long recording: in small parts, its numbers put into a file.

python benchmarks/fuzz_readers.py [FILES] [FORMAT …]    # 10000 files for each of all formats
"""

from __future__ import annotations

import gzip
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from measure import heading

from cueflow.schemas.errors import DatasetError, StreamError
from cueflow.schemas.session import Modality
from cueflow.tasks.ingest import held
from cueflow.tasks.ingest.signals import read_signal
from cueflow.tasks.ingest.tabular import tables

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "ingest"))

LIMIT_S = 5
MEMORY_MIB = 512  # above what the process holds before the first file
N = 600


def _csv(folder: Path) -> Path:
    times = np.arange(N) / 50
    lines = [f"{t:.3f},{np.sin(t):.4f}" for t in times]
    (folder / "a.csv").write_text("time_s,ecg\n" + "\n".join(lines) + "\n")
    return folder / "a.csv"


def _parquet(folder: Path) -> Path:
    import polars as pl

    times = np.arange(N) / 50
    pl.DataFrame({"time_s": times, "ecg": np.sin(times)}).write_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def _edf(folder: Path, kind: str = "FILETYPE_EDFPLUS", suffix: str = "edf") -> Path:
    import pyedflib

    file = folder / f"a.{suffix}"
    with pyedflib.EdfWriter(str(file), 1, file_type=getattr(pyedflib, kind)) as writer:
        writer.setSignalHeaders([pyedflib.highlevel.make_signal_header("ecg", sample_frequency=50)])
        writer.writeSamples([np.sin(np.arange(N) / 50)])
        writer.writeAnnotation(1.0, 0.5, "x")
    return file


def _edfd(folder: Path) -> Path:
    file = _edf(folder)
    raw = bytearray(file.read_bytes())
    raw[192:197] = b"EDF+D"
    file.write_bytes(bytes(raw))
    return file


def _bdf(folder: Path) -> Path:
    return _edf(folder, "FILETYPE_BDFPLUS", "bdf")


def _bids(folder: Path) -> Path:
    file = folder / "sub-1_task-a_physio.tsv.gz"
    file.write_bytes(gzip.compress("\n".join(f"{np.sin(i / 50):.4f}\t0" for i in range(N)).encode(), mtime=0))
    (folder / "sub-1_task-a_physio.json").write_text(
        json.dumps({"SamplingFrequency": 50, "StartTime": -2.5, "Columns": ["ecg", "trigger"]})
    )
    return file


def _wfdb(folder: Path) -> Path:
    (folder / "a.dat").write_bytes((500 * np.sin(np.arange(N) / 50)).astype("<i2").tobytes())
    (folder / "a.hea").write_text(f"a 1 50 {N}\na.dat 16 200/mV 12 0 0 0 0 ecg\n")
    return folder / "a.hea"


def _wfdb_samples(folder: Path) -> Path:
    _wfdb(folder)
    (folder / "a.hea").write_text(f"a 1 50 {N * 4 // 3}\na.dat 212 200/mV 12 0 0 0 0 ecg\n")
    return folder / "a.dat"


def _e4(folder: Path) -> Path:
    rows = "\n".join(f"{5 + np.sin(i / 50):.5f}" for i in range(N))
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("EDA.csv", f"1500000000.0\n4.0\n{rows}\n")
        archive.writestr("BVP.csv", f"1500000000.0\n64.0\n{rows}\n")
    return folder / "a.zip"


def _e4_table(folder: Path) -> Path:
    rows = "\n".join(f"{5 + np.sin(i / 50):.5f}" for i in range(N))
    (folder / "EDA.csv").write_text(f"1500000000.0\n4.0\n{rows}\n")
    return folder / "EDA.csv"


def _opensignals(folder: Path) -> Path:
    head = {"0": {"sampling rate": 100, "sensor": ["ECG"], "column": ["nSeq", "A1"], "label": ["A1"], "channels": [1],
                  "resolution": [4, 10]}}  # fmt: skip
    rows = "\n".join(f"{i % 16}\t{512 + int(100 * np.sin(i / 50))}" for i in range(N))
    (folder / "a.txt").write_text(f"# OpenSignals Text File Format\n# {json.dumps(head)}\n# EndOfHeader\n{rows}\n")
    return folder / "a.txt"


def _xdf(folder: Path) -> Path:
    (folder / "a.xdf").write_bytes(_small_xdf())
    return folder / "a.xdf"


def _small_xdf() -> bytes:
    def chunk(tag: int, content: bytes) -> bytes:
        body = tag.to_bytes(2, "little") + content
        return b"\x04" + len(body).to_bytes(4, "little") + body

    info = ("<info><name>s</name><type>ECG</type><channel_count>1</channel_count><nominal_srate>50</nominal_srate>"
            "<channel_format>float32</channel_format><desc><channels><channel><label>ecg</label></channel></channels>"
            "</desc></info>")  # fmt: skip
    number = (1).to_bytes(4, "little")
    rows = b"".join(b"\x08" + np.float64(i / 50).tobytes() + np.float32(np.sin(i / 50)).tobytes() for i in range(N))
    offsets = b"".join(chunk(4, number + np.float64([t, 0.1]).tobytes()) for t in (0.0, 5.0, 10.0))
    samples = chunk(3, number + b"\x04" + N.to_bytes(4, "little") + rows)
    return (
        b"XDF:"
        + chunk(1, b"<info><version>1.0</version></info>")
        + chunk(2, number + info.encode())
        + samples
        + offsets
    )


def _acq(folder: Path) -> Path:
    from device_files import acq

    return acq(folder / "a.acq", {"ecg": ("mV", np.sin(np.arange(N) / 50))})


def _marked_acq(folder: Path) -> Path:
    from device_files import acq

    marks = tuple(range(0, N, N // 20))
    return acq(folder / "a.acq", {"ecg": ("mV", np.sin(np.arange(N) / 50))}, marks=marks)


def _embrace(folder: Path) -> Path:
    from device_files import embrace

    return embrace(folder / "a.avro", beats=np.arange(1.0, 50.0, 0.8))


def _beats(folder: Path) -> Path:
    lines = [f"2024-05-01T10:{i // 60 % 60:02d}:{i % 60:02d}.000;{800 + i % 7}" for i in range(N)]
    (folder / "a.txt").write_text("Phone timestamp;RR-interval [ms]\n" + "\n".join(lines) + "\n")
    return folder / "a.txt"


def _marked_edf(folder: Path) -> Path:
    import pyedflib

    file = folder / "a.edf"
    with pyedflib.EdfWriter(str(file), 1, file_type=pyedflib.FILETYPE_EDFPLUS) as writer:
        writer.setSignalHeaders([pyedflib.highlevel.make_signal_header("eda", dimension="uS", sample_frequency=8)])
        writer.writeSamples([np.linspace(1.0, 2.0, 160)])
        for at in range(1, 19):
            writer.writeAnnotation(at + 0.5, -1, "tone")
    return file


def _marked_xdf(folder: Path) -> Path:
    from device_files import chunk, header, samples, written

    texts = b"".join(b"\x08" + np.float64(100.0 + k).tobytes() + b"\x01\x04note" for k in range(40))
    marked = chunk(3, (2).to_bytes(4, "little") + b"\x01" + bytes([40]) + texts)
    keys = header(2, name="Keys", kind="Markers", rate=0.0, code="string")
    return written(folder, header(1), keys, samples(1, 100.0 + np.arange(N) / 50.0, np.zeros((N, 1))), marked)


def _tagged_e4(folder: Path) -> Path:
    file = _e4(folder)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("tags.csv", "".join(f"{1500000000 + 7.25 * k}\n" for k in range(1, 20)))
    return file


def _triggers(folder: Path) -> Path:
    lines = [f"{i / 50:.2f},{np.sin(i / 50):.4f},{5 * (i % 100 < 3)}" for i in range(N)]
    (folder / "a.csv").write_text("time_s,ecg,trigger\n" + "\n".join(lines) + "\n")
    return folder / "a.csv"


def _dataset(folder: Path, **tables: str) -> None:
    (folder / "a.csv").write_text("time_s,ecg\n0,1\n1,2\n")
    (folder / "manifest.csv").write_text("session_id,subject_id,modality,path\nS1,P1,ecg,a.csv\nS2,P2,ecg,a.csv\n")
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)


def _events(folder: Path) -> Path:
    rows = "".join(f"S{k % 2 + 1},{3 * k},{k % 3},tone,{('', 'phase', 'marker', 'action')[k % 4]}\n" for k in range(60))
    _dataset(folder, events="session_id,onset_s,duration_s,label,kind\n" + rows)
    return folder / "events.csv"


def _exclusions(folder: Path) -> Path:
    rows = "".join(f"S{k % 2 + 1},{3 * k},{k % 3 + 1},phone\n" for k in range(60))
    _dataset(folder, exclusions="session_id,onset_s,duration_s,reason\n" + rows)
    return folder / "exclusions.csv"


def _manifest(folder: Path) -> Path:
    _dataset(folder)
    return folder / "manifest.csv"


def _bids_events(folder: Path) -> Path:
    inside = folder / "sub-1" / "beh"
    inside.mkdir(parents=True)
    _bids(inside)
    rows = "".join(f"{3 * k}\t{k % 3 or 'n/a'}\ttone\n" for k in range(60))
    (inside / "sub-1_task-a_events.tsv").write_text("onset\tduration\ttrial_type\n" + rows)
    return inside / "sub-1_task-a_events.tsv"


def _elan(folder: Path) -> Path:
    slots = "".join(f'<TIME_SLOT TIME_SLOT_ID="t{k}" TIME_VALUE="{500 * k}"/>' for k in range(60))
    notes = "".join(
        f'<ANNOTATION><ALIGNABLE_ANNOTATION TIME_SLOT_REF1="t{2 * k}" TIME_SLOT_REF2="t{2 * k + 1}">'
        "<ANNOTATION_VALUE>nod</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
        for k in range(30)
    )
    (folder / "a.eaf").write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><ANNOTATION_DOCUMENT><TIME_ORDER>{slots}</TIME_ORDER>'
        f'<TIER TIER_ID="x">{notes}</TIER></ANNOTATION_DOCUMENT>'
    )
    return folder / "a.eaf"


def _boris(folder: Path) -> Path:
    rows = "".join(f"S1,P,nod,State,{'START' if k % 2 == 0 else 'STOP'},{1.5 * k}\n" for k in range(60))
    (folder / "a.csv").write_text("Observation id,Subject,Behavior,Behavior type,Status,Time\n" + rows)
    return folder / "a.csv"


def _subtitles(folder: Path) -> Path:
    cues = "".join(f"{k}\n00:00:{k:02d}.000 --> 00:00:{k:02d}.800\nPatient: word {k}\n\n" for k in range(50))
    (folder / "a.vtt").write_text("WEBVTT\n\n" + cues)
    return folder / "a.vtt"


def _transcript(folder: Path) -> Path:
    rows = "".join(f"{k}.5\t{k}.9\tParticipant\tword {k}\n" for k in range(50))
    (folder / "a.csv").write_text("start_time\tstop_time\tspeaker\tvalue\n" + rows)
    return folder / "a.csv"


Read = Callable[[Path], object]


def _signal(modality: Modality, channel: str = "") -> Read:
    return lambda file: read_signal(file, modality=modality, channel=channel)


def _head(modality: Modality, channel: str = "") -> Read:
    """What `cueflow check` reads."""
    from cueflow.schemas.session import Stream
    from cueflow.tasks.ingest.headers import physiology_header

    return lambda file: physiology_header(file, Stream(modality, file.name, channel=channel))


def _whole_dataset(file: Path) -> object:
    from cueflow.tasks.ingest.dataset import read_dataset

    return read_dataset(file.parent)


def _tree(file: Path) -> object:
    from cueflow.tasks.ingest.dataset import read_dataset

    return read_dataset(file.parents[2])


def _annotations(file: Path) -> object:
    from cueflow.tasks.actions.data.annotations import read_annotations

    return read_annotations(file)


def _said(file: Path) -> object:
    from cueflow.tasks.ingest.transcripts import read_transcript

    return read_transcript(file)


def _marks(file: Path) -> object:
    from cueflow.tasks.clock.marks import marks_of

    return marks_of(file)


SEEDS: dict[str, tuple[Callable[[Path], Path], Read]] = {
    "csv": (_csv, _signal(Modality.ECG, "ecg")),
    "parquet": (_parquet, _signal(Modality.ECG, "ecg")),
    "edf": (_edf, _signal(Modality.ECG, "ecg")),
    "edf+d": (_edfd, _signal(Modality.ECG, "ecg")),
    "bdf": (_bdf, _signal(Modality.ECG, "ecg")),
    "bids": (_bids, _signal(Modality.ECG, "ecg")),
    "wfdb .hea": (_wfdb, _signal(Modality.ECG)),
    "wfdb .dat": (_wfdb_samples, _signal(Modality.ECG)),
    "e4 .zip": (_e4, _signal(Modality.EDA)),
    "e4 .csv": (_e4_table, _signal(Modality.EDA)),
    "opensignals": (_opensignals, _signal(Modality.ECG, "ECG")),
    "xdf": (_xdf, _signal(Modality.ECG)),
    "acq": (_acq, _signal(Modality.ECG, "ecg")),
    "avro": (_embrace, _signal(Modality.EDA)),
    "beat list": (_beats, _signal(Modality.INTERVALS)),
    "head of csv": (_csv, _head(Modality.ECG, "ecg")),
    "head of parquet": (_parquet, _head(Modality.ECG, "ecg")),
    "head of edf": (_edf, _head(Modality.ECG, "ecg")),
    "head of bids": (_bids, _head(Modality.ECG, "ecg")),
    "head of wfdb": (_wfdb, _head(Modality.ECG)),
    "head of e4 .csv": (_e4_table, _head(Modality.EDA)),
    "head of e4 .zip": (_e4, _head(Modality.EDA)),
    "head of opensignals": (_opensignals, _head(Modality.ECG, "ECG")),
    "head of xdf": (_xdf, _head(Modality.ECG)),
    "head of acq": (_acq, _head(Modality.ECG, "ecg")),
    "head of avro": (_embrace, _head(Modality.EDA)),
    "marks of edf+": (_marked_edf, _marks),
    "marks of xdf": (_marked_xdf, _marks),
    "marks of acq": (_marked_acq, _marks),
    "tags of e4": (_tagged_e4, _marks),
    "trigger column": (_triggers, _marks),
    "events.csv": (_events, _whole_dataset),
    "exclusions.csv": (_exclusions, _whole_dataset),
    "manifest.csv": (_manifest, _whole_dataset),
    "bids events": (_bids_events, _tree),
    "elan .eaf": (_elan, _annotations),
    "boris .csv": (_boris, _annotations),
    "transcript .vtt": (_subtitles, _said),
    "transcript .csv": (_transcript, _said),
}


_Change = Callable[[np.random.Generator, bytearray, int, int], bytearray]
_HUGE = (b"9999999999", b"-1", b"nan", b"1e308", b"0", b"\xff\xff\xff\x7f")


def _put(data: bytearray, at: int, size: int, new: bytes) -> bytearray:
    return data[:at] + new + data[at + size :]


_CHANGES: tuple[_Change, ...] = (
    lambda rng, d, at, size: _put(d, at, 1, bytes([d[at] ^ 1 << int(rng.integers(8))])),
    lambda rng, d, at, size: _put(d, at, 1, bytes([int(rng.integers(256))])),
    lambda rng, d, at, size: _put(d, at, size, b""),
    lambda rng, d, at, size: _put(d, at, 0, bytes(d[at : at + size]) * int(rng.integers(1, 20))),
    lambda rng, d, at, size: _put(d, at, size, bytes([int(rng.choice([0, 255, 32, 57]))]) * size),
    lambda rng, d, at, size: d[:at],
    lambda rng, d, at, size: _put(d, at, 0, rng.bytes(size)),
    lambda rng, d, at, size: _put(d, at, 1, _HUGE[int(rng.integers(len(_HUGE)))]),
    lambda rng, d, at, size: _put(d, at, size, bytes(d[(other := int(rng.integers(len(d)))) : other + size])),
)


def mutated(rng: np.random.Generator, raw: bytes) -> bytes:
    """One to four changes: bits, bytes, runs cut, doubled, moved or filled, numbers made huge, the end cut off."""
    data = bytearray(raw)
    for _ in range(int(rng.integers(1, 5))):
        if not data:
            break
        at = int(rng.integers(len(data))) if rng.random() < 0.5 else int(rng.integers(min(len(data), 400)))
        size = int(min(rng.integers(1, 64), len(data) - at))
        data = _CHANGES[int(rng.integers(len(_CHANGES)))](rng, data, at, size)
    return bytes(data)


def fuzz(name: str, first: int, count: int) -> None:
    """Read mutated files one after another; print each one's outcome before the next, for the process may die."""
    make, read = SEEDS[name]
    with tempfile.TemporaryDirectory() as scratch:
        file = make(Path(scratch))
        raw = file.read_bytes()
        read(file)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        signal.signal(signal.SIGALRM, _too_long)
        for number in range(first, first + count):
            file.write_bytes(_changed(np.random.default_rng([number, len(raw)]), raw, packed=file.suffix == ".gz"))
            held.MANY, tables.PART_BYTES, tables._PART_ROWS = ((1 << 19, 1 << 22, 1 << 16), (100, 999, 77))[number % 2]
            print(f"{number} {_outcome(file, read)}", flush=True)
        print(f"grew {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024:.0f}", flush=True)


def _changed(rng: np.random.Generator, raw: bytes, *, packed: bool) -> bytes:
    """A mutated file; of a compressed one also what is inside, or its checksum would refuse them all."""
    if packed and rng.random() < 0.7:
        return gzip.compress(mutated(rng, gzip.decompress(raw)), mtime=0)
    return mutated(rng, raw)


def _too_long(*_: object) -> None:
    raise TimeoutError


def _outcome(file: Path, read: Read) -> str:
    signal.alarm(LIMIT_S)
    try:
        read(file)
    except (StreamError, DatasetError) as error:
        return f"refused {error.reason}"
    except TimeoutError:
        return "hang"
    except MemoryError:
        return "memory"
    except BaseException as error:  # noqa: BLE001 - finding these is what this is for
        return f"crash {type(error).__name__}: {str(error)[:80]!r}"
    finally:
        signal.alarm(0)
    return "read"


def report(name: str, total: int) -> None:
    """Run one format in processes of its own and print its row."""
    done, counts, grew, began = 0, Counter[str](), 0, time.perf_counter()
    odd: list[str] = []
    while done < total:
        made = subprocess.run(
            [sys.executable, __file__, "_child", name, str(done), str(total - done)], capture_output=True, text=True
        )
        for line in made.stdout.splitlines():
            number, _, outcome = line.partition(" ")
            if number == "grew":
                grew = max(grew, int(float(outcome)))
                continue
            done = int(number) + 1
            counts[outcome.split()[0]] += 1
            if outcome.split()[0] in {"crash", "hang", "memory"}:
                odd.append(line)
        if not done and not made.stdout:
            raise SystemExit(f"{name}: the file without changes is not read: {made.stderr[-300:]}")
        if made.returncode != 0 and done < total:
            counts["died"] += 1
            odd.append(f"{done} died: {made.stderr.strip().splitlines()[-1:]}")
            done += 1
    cells = (name, total, counts["read"], counts["refused"], counts["crash"] + counts["died"], counts["hang"],
             counts["memory"], grew, f"{time.perf_counter() - began:.0f}")  # fmt: skip
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    for line in odd[:5]:
        print(f"  {line}", file=sys.stderr)


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    if arguments[:1] == ["_child"]:
        limit = 6 * 2**30
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        return fuzz(arguments[1], int(arguments[2]), int(arguments[3]))
    total = int(arguments[0]) if arguments else 10_000
    print(heading("Readers on mutated files"))
    print("| format | files | read | refused | crashed | over 5 s | out of memory | memory grew, MiB | s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in arguments[1:] or SEEDS:
        report(name, total)
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
