"""The owner's windows: a .npz with x_train, y_train, x_test and y_test."""

import os

import numpy as np


def load_data(part):
    """Windows [n, steps, 3] and labels [n] of "train" or "test"."""
    with np.load(os.environ["FEDN_DATA_PATH"]) as data:
        return data["x_" + part], data["y_" + part]
