"""Late fusion of additive experts, with exact explanations."""

from cueflow.tasks.fusion.features import read_long_table
from cueflow.tasks.fusion.files import load_model, save_model
from cueflow.tasks.fusion.labels import read_labels
from cueflow.tasks.fusion.model import FusionModel
from cueflow.tasks.fusion.predict import Contribution, Prediction, predict
from cueflow.tasks.fusion.train import train

__all__ = [
    "Contribution",
    "FusionModel",
    "Prediction",
    "load_model",
    "predict",
    "read_labels",
    "read_long_table",
    "save_model",
    "train",
]
