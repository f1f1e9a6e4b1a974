"""Programs that need an interpreter of their own: for other environment variables, or for what happens at exit."""

import subprocess
import sys
import textwrap


def program(text: str, *, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program, with these environment variables and few others."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        input=stdin,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), "JAX_PLATFORMS": "cpu", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
