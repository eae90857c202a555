"""Trains a Network of the builder with PyTorch: JSON cases on standard input, the trained tensors on standard output.

Written apart from the builder: layers, loss and optimizers are PyTorch's own, gradients its autograd's. In float64.
"""

import json
import sys

import torch
from torch.nn import functional as F


def forward(network, state, batch):
    x = torch.tensor(batch["features"], dtype=torch.float64) / network["features"]["divideBy"]
    for layer in network["layers"]:
        kind = layer["kind"]
        if kind == "dense":
            x = x @ state[layer["name"] + ".weight"] + state[layer["name"] + ".bias"]
        elif kind == "convolution":
            weight, bias = state[layer["name"] + ".weight"], state[layer["name"] + ".bias"]
            x = F.conv2d(x, weight, bias, padding=layer["padding"])
        elif kind == "gru":
            name = layer["name"]
            # Not torch.nn.GRU, which holds on to tensors of its own.
            weights = [
                state[name + ".input_weight"].T.contiguous(),
                state[name + ".hidden_weight"].T.contiguous(),
                state[name + ".input_bias"],
                state[name + ".hidden_bias"],
            ]
            zero = torch.zeros(1, x.shape[0], layer["outputs"], dtype=torch.float64)
            x = torch.gru(x, zero, weights, True, 1, 0.0, True, False, True)[0][:, -1]
        elif kind == "max-pool":
            x = F.max_pool2d(x, layer["size"])
        elif kind == "reshape":
            x = x.reshape([x.shape[0], *layer["shape"]])
        elif kind == "relu":
            x = torch.relu(x)
        elif kind == "dropout":
            mask = torch.tensor(batch["masks"][layer["name"]], dtype=torch.float64)
            x = x * mask / (layer["keepPer256"] / 256)
        else:
            raise ValueError(kind)
    return x


def optimizer_of(network, values, given):
    decay = given.get("weightDecay", 0)
    rate = given["learningRate"]
    if network.get("optimizer") == "adam":
        betas = (given["beta1"], given["beta2"])
        return torch.optim.Adam(values, rate, betas, given["epsilon"], decay)
    return torch.optim.SGD(values, rate, given.get("momentum", 0), weight_decay=decay)


def train(case):
    network, given = case["network"], case["hyperparameters"]
    state = {}
    for name, tensor in case["parameters"].items():
        value = torch.tensor(tensor["values"], dtype=torch.float64).reshape(tensor["shape"])
        state[name] = value.requires_grad_()
    start = {name: value.detach().clone() for name, value in state.items()}
    optimizer = optimizer_of(network, list(state.values()), given)
    for batch in case["batches"]:
        optimizer.zero_grad()
        loss = F.cross_entropy(forward(network, state, batch), torch.tensor(batch["labels"]))
        for name, value in state.items():
            loss = loss + case["mu"] / 2 * ((value - start[name]) ** 2).sum()
        loss.backward()
        optimizer.step()
    return {name: value.detach().flatten().tolist() for name, value in state.items()}


torch.set_num_threads(1)
json.dump([train(case) for case in json.load(sys.stdin)], sys.stdout)
