"""The same rows in another interpreter, in whose environment another `equinox` is installed, or Flax."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from .report import Peer, from_json

_ROOT: Final = Path(__file__).parent.parent

# The other `equinox` is imported first, since ours lies in the folder in which these benchmarks are found.
_PROGRAM: Final = """
import sys
import equinox
sys.path.append(sys.argv[1])
from benchmarks.__main__ import main
main(sys.argv[2:])
"""


def measure_peer(variable: str, python: str, arguments: list[str]) -> Peer:
    """Run the benchmarks in the interpreter `python`, which `variable` names; its table goes to the terminal too."""
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-P", "-c", _PROGRAM, str(_ROOT), *arguments, "--results", folder]
        environment = {name: value for name, value in os.environ.items() if name not in ("PEER", "FLAX", "PYTHONPATH")}
        try:
            subprocess.run(command, check=True, env=environment)
        except OSError as error:
            sys.exit(
                f"{variable}={python} could not be run: {error.strerror}. It must be the path of a Python interpreter."
            )
        except subprocess.CalledProcessError:
            sys.exit(f"{variable}={python} failed, as printed above. `make bench-peers` makes the environment.")
        document = json.loads((Path(folder) / "benchmarks.json").read_text(encoding="utf-8"))
    return from_json(document)
