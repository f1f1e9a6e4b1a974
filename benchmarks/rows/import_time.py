"""What `import equinox` takes where JAX is imported already, in a new interpreter each time."""

import os
import subprocess
import sys

from ..row import Row
from ..timing import Pair

_PROGRAM = """
import time
import jax
start = time.perf_counter()
import equinox
print(time.perf_counter() - start)
"""


class _Import:
    def result(self) -> float:
        # -P: the package that is installed, not what lies in the current folder.
        command = [sys.executable, "-P", "-c", _PROGRAM]
        # Installed packages are compiled to bytecode; a checkout is when it is imported, unless that is switched off.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout)

    def sample(self) -> float:
        return self.result()


ROWS = (Row("import, after jax", "-", 0.040, lambda: Pair(_Import(), None)),)
