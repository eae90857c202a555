"""What all helpers have in common."""

import os
import tempfile
from abc import ABC, abstractmethod


class HelperBase(ABC):
    """Models as lists of arrays, in files."""

    def __init__(self):
        self.name = self.__class__.__name__

    @abstractmethod
    def save(self, model, path=None):
        """Writes a list of arrays and returns the path."""

    @abstractmethod
    def load(self, path):
        """Reads a list of arrays."""

    def get_tmp_path(self, suffix=".npz"):
        """A new file's path."""
        handle, path = tempfile.mkstemp(suffix=suffix)
        os.close(handle)
        return path

    def check_supported_file_type(self, file_type):
        """Whether the type is one that can be read and written."""
        if file_type not in ("npz", "raw_binary"):
            raise ValueError("unsupported file type: " + str(file_type))
        return True
