"""Errors at run time: conditions inside of compiled programs, and how their failure reaches the user.

Of this folder only what every program needs is imported with the package: the exceptions, the settings, and what
compiled functions look for. The checks themselves need JAX's interpreters, and are loaded on first use.
"""

# Environment variables are read when the package is imported, so that a bad one is reported then.
from . import environment as environment
