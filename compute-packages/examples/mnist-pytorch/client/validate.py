"""Validates: python3 validate.py MODEL_IN JSON_OUT."""

import sys

import torch
from data import load_data
from fedn.utils.helpers.helpers import save_metrics
from model import load


def validate(path_in, path_out):
    x, y = load_data("_validation")
    network = load(path_in)
    network.eval()
    with torch.no_grad():
        outputs = network(x)
    figures = {
        "loss": torch.nn.functional.cross_entropy(outputs, y).item(),
        "accuracy": (outputs.argmax(1) == y).float().mean().item(),
        "num_examples": len(y),
    }
    save_metrics(figures, path_out)


if __name__ == "__main__":
    validate(sys.argv[1], sys.argv[2])
