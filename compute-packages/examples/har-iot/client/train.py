"""Trains: python3 train.py MODEL_IN MODEL_OUT."""

import os
import sys

import numpy as np
from data import load_data
from fedn.utils.helpers.helpers import load_metadata, save_metadata
from model import features, forward, gradients, helper


def train(path_in, path_out):
    settings = load_metadata(path_in)
    epochs = int(settings.get("localEpochs", 2))
    batch = int(settings.get("batchSize", 32))
    rate = settings.get("learningRate", 0.1)
    windows, y = load_data("train")
    x = features(windows)
    model = helper.load(path_in)
    speed = [np.zeros_like(each) for each in model]
    # The same round of the same session gives the same model again.
    random = np.random.default_rng(int(os.environ.get("FEDCLAVE_SEED") or "1", 16))
    for epoch in range(epochs):
        order = random.permutation(len(y))
        for start in range(0, len(y), batch):
            rows = order[start : start + batch]
            for i, gradient in enumerate(gradients(model, x[rows], y[rows])):
                speed[i] = 0.9 * speed[i] + gradient
                model[i] = model[i] - np.float32(rate) * speed[i]
        loss = -np.log(forward(model, x)[1][np.arange(len(y)), y] + 1e-9).mean()
        print(f"epoch {epoch + 1} of {epochs}: loss {loss:.4f}")
    helper.save(model, path_out)
    save_metadata({"num_examples": len(y), "epochs": epochs, "batch_size": batch}, path_out)


if __name__ == "__main__":
    train(sys.argv[1], sys.argv[2])
