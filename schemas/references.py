# ruff: noqa: E501 - titles and authors stay on one line
"""What is known of the sources that the registry and the weights name: kind of entry, key, and fields of BibTeX.

The address is added from the source itself. "and others" stands where the list of authors is not written out.
"""

from __future__ import annotations

REFERENCES: dict[str, tuple[str, str, dict[str, str]]] = {
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
    "isbn:0-931835-01-1": ("book", "ekman2002facs", {
        "author": "Ekman, Paul and Friesen, Wallace V. and Hager, Joseph C.",
        "title": "Facial Action Coding System: The Manual", "publisher": "A Human Face", "year": "2002",
    }),
    "doi:10.1007/s11517-011-0834-z": ("article", "piskorski2011asymmetry", {
        "author": "Piskorski, Jarosław and Guzik, Przemysław",
        "title": "Asymmetric Properties of Long-Term and Total Heart Rate Variability",
        "journal": "Medical \\& Biological Engineering \\& Computing", "year": "2011", "volume": "49",
    }),
    "doi:10.1109/10.678605": ("article", "laguna1998lomb", {
        "author": "Laguna, Pablo and Moody, George B. and Mark, Roger G.",
        "title": "Power Spectral Density of Unevenly Sampled Data by Least-Square Analysis: Performance and Application to "
        "Heart Rate Signals",
        "journal": "IEEE Transactions on Biomedical Engineering", "year": "1998", "volume": "45", "number": "6",
        "pages": "698--715",
    }),
    "doi:10.3389/fphys.2017.00255": ("article", "costa2017fragmentation", {
        "author": "Costa, Madalena D. and Davis, Roger B. and Goldberger, Ary L.",
        "title": "Heart Rate Fragmentation: A New Approach to the Analysis of Cardiac Interbeat Interval Dynamics",
        "journal": "Frontiers in Physiology", "year": "2017", "volume": "8", "pages": "255",
    }),
    "doi:10.1016/j.wocn.2010.08.002": ("article", "heldner2010pauses", {
        "author": "Heldner, Mattias and Edlund, Jens",
        "title": "Pauses, Gaps and Overlaps in Conversations",
        "journal": "Journal of Phonetics", "year": "2010", "volume": "38", "number": "4", "pages": "555--568",
    }),
    "doi:10.1080/03091902.2019.1640306": ("article", "lipponen2019artefact", {
        "author": "Lipponen, Jukka A. and Tarvainen, Mika P.",
        "title": "A Robust Algorithm for Heart Rate Variability Time Series Artefact Correction Using Novel Beat "
        "Classification",
        "journal": "Journal of Medical Engineering \\& Technology", "year": "2019", "volume": "43", "number": "3",
        "pages": "173--181",
    }),
    "doi:10.1016/s0165-1838(96)00112-9": ("article", "toichi1997csi", {
        "author": "Toichi, Motomi and Sugiura, Takeshi and Murai, Toshiya and Sengoku, Akira",
        "title": "A New Method of Assessing Cardiac Autonomic Function and Its Comparison with Spectral Analysis and "
        "Coefficient of Variation of {R--R} Interval",
        "journal": "Journal of the Autonomic Nervous System", "year": "1997", "volume": "62", "pages": "79--84",
    }),
    "arxiv:2411.02065": ("misc", "agrawal2024amflow", {
        "author": "Agrawal, Tanay and Ali, Abid and Dantcheva, Antitza and Bremond, Francois",
        "title": "{AM Flow}: Adapters for Temporal Processing in Action Recognition", "year": "2024",
    }),
    "https://www.isca-archive.org/interspeech_2011/levitan11_interspeech.html": ("inproceedings", "levitan2011entrainment", {
        "author": "Levitan, Rivka and Hirschberg, Julia",
        "title": "Measuring Acoustic-Prosodic Entrainment with Respect to Multiple Levels and Dimensions",
        "booktitle": "Interspeech 2011", "year": "2011", "pages": "3081--3084",
    }),
    "doi:10.1109/tbme.2016.2609282": ("article", "wang2017rppg", {
        "author": "Wang, Wenjin and den Brinker, Albertus C. and Stuijk, Sander and de Haan, Gerard",
        "title": "Algorithmic Principles of Remote {PPG}",
        "journal": "IEEE Transactions on Biomedical Engineering", "year": "2017", "volume": "64", "number": "7",
        "pages": "1479--1491",
    }),
    "doi:10.1037/a0023419": ("article", "ramseyer2011synchrony", {
        "author": "Ramseyer, Fabian and Tschacher, Wolfgang",
        "title": "Nonverbal Synchrony in Psychotherapy: Coordinated Body Movement Reflects Relationship Quality and Outcome",
        "journal": "Journal of Consulting and Clinical Psychology", "year": "2011", "volume": "79", "number": "3",
        "pages": "284--295",
    }),
    "doi:10.1109/embc.2014.6944639": ("inproceedings", "jeppesen2014lorenz", {
        "author": "Jeppesen, Jesper and others",
        "title": "Using {Lorenz} Plot and Cardiac Sympathetic Index of Heart Rate Variability for Detecting Seizures for "
        "Patients with Epilepsy",
        "booktitle": "36th Annual International Conference of the IEEE Engineering in Medicine and Biology Society",
        "year": "2014",
    }),
    "doi:10.1515/bmt.2006.054": ("article", "guzik2006asymmetry", {
        "author": "Guzik, Przemysław and Piskorski, Jarosław and Krauze, Tomasz and Wykretowicz, Andrzej and Wysocki, Henryk",
        "title": "Heart Rate Asymmetry by {Poincaré} Plots of {RR} Intervals",
        "journal": "Biomedizinische Technik", "year": "2006", "volume": "51", "number": "4", "pages": "272--275",
    }),
    "doi:10.1088/0967-3334/36/2/303": ("article", "karmakar2015phase", {
        "author": "Karmakar, Chandan K. and Khandoker, Ahsan H. and Palaniswami, Marimuthu",
        "title": "Phase Asymmetry of Heart Rate Variability Signal",
        "journal": "Physiological Measurement", "year": "2015", "volume": "36", "number": "2", "pages": "303--314",
    }),
    "doi:10.1186/s12938-017-0402-3": ("article", "yan2017area", {
        "author": "Yan, Chang and others",
        "title": "Area Asymmetry of Heart Rate Variability Signal",
        "journal": "BioMedical Engineering OnLine", "year": "2017", "volume": "16",
    }),
    "doi:10.1152/ajpregu.00129.2008": ("article", "porta2008asymmetries", {
        "author": "Porta, Alberto and others",
        "title": "Temporal Asymmetries of Short-Term Heart Period Variability Are Linked to Autonomic Regulation",
        "journal": "American Journal of Physiology: Regulatory, Integrative and Comparative Physiology", "year": "2008",
        "volume": "295", "number": "2", "pages": "R550--R557",
    }),
    "doi:10.1063/1.166141": ("article", "peng1995dfa", {
        "author": "Peng, C.-K. and Havlin, Shlomo and Stanley, H. Eugene and Goldberger, Ary L.",
        "title": "Quantification of Scaling Exponents and Crossover Phenomena in Nonstationary Heartbeat Time Series",
        "journal": "Chaos", "year": "1995", "volume": "5", "number": "1", "pages": "82--87",
    }),
    "doi:10.1152/ajpheart.2000.278.6.h2039": ("article", "richman2000sampen", {
        "author": "Richman, Joshua S. and Moorman, J. Randall",
        "title": "Physiological Time-Series Analysis Using Approximate Entropy and Sample Entropy",
        "journal": "American Journal of Physiology: Heart and Circulatory Physiology", "year": "2000", "volume": "278",
        "number": "6", "pages": "H2039--H2049",
    }),
    "doi:10.1073/pnas.88.6.2297": ("article", "pincus1991apen", {
        "author": "Pincus, Steven M.",
        "title": "Approximate Entropy as a Measure of System Complexity",
        "journal": "Proceedings of the National Academy of Sciences", "year": "1991", "volume": "88", "number": "6",
        "pages": "2297--2301",
    }),
    "doi:10.1002/mds.27121": ("article", "bhatia2018tremor", {
        "author": "Bhatia, Kailash P. and others",
        "title": "Consensus Statement on the Classification of Tremors, from the Task Force on Tremor of the International "
        "{Parkinson} and Movement Disorder Society",
        "journal": "Movement Disorders", "year": "2018", "volume": "33", "number": "1", "pages": "75--87",
    }),
    "arxiv:1710.10467": ("misc", "wan2017ge2e", {
        "author": "Wan, Li and Wang, Quan and Papir, Alan and Lopez Moreno, Ignacio",
        "title": "Generalized End-to-End Loss for Speaker Verification", "year": "2017",
    }),
    "doi:10.21437/interspeech.2023-205": ("inproceedings", "plaquet2023powerset", {
        "author": "Plaquet, Alexis and Bredin, Herv{\\'e}",
        "title": "Powerset Multi-Class Cross Entropy Loss for Neural Speaker Diarization",
        "booktitle": "Proc. Interspeech 2023", "year": "2023", "pages": "3222--3226",
    }),
    "arxiv:2212.04356": ("misc", "radford2023whisper", {
        "author": "Radford, Alec and Kim, Jong Wook and Xu, Tao and Brockman, Greg and McLeavey, Christine and Sutskever, Ilya",
        "title": "Robust Speech Recognition via Large-Scale Weak Supervision", "year": "2023",
    }),
    "doi:10.1177/00238309000430040301": ("article", "low2000rhythm", {
        "author": "Low, Ee Ling and Grabe, Esther and Nolan, Francis",
        "title": "Quantitative Characterizations of Speech Rhythm: Syllable-Timing in {Singapore English}",
        "journal": "Language and Speech", "year": "2000", "volume": "43", "number": "4", "pages": "377--401",
    }),
    "doi:10.1121/1.398894": ("article", "klatt1990voice", {
        "author": "Klatt, Dennis H. and Klatt, Laura C.",
        "title": "Analysis, Synthesis, and Perception of Voice Quality Variations among Female and Male Talkers",
        "journal": "The Journal of the Acoustical Society of America", "year": "1990", "volume": "87", "number": "2",
        "pages": "820--857",
    }),
    "https://www.ingentaconnect.com/content/dav/aaua/1997/00000083/00000004": ("article", "michaelis1997gne", {
        "author": "Michaelis, Dirk and Gramss, Tino and Strube, Hans Werner",
        "title": "Glottal-to-Noise Excitation Ratio -- a New Measure for Describing Pathological Voices",
        "journal": "Acustica", "year": "1997", "volume": "83", "number": "4", "pages": "700--706",
    }),
    "doi:10.1016/j.jvoice.2014.06.015": ("article", "maryn2015praat", {
        "author": "Maryn, Youri and Weenink, David",
        "title": "Objective Dysphonia Measures in the Program {Praat}: Smoothed Cepstral Peak Prominence and Acoustic Voice "
        "Quality Index",
        "journal": "Journal of Voice", "year": "2015", "volume": "29", "number": "1", "pages": "35--43",
    }),
    "doi:10.1109/tbme.2013.2246160": ("article", "karlen2013respiration", {
        "author": "Karlen, Walter and Raman, Srinivas and Ansermino, J. Mark and Dumont, Guy A.",
        "title": "Multiparameter Respiratory Rate Estimation from the Photoplethysmogram",
        "journal": "IEEE Transactions on Biomedical Engineering", "year": "2013", "volume": "60", "number": "7",
        "pages": "1946--1953",
    }),
    "doi:10.1088/0967-3334/28/3/r01": ("article", "allen2007ppg", {
        "author": "Allen, John",
        "title": "Photoplethysmography and Its Application in Clinical Physiological Measurement",
        "journal": "Physiological Measurement", "year": "2007", "volume": "28", "number": "3", "pages": "R1--R39",
    }),
    "doi:10.1007/s10439-016-1606-6": ("article", "posadaquintero2016eda", {
        "author": "Posada-Quintero, Hugo F. and others",
        "title": "Power Spectral Density Analysis of Electrodermal Activity for Sympathetic Function Assessment",
        "journal": "Annals of Biomedical Engineering", "year": "2016", "volume": "44", "pages": "3124--3135",
    }),
    "https://rosap.ntl.bts.gov/view/dot/113": ("techreport", "fhwa1998perclos", {
        "author": "{Federal Highway Administration, Office of Motor Carriers}",
        "title": "{PERCLOS}: A Valid Psychophysiological Measure of Alertness as Assessed by Psychomotor Vigilance",
        "institution": "Federal Highway Administration", "year": "1998",
    }),
    "doi:10.1097/00003246-200206000-00006": ("article", "lima2002perfusion", {
        "author": "Lima, Alexandre P. and Beelen, Peter and Bakker, Jan",
        "title": "Use of a Peripheral Perfusion Index Derived from the Pulse Oximetry Signal as a Noninvasive Indicator of "
        "Perfusion",
        "journal": "Critical Care Medicine", "year": "2002", "volume": "30", "number": "6", "pages": "1210--1213",
    }),
    "doi:10.1016/j.neuroimage.2006.02.048": ("article", "birn2006rvt", {
        "author": "Birn, Rasmus M. and Diamond, Jason B. and Smith, Monica A. and Bandettini, Peter A.",
        "title": "Separating Respiratory-Variation-Related Fluctuations from Neuronal-Activity-Related Fluctuations in {fMRI}",
        "journal": "NeuroImage", "year": "2006", "volume": "31", "number": "4", "pages": "1536--1548",
    }),
    "doi:10.1371/journal.pone.0134813": ("article", "vahaypya2015cutpoints", {
        "author": "Vähä-Ypyä, Henri and others",
        "title": "Validation of Cut-Points for Evaluating the Intensity of Physical Activity with Accelerometry-Based Mean "
        "Amplitude Deviation ({MAD})",
        "journal": "PLoS ONE", "year": "2015", "volume": "10", "number": "8",
    }),
    "doi:10.1371/journal.pone.0061691": ("article", "vanhees2013gravity", {
        "author": "van Hees, Vincent T. and others",
        "title": "Separating Movement and Gravity Components in an Acceleration Signal and Implications for the Assessment of "
        "Human Daily Physical Activity",
        "journal": "PLoS ONE", "year": "2013", "volume": "8", "number": "4",
    }),
    "doi:10.1111/j.1469-8986.1990.tb02171.x": ("article", "grossman1990rsa", {
        "author": "Grossman, Paul and van Beek, Johan and Wientjes, Cornelis",
        "title": "A Comparison of Three Quantification Methods for Estimation of Respiratory Sinus Arrhythmia",
        "journal": "Psychophysiology", "year": "1990", "volume": "27", "number": "6", "pages": "702--714",
    }),
    "arxiv:2006.10962": ("misc", "grishchenko2020attentionmesh", {
        "author": "Grishchenko, Ivan and others",
        "title": "Attention Mesh: High-Fidelity Face Mesh Prediction in Real-Time", "year": "2020",
    }),
    "arxiv:1907.05047": ("misc", "bazarevsky2019blazeface", {
        "author": "Bazarevsky, Valentin and others",
        "title": "{BlazeFace}: Sub-Millisecond Neural Face Detection on Mobile {GPU}s", "year": "2019",
    }),
    "arxiv:2006.10204": ("misc", "bazarevsky2020blazepose", {
        "author": "Bazarevsky, Valentin and others",
        "title": "{BlazePose}: On-Device Real-Time Body Pose Tracking", "year": "2020",
    }),
    "arxiv:2006.10214": ("misc", "zhang2020hands", {
        "author": "Zhang, Fan and others",
        "title": "{MediaPipe} Hands: On-Device Real-Time Hand Tracking", "year": "2020",
    }),
    "https://jmlr.org/papers/v10/king09a.html": ("article", "king2009dlib", {
        "author": "King, Davis E.",
        "title": "Dlib-ml: A Machine Learning Toolkit",
        "journal": "Journal of Machine Learning Research", "year": "2009", "volume": "10", "pages": "1755--1758",
    }),
    "https://github.com/snakers4/silero-vad": ("misc", "silerovad", {
        "author": "{Silero Team}",
        "title": "{Silero VAD}: Pre-Trained Enterprise-Grade Voice Activity Detector", "year": "2024",
    }),
    "arxiv:2304.07193": ("misc", "oquab2023dinov2", {
        "author": "Oquab, Maxime and others",
        "title": "{DINOv2}: Learning Robust Visual Features without Supervision", "year": "2023",
    }),
}  # fmt: skip

# Whose weights, as the lock file names them, to where they are described.
WEIGHTS: dict[str, str] = {
    "face_landmarker": "arxiv:2006.10962",
    "face_detector": "arxiv:1907.05047",
    "pose_landmarker": "arxiv:2006.10204",
    "hand_landmarker": "arxiv:2006.10214",
    "face_identity": "https://jmlr.org/papers/v10/king09a.html",
    "silero_vad": "https://github.com/snakers4/silero-vad",
    "speaker_encoder": "arxiv:1710.10467",
    "speaker_segmentation": "doi:10.21437/interspeech.2023-205",
    "whisper_tiny_en": "arxiv:2212.04356",
    "dinov2_small": "arxiv:2304.07193",
}
