"""How much Python time the library adds to JAX: each row is a ratio to the cheapest thing that JAX itself can do.

`python -m benchmarks` measures every row and prints the table; `--only WORD` picks rows by name, `--quick` is rough.
The table is also written to `benchmarks/results/`, as Markdown and as JSON. With `PEER=path/to/python`, an interpreter
of an environment with another `equinox` (and optax) measures the same rows first; its ratios become a further column.

A row compares its *subject*, some work on Modules, with its *floor*: the cheapest way to do the same work in plain JAX,
on lists and dictionaries of the same arrays, or in plain Python. Both run in one process, in turn, for many short
rounds, and the ratio is the median over rounds; what else the machine does then slows both alike. It makes the
quartiles wider, and says nothing of small differences: compare those on a quiet machine.
"""
