"""Routing rules on real sets: tables and plots of docs/routing.md.

    python -m benchmarks.routing --data DIR [--splits 40] [--out docs] [--keep FILE]

DIR holds konvid_1k.csv and cascaded_lms_*.csv (docs/routing.md says what is in them). Nothing of
them is stored. With --out the tables are written into OUT/routing.md and the plots into
OUT/images. With --keep a run that was stopped goes on where it was. Half an hour on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.routing_figures import write_figures
from benchmarks.routing_jobs import all_jobs, read_kept, run_all
from benchmarks.routing_report import tables, write_tables

SPLITS, RESAMPLES = 40, 400


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.routing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--splits", type=int, default=SPLITS, help="random halves (40)")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="of certificates (400)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for example docs")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="figures of finished jobs")
    parser.add_argument("--kept-only", action="store_true", help="measure nothing, use --keep")
    wanted = parser.parse_args(arguments)
    if wanted.splits < 2:
        parser.error("--splits must be 2 or more: an interval needs two.")
    if wanted.kept_only and wanted.keep is None:
        parser.error("--kept-only needs --keep.")
    jobs = all_jobs(wanted.splits, wanted.resamples)
    done = read_kept(wanted.keep) if wanted.kept_only else run_all(jobs, wanted.data, wanted.keep)
    found = tables(done)
    for name, table in found.items():
        print(f"\n{name}\n\n{table}")
    if wanted.out:
        write_tables(found, wanted.out / "routing.md")
        write_figures(done, wanted.out / "images")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
