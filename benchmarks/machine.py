"""On what the measurements were made: without this, no number means anything to another reader."""

import importlib.metadata
import os
import platform
import sys
from pathlib import Path

import jax

import equinox as eqx


def describe_machine(measured: str = "equinox") -> dict[str, str]:
    """What is measured, versions, processor, device, and how busy the machine is just now."""
    version = eqx.__version__ if measured == "equinox" else importlib.metadata.version(measured)
    return {
        "measured": f"{measured} {version}",
        "jax": jax.__version__,
        "jaxlib": importlib.metadata.version("jaxlib"),
        "python": platform.python_version(),
        "device": f"{jax.default_backend()}: {jax.devices()[0].device_kind}",
        "machine": f"{_cores()} cores of {_processor()}, {sys.platform}",
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def is_busy(machine: dict[str, str]) -> bool:
    """Whether other programs were running. Ours is one as well, but has only just started."""
    return float(machine["load"]) > 0.5


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else (os.cpu_count() or 1)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
