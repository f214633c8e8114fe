"""Late fusion of additive experts, with exact explanations."""

from cueflow.schemas.results import Contribution, Prediction
from cueflow.tasks.fusion.evaluate import Evaluation, evaluate
from cueflow.tasks.fusion.explain import Explanation, explain
from cueflow.tasks.fusion.features import read_long_table
from cueflow.tasks.fusion.files import load_model, save_model
from cueflow.tasks.fusion.labels import read_labels
from cueflow.tasks.fusion.model import FusionModel
from cueflow.tasks.fusion.over_time import Step, VisitChange, trajectory, visit_change
from cueflow.tasks.fusion.predict import predict
from cueflow.tasks.fusion.train import train
from cueflow.tasks.fusion.words import explain_text

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
    "save_model",
    "train",
    "trajectory",
    "visit_change",
]
