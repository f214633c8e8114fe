"""Late fusion of additive experts, with exact explanations."""

from cueflow.schemas.results import Contribution, Prediction
from cueflow.tasks.fusion.answer.explain import Explanation, explain
from cueflow.tasks.fusion.answer.over_time import Step, VisitChange, trajectory, visit_change
from cueflow.tasks.fusion.answer.predict import predict
from cueflow.tasks.fusion.answer.words import explain_text
from cueflow.tasks.fusion.data.features import read_long_table
from cueflow.tasks.fusion.data.groups import read_subjects
from cueflow.tasks.fusion.data.labels import read_labels
from cueflow.tasks.fusion.judge.evaluate import Evaluation, evaluate
from cueflow.tasks.fusion.learn.train import train
from cueflow.tasks.fusion.store.files import load_model, save_model
from cueflow.tasks.fusion.store.model import FusionModel

__all__ = [
    "Contribution",
    "Evaluation",
    "Explanation",
    "FusionModel",
    "Prediction",
    "Step",
    "VisitChange",
    "evaluate",
    "explain",
    "explain_text",
    "load_model",
    "predict",
    "read_labels",
    "read_long_table",
    "read_subjects",
    "save_model",
    "train",
    "trajectory",
    "visit_change",
]
