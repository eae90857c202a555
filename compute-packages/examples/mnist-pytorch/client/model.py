"""784-64-32-10 with ReLU, and dropout of one half behind the first layer."""

import sys

import torch
from fedn.utils.helpers.helpers import get_helper

helper = get_helper("numpyhelper")


def new_network():
    return torch.nn.Sequential(
        torch.nn.Linear(784, 64),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(64, 32),
        torch.nn.ReLU(),
        torch.nn.Linear(32, 10),
    )


def save(network, path):
    helper.save([each.numpy() for each in network.state_dict().values()], path)


def load(path):
    network = new_network()
    arrays = [torch.from_numpy(each.copy()) for each in helper.load(path)]
    network.load_state_dict(dict(zip(network.state_dict(), arrays)))
    return network


if __name__ == "__main__":
    torch.manual_seed(1)
    save(new_network(), sys.argv[1] if len(sys.argv) > 1 else "../seed.npz")
