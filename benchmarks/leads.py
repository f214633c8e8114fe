"""What is said of exchanged electrodes, in recordings of many leads.

python benchmarks/leads.py FOLDER    # of WFDB records with I, II, III and V1 to V6, such as PhysioNet's STAFF III
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from body_data import head, row
from measure import heading

from cueflow.schemas.results import Signal
from cueflow.schemas.session import Modality
from cueflow.tasks.ingest.signals import read_signal
from cueflow.tasks.physiology.heart.exchanged import CHEST, LIMB
from cueflow.tasks.physiology.heart.leads import Leads, leads_odd


def main(folder: Path) -> None:
    """Print one row for each record."""
    print(heading("Exchanged electrodes"))
    head("record", "as named", "right arm's cable with left arm's", "with left leg's", "left arm's with left leg's",
         "exchanges of two chest leads, found")  # fmt: skip
    for path in sorted(folder.glob("*.hea")):
        known = {k: read_signal(path, modality=Modality.ECG, channel=k.upper()) for k in (*CHEST, *LIMB)}
        limb, chest = {k: known[k] for k in LIMB}, {k: known[k] for k in CHEST}
        one, two, three = limb.values()
        pairs = [{**chest, a: chest[b], b: chest[a]} for a, b in combinations(CHEST, 2)]
        found = sum(said(pair) != "nothing" for pair in pairs)
        arms = {"i": _turned(one), "ii": three, "iii": two}
        leg = {"i": _turned(three), "ii": _turned(two), "iii": _turned(one)}
        left = {"i": two, "ii": one, "iii": _turned(three)}
        row(path.stem, f"{said(limb)}; {said(chest)}", said(arms), said(leg), said(left), f"{found}/{len(pairs)}")


def said(leads: dict[str, Signal]) -> str:
    """What is said of the leads of one file."""
    odd = {k: leads_odd(v.values, v.sampling_rate, Leads(k, leads)) for k, v in leads.items()}
    return ", ".join(f"{k}: {why}" for k, why in odd.items() if why) or "nothing"


def _turned(lead: Signal) -> Signal:
    return replace(lead, values=-lead.values)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
