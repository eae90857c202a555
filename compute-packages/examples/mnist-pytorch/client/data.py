"""The owner's images: x [n, 784] and y [n] as bytes, and x_validation, y_validation, in .npz or .safetensors."""

import json
import os

import numpy as np
import torch


def _arrays(path):
    if path.endswith(".npz"):
        with np.load(path) as archive:
            return {name: archive[name] for name in archive.files}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        body = file.read()
    arrays = {}
    for name, each in header.items():
        if each["dtype"] != "U8":
            raise ValueError(name + " holds no bytes")
        begin, end = each["data_offsets"]
        arrays[name] = np.frombuffer(body[begin:end], np.uint8).reshape(each["shape"])
    return arrays


def load_data(suffix=""):
    """Images as floats of 0 to 1, and labels."""
    arrays = _arrays(os.environ["FEDN_DATA_PATH"])
    images = torch.from_numpy(arrays["x" + suffix].copy()).float() / 255
    return images, torch.from_numpy(arrays["y" + suffix].astype(np.int64))
