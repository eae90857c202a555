"""Helpers by name, and the JSON files beside models."""

import importlib
import json


def get_helper(helper_module_name):
    """The helper of that name, such as "numpyhelper"."""
    module = importlib.import_module("fedn.utils.helpers.plugins." + helper_module_name)
    return module.Helper()


def save_metadata(metadata, filename):
    """Writes <filename>-metadata; num_examples must be in it."""
    with open(filename + "-metadata", "w") as file:
        json.dump(metadata, file)


def load_metadata(filename):
    """Reads <filename>-metadata: beside the model that came in, the session's settings."""
    with open(filename + "-metadata") as file:
        return json.load(file)


def save_metrics(metrics, filename):
    """Writes the figures of a validation."""
    with open(filename, "w") as file:
        json.dump(metrics, file)
