"""Models as one vector of little-endian float64 without a header."""

import numpy

from fedn.utils.helpers.helperbase import HelperBase


class Helper(HelperBase):
    """One vector; arrays that are saved stand one behind the other."""

    def save(self, model, path=None, file_type="raw_binary"):
        self.check_supported_file_type(file_type)
        if path is None:
            path = self.get_tmp_path(".bin")
        arrays = model if isinstance(model, (list, tuple)) else [model]
        with open(path, "wb") as file:
            for each in arrays:
                file.write(numpy.ascontiguousarray(each, dtype="<f8").tobytes())
        return path

    def load(self, path, file_type="raw_binary"):
        self.check_supported_file_type(file_type)
        return numpy.fromfile(path, dtype="<f8")
