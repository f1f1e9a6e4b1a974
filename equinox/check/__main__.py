"""The command `python -m equinox.check`."""

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from . import UsageError, check
from ._annotations import CHOICES, check_annotations, choose_checker
from ._configuration import Job, Plan, read_plan
from ._json import format_json
from ._table import format_table

_EPILOG = """\
arguments are what stands between the parentheses of a call. f32[8,4] is an array, key is a PRNG key, and all other
names are those of the target's module:

  python -m equinox.check models:MLP --init 'width=512, key=key' --call 'f32[784]'
  python -m equinox.check train:step --call 'MLP(512, key=key), f32[batch,784], i32[batch]' --dim batch=32

the exit status is 0 if nothing is wrong, 1 if errors were found, and 2 if it is unclear what to check.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    **Arguments**

    - `arguments`: those of the command line; by default, the ones this program was started with.

    **Returns**

    The exit status.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        plan = _plan(options)
        checker = choose_checker(plan.annotations)
        packages = {job.target.partition(":")[0].partition(".")[0] for job in plan.jobs} | {*plan.packages}
        # The report is all that goes to the standard output, whatever the checked code prints.
        with contextlib.redirect_stdout(sys.stderr), check_annotations(sorted(packages), checker):
            results = [check(**dataclasses.asdict(job)) for job in plan.jobs]
    except UsageError as error:
        parser.error(str(error))
    report = format_json if options.json else format_table
    sys.stdout.write(report(results, checker, with_traceback=options.traceback))
    return 0 if all(result.ok for result in results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m equinox.check",
        description="Find shape, dtype and annotation errors in models of any size without computing anything.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "target",
        nargs="*",
        metavar="TARGET",
        help="a class, a function or a model: package.module:name. Without any, pyproject.toml says what to check.",
    )
    parser.add_argument("--init", metavar="ARGUMENTS", help="build the model by calling the target")
    parser.add_argument(
        "--call",
        metavar="ARGUMENTS",
        action="append",
        default=[],
        help="call the model, or the target itself if there is no --init; may be repeated",
    )
    parser.add_argument(
        "--dim",
        metavar="NAME=SIZE",
        type=_dim,
        action="append",
        default=[],
        help="give a size a name, for use in arguments; may be repeated",
    )
    parser.add_argument(
        "--strict-dtypes", action="store_true", help="do not allow arrays of different dtypes to be combined"
    )
    parser.add_argument(
        "--annotations",
        choices=CHOICES,
        help="what checks jaxtyping's annotations: by default, whichever of these packages is installed",
    )
    parser.add_argument(
        "--package",
        metavar="NAME",
        action="append",
        default=[],
        help="check the annotations of this package too, besides those of the targets' packages; may be repeated",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=Path("pyproject.toml"),
        help="what to read instead of pyproject.toml",
    )
    parser.add_argument("--json", action="store_true", help="report in JSON")
    parser.add_argument("--traceback", action="store_true", help="show the traceback of every error")
    return parser


def _dim(text: str) -> tuple[str, int]:
    name, _, size = text.partition("=")
    if not (name.isidentifier() and size.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=SIZE, as in batch=32")
    return name, int(size)


def _plan(options: argparse.Namespace) -> Plan:
    if options.target:
        jobs = tuple(
            Job(
                target=target,
                init=options.init,
                calls=tuple(options.call),
                dims=dict(options.dim),
                strict_dtypes=options.strict_dtypes,
            )
            for target in options.target
        )
        return Plan(jobs=jobs, annotations=options.annotations or "auto", packages=tuple(options.package))
    if options.init is not None or options.call or options.dim or options.package or options.strict_dtypes:
        raise UsageError("Options that say how to check a target need one. Name it, or put them into pyproject.toml.")
    plan = read_plan(options.config)
    return dataclasses.replace(plan, annotations=options.annotations or plan.annotations)


if __name__ == "__main__":
    sys.exit(main())
