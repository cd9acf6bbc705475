"""What does it cost before the first voxel: opening an array, importing a library?"""

from __future__ import annotations

from importlib.util import find_spec

from zbench.cell import open_array

from ._stored import Stored, questions


class _Metadata(Stored):
    """Open an array that lies on a local disk."""

    every_chain = False

    def time_open(self, *_):
        open_array(self.cell)


class Import:
    """Import a library in a fresh interpreter."""

    param_names = ("package",)
    params = (("zarr", "tensorstore"),)
    version = Stored.version
    number = 1
    rounds = 1
    repeat = 2
    warmup_time = 0
    timeout = Stored.timeout

    def setup(self, package):
        """Skip a package that this environment has not."""
        if find_spec(package) is None:
            msg = f"Importing needs the package: {package!r} is not in this environment."
            raise NotImplementedError(msg)

    def timeraw_import(self, package):
        return f"import {package}"


globals().update(questions(_Metadata))
