"""Validates: python3 validate.py MODEL_IN JSON_OUT."""

import sys

import numpy as np
from data import load_data
from fedn.utils.helpers.helpers import save_metrics
from model import features, forward, helper


def validate(path_in, path_out):
    windows, y = load_data("test")
    probability = forward(helper.load(path_in), features(windows))[1]
    figures = {
        "loss": float(-np.log(probability[np.arange(len(y)), y] + 1e-9).mean()),
        "accuracy": float((probability.argmax(axis=1) == y).mean()),
        "num_examples": len(y),
    }
    save_metrics(figures, path_out)


if __name__ == "__main__":
    validate(sys.argv[1], sys.argv[2])
