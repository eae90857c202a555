"""Stands in for FEDn within commands; steps aside if FEDn itself is installed."""

import importlib.machinery
import importlib.util
import os
import sys


def _installed():
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    elsewhere = [each for each in sys.path if os.path.abspath(each or ".") != here]
    return importlib.machinery.PathFinder.find_spec("fedn", elsewhere)


_spec = _installed()
if _spec is not None and _spec.loader is not None:
    _module = importlib.util.module_from_spec(_spec)
    sys.modules[__name__] = _module
    _spec.loader.exec_module(_module)
