"""Cohorts with known truth, made once."""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from cueflow.tasks.fusion.learn import joint, posterior


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", autouse=True)
def _brief_folds():
    """The joint model's share is found with shorter chains; the model itself is sampled as always."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joint, "BRIEF", posterior.Turns(10, 20, 30))
        yield


@pytest.fixture(scope="session")
def make_cohort():
    return partial(_load("fusion_cohorts").make_cohort, biomarkers=5)


@pytest.fixture(scope="session")
def cohort(make_cohort):
    return make_cohort(subjects=40, missing=0.05, gone=0.08)


@pytest.fixture(scope="session")
def model(cohort):
    from cueflow.tasks.fusion import train

    return train(cohort.frame, cohort.labels, target="pain", kinds=("linear",))


@pytest.fixture(scope="session")
def predictions(model, cohort):
    from cueflow.tasks.fusion import predict

    return predict(model, cohort.frame)
