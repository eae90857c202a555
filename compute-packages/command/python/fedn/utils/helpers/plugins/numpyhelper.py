"""Models as .npz: member "0" is the first array, "1" the second, and so on."""

import numpy

from fedn.utils.helpers.helperbase import HelperBase


class Helper(HelperBase):
    """Lists of numpy arrays of any type."""

    def save(self, model, path=None, file_type="npz"):
        self.check_supported_file_type(file_type)
        if path is None:
            path = self.get_tmp_path()
        numpy.savez_compressed(path, **{str(i): each for i, each in enumerate(model)})
        return path

    def load(self, path, file_type="npz"):
        self.check_supported_file_type(file_type)
        with numpy.load(path) as archive:
            return [archive[str(i)] for i in range(len(archive.files))]
