"""A network of one hidden layer over features of a window, in numpy alone."""

import sys

import numpy as np
from fedn.utils.helpers.helpers import get_helper

ACTIVITIES = ["standing", "sitting", "walking", "running", "stairs", "cycling"]
AXES = 3
BINS = 12
HIDDEN = 32
FEATURES = AXES * (2 + BINS)

helper = get_helper("numpyhelper")


def features(windows):
    """Per axis: mean, deviation and the size of the lowest frequencies; [n, steps, 3] becomes [n, FEATURES]."""
    mean = windows.mean(axis=1)
    still = windows - mean[:, None, :]
    spectrum = np.abs(np.fft.rfft(still, axis=1))[:, 1 : BINS + 1, :] / windows.shape[1]
    parts = [mean, still.std(axis=1), spectrum.reshape(len(windows), -1) * 4]
    return np.concatenate(parts, axis=1).astype(np.float32)


def new_model(seed=1):
    """Weights in the order in which they are exchanged: two layers, weights and biases."""
    random = np.random.default_rng(seed)

    def layer(inputs, outputs):
        bound = np.sqrt(6 / (inputs + outputs))
        weights = random.uniform(-bound, bound, (inputs, outputs)).astype(np.float32)
        return [weights, np.zeros(outputs, np.float32)]

    return layer(FEATURES, HIDDEN) + layer(HIDDEN, len(ACTIVITIES))


def forward(model, x):
    """Hidden values and the probability of each activity."""
    w1, b1, w2, b2 = model
    hidden = np.maximum(x @ w1 + b1, 0)
    logits = hidden @ w2 + b2
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return hidden, powers / powers.sum(axis=1, keepdims=True)


def gradients(model, x, y):
    """Of the mean cross-entropy, in the model's order."""
    hidden, probability = forward(model, x)
    error = probability.copy()
    error[np.arange(len(y)), y] -= 1
    error /= len(y)
    back = (error @ model[2].T) * (hidden > 0)
    return [x.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)]


if __name__ == "__main__":
    helper.save(new_model(), sys.argv[1] if len(sys.argv) > 1 else "../seed.npz")
