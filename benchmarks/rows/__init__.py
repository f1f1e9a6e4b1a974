"""The rows of the table, in one small module for each kind of work."""

from typing import Final

from ..row import Row
from . import (
    asynchrony,
    attribute_read,
    call,
    combine,
    compilation,
    construction,
    depth,
    dispatch,
    dispatch_growth,
    dispatch_threads,
    example_steps,
    flatten,
    import_time,
    memory,
    networks,
    overlap,
    partition,
    training_step,
    tree_at,
    unflatten,
)

ROWS: Final[tuple[Row, ...]] = (
    *dispatch.ROWS,
    *dispatch_growth.ROWS,
    *dispatch_threads.ROWS,
    *asynchrony.ROWS,
    *overlap.ROWS,
    *training_step.ROWS,
    *example_steps.ROWS,
    *networks.ROWS,
    *flatten.ROWS,
    *unflatten.ROWS,
    *partition.ROWS,
    *combine.ROWS,
    *tree_at.ROWS,
    *construction.ROWS,
    *attribute_read.ROWS,
    *call.ROWS,
    *compilation.ROWS,
    *depth.ROWS,
    *memory.ROWS,
    *import_time.ROWS,
)
