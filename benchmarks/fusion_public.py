"""Evaluation on public tables that come with scikit-learn: the plumbing, on data nobody here made.

python benchmarks/fusion_public.py

Breast cancer (Wolberg, Street, Mangasarian 1995, CC BY 4.0): mean, error and worst values of cells as three modalities.
Diabetes (Efron and others 2004): body, blood lipids and other blood values; a score, cut at 140. Every row is a person.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cueflow.tasks.fusion import evaluate

BODY = {"age", "sex", "bmi", "bp"}
LIPIDS = {"s1", "s2", "s3", "s4", "s5"}


def long_table(values: np.ndarray, names: list[str], modalities: list[str]) -> pl.DataFrame:
    """One value a row."""
    ids = [f"r{i:04d}" for i in range(len(values))]
    parts = [
        pl.DataFrame({"session_id": ids, "subject_id": ids, "value": values[:, j]}).with_columns(
            modality=pl.lit(modalities[j]), biomarker=pl.lit(name)
        )
        for j, name in enumerate(names)
    ]
    return pl.concat(parts)


def labels_of(values: np.ndarray) -> pl.DataFrame:
    """Labels in the order of the rows."""
    return pl.DataFrame(
        {"session_id": [f"r{i:04d}" for i in range(len(values))], "target": "y", "value": values.astype(float)}
    )


def main() -> None:
    """Print the table of both sets."""
    from sklearn.datasets import load_breast_cancer, load_diabetes

    cancer, diabetes = load_breast_cancer(), load_diabetes()
    names = [str(name) for name in cancer.feature_names]
    kinds = ["worst" if n.startswith("worst") else "error" if n.endswith("error") else "mean" for n in names]
    made = evaluate(long_table(cancer.data, names, kinds), labels_of(cancer.target), target="y")
    print("breast cancer\n" + made.to_text())
    names = [str(name) for name in diabetes.feature_names]
    kinds = ["body" if n in BODY else "lipids" if n in LIPIDS else "sugar" for n in names]
    frame, labels = long_table(diabetes.data, names, kinds), labels_of(diabetes.target)
    print("diabetes, score from 140\n" + evaluate(frame, labels, target="y", threshold=140).to_text())


if __name__ == "__main__":
    main()
