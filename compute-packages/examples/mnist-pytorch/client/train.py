"""Trains: python3 train.py MODEL_IN MODEL_OUT."""

import os
import sys

import torch
from data import load_data
from fedn.utils.helpers.helpers import load_metadata, save_metadata
from model import load, save


def train(path_in, path_out):
    settings = load_metadata(path_in)
    epochs = int(settings.get("localEpochs", 10))
    batch = int(settings.get("batchSize", 64))
    rate = settings.get("learningRate", 0.01)
    # The same round of the same session draws the same numbers again.
    torch.manual_seed(int((os.environ.get("FEDCLAVE_SEED") or "1")[:15], 16))
    x, y = load_data()
    network = load(path_in)
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(y)).split(batch):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch + 1} of {epochs}: loss {total / len(y):.4f}")
    save(network, path_out)
    save_metadata({"num_examples": len(y), "epochs": epochs, "batch_size": batch}, path_out)


if __name__ == "__main__":
    train(sys.argv[1], sys.argv[2])
