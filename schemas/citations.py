# ruff: noqa: E501 - titles and authors stay on one line
"""Sources of the measures as BibTeX; one that is not listed here is cited by its address alone."""

from __future__ import annotations

import re

from cueflow import __version__

_KNOWN: dict[str, tuple[str, str, dict[str, str]]] = {
    "doi:10.1109/taffc.2015.2457417": ("article", "eyben2016gemaps", {
        "author": "Eyben, Florian and Scherer, Klaus R. and Schuller, Björn W. and Sundberg, Johan and André, Elisabeth and "
        "Busso, Carlos and Devillers, Laurence Y. and Epps, Julien and Laukka, Petri and Narayanan, Shrikanth S. and "
        "Truong, Khiet P.",
        "title": "The {Geneva} Minimalistic Acoustic Parameter Set ({GeMAPS}) for Voice Research and Affective Computing",
        "journal": "IEEE Transactions on Affective Computing", "year": "2016", "volume": "7", "number": "2",
        "pages": "190--202",
    }),
    "doi:10.3389/fpubh.2017.00258": ("article", "shaffer2017hrv", {
        "author": "Shaffer, Fred and Ginsberg, J. P.",
        "title": "An Overview of Heart Rate Variability Metrics and Norms",
        "journal": "Frontiers in Public Health", "year": "2017", "volume": "5", "pages": "258",
    }),
    "doi:10.1161/01.cir.93.5.1043": ("article", "taskforce1996hrv", {
        "author": "{Task Force of the European Society of Cardiology and the North American Society of Pacing and "
        "Electrophysiology}",
        "title": "Heart Rate Variability: Standards of Measurement, Physiological Interpretation and Clinical Use",
        "journal": "Circulation", "year": "1996", "volume": "93", "number": "5", "pages": "1043--1065",
    }),
    "doi:10.3758/s13428-020-01516-y": ("article", "makowski2021neurokit", {
        "author": "Makowski, Dominique and Pham, Tam and Lau, Zen J. and Brammer, Jan C. and Lespinasse, François and "
        "Pham, Hung and Schölzel, Christopher and Chen, S. H. Annabel",
        "title": "{NeuroKit2}: A {Python} Toolbox for Neurophysiological Signal Processing",
        "journal": "Behavior Research Methods", "year": "2021", "volume": "53", "pages": "1689--1696",
    }),
    "doi:10.1111/j.1469-8986.2012.01384.x": ("article", "spr2012electrodermal", {
        "author": "{Society for Psychophysiological Research Ad Hoc Committee on Electrodermal Measures}",
        "title": "Publication Recommendations for Electrodermal Measurements",
        "journal": "Psychophysiology", "year": "2012", "volume": "49", "number": "8", "pages": "1017--1034",
    }),
    "https://www.fon.hum.uva.nl/paul/papers/proceedings_1993.pdf": ("article", "boersma1993pitch", {
        "author": "Boersma, Paul",
        "title": "Accurate Short-Term Analysis of the Fundamental Frequency and the Harmonics-to-Noise Ratio of a Sampled "
        "Sound",
        "journal": "IFA Proceedings", "year": "1993", "volume": "17", "pages": "97--110",
    }),
    "https://www.fon.hum.uva.nl/praat/manual/voice.html": ("misc", "praatvoice", {
        "author": "Boersma, Paul and Weenink, David", "title": "{Praat}: Doing Phonetics by Computer. Manual: Voice",
    }),
    "doi:10.1109/10.959330": ("article", "brennan2001poincare", {
        "author": "Brennan, Michael and Palaniswami, Marimuthu and Kamen, Peter",
        "title": "Do Existing Measures of {Poincaré} Plot Geometry Reflect Nonlinear Features of Heart Rate Variability?",
        "journal": "IEEE Transactions on Biomedical Engineering", "year": "2001", "volume": "48", "number": "11",
        "pages": "1342--1347",
    }),
    "doi:10.1002/mds.870120629": ("article", "bentivoglio1997blink", {
        "author": "Bentivoglio, Anna Rita and Bressman, Susan B. and Cassetta, Emanuele and Carretta, Donatella and Tonali, "
        "Pietro and Albanese, Alberto",
        "title": "Analysis of Blink Rate Patterns in Normal Subjects",
        "journal": "Movement Disorders", "year": "1997", "volume": "12", "number": "6", "pages": "1028--1034",
    }),
    "doi:10.3758/brm.41.2.385": ("article", "dejong2009syllables", {
        "author": "de Jong, Nivja H. and Wempe, Ton",
        "title": "Praat Script to Detect Syllable Nuclei and Measure Speech Rate Automatically",
        "journal": "Behavior Research Methods", "year": "2009", "volume": "41", "number": "2", "pages": "385--390",
    }),
    "doi:10.1109/tbme.2017.2758643": ("article", "kleckner2018eda", {
        "author": "Kleckner, Ian R. and others",
        "title": "Simple, Transparent, and Flexible Automated Quality Assessment Procedures for Ambulatory Electrodermal "
        "Activity Data",
        "journal": "IEEE Transactions on Biomedical Engineering", "year": "2018",
    }),
    "doi:10.1111/cpf.12127": ("article", "vahaypya2015mad", {
        "author": "Vähä-Ypyä, Henri and others",
        "title": "A Universal, Accurate Intensity-Based Classification of Different Physical Activities Using Raw Data of "
        "Accelerometer",
        "journal": "Clinical Physiology and Functional Imaging", "year": "2015",
    }),
}  # fmt: skip


def cite_key(source: str) -> str:
    """Name of a source in a bibliography.

    Parameters
    ----------
    source : str
        As a biomarker declares it.

    Returns
    -------
    str
        Letters and digits; the pages of these docs are cited as the software.
    """
    if source.startswith("cueflow:"):
        return "cueflow"
    known = _KNOWN.get(source.lower())
    return known[1] if known else re.sub(r"[^a-z0-9]+", "", source.lower().removeprefix("https://www."))[:40]


def bibtex(source: str) -> str:
    """A source as a BibTeX entry.

    Parameters
    ----------
    source : str
        As a biomarker declares it.

    Returns
    -------
    str
    """
    if source.startswith("cueflow:"):
        fields = {"title": "cueflow: explained biomarkers from recordings of clinical sessions", "version": __version__}
        return _entry("software", "cueflow", fields)
    kind, key, fields = _KNOWN.get(source.lower(), ("misc", cite_key(source), {}))
    return _entry(kind, key, {**fields, **_address(source)})


def _address(source: str) -> dict[str, str]:
    kind, _, rest = source.partition(":")
    match kind.lower():
        case "doi":
            return {"doi": rest}
        case "arxiv":
            return {"eprint": rest, "archiveprefix": "arXiv"}
        case "isbn":
            return {"isbn": rest}
    return {"url": source}


def _entry(kind: str, key: str, fields: dict[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
