"""What recording costs: many empty tests, run in turn with and without it, whole processes timed from outside.

    python benchmarks/overhead.py --tests 20000 --rounds 5

Each round runs every variant once, in turn, so that a drift of the machine's speed meets all of them; ratios are
taken within a round against plain pytest, and their median is what counts. Nothing is asserted.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

QUIET = ["-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:allure_pytest", "--tb=no"]
VARIANTS = {
    "plain pytest": ["-p", "no:spiral"],
    "plugin idle": [],
    "--spiral-evidence": ["--spiral-evidence", "--override-ini=spiral_gate_files=bench.toml"],
    "pytest-reportlog": ["-p", "no:spiral", "--report-log=report.jsonl"],
}

GATES = """
format = 1
[[gate]]
id = "X1"
title = "Nothing that these tests claim"
owner = "@bench"
no_control = "a benchmark"
[[gate.criterion]]
id = "X1.none"
limit = "failures(none) <= 0"
samples = 1
"""


def make_tests(folder: Path, number: int) -> None:
    """Write empty tests, 500 a file."""
    for start in range(0, number, 500):
        body = "".join(f"def test_{at}():\n    pass\n\n" for at in range(start, min(start + 500, number)))
        (folder / f"test_{start}.py").write_text(body)


def timed(folder: Path, options: list[str]) -> float:
    """Seconds of wall time of one pytest process."""
    for left in folder.glob("report.jsonl"):
        left.unlink()
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else each process compiles every module again
    plugins = ["-p", "xdist", "-p", "pytest_spiral.plugin"] if "no:spiral" not in options else ["-p", "xdist"]
    if any("report-log" in one for one in options):
        plugins += ["-p", "pytest_reportlog.plugin"]
    command = [sys.executable, "-m", "pytest", *QUIET, *plugins, *options]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode not in {0, 1} or " passed" not in done.stdout:
        raise SystemExit(f"{' '.join(options)} did not run the tests:\n{done.stdout}{done.stderr}")
    return seconds


def main() -> None:
    """Run the benchmark and print a line for each variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_tests(folder, options.tests)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "bench.toml").write_text(GATES)
        for extra in VARIANTS.values():
            timed(folder, extra)  # warms caches; not counted
        rounds = [{variant: timed(folder, extra) for variant, extra in VARIANTS.items()} for _ in range(options.rounds)]
    print(
        f"{options.tests:,} empty tests, {options.rounds} rounds, {os.cpu_count()} cores, Python {sys.version.split()[0]}"
    )
    for variant in VARIANTS:
        seconds = [one[variant] for one in rounds]
        ratios = [one[variant] / one["plain pytest"] for one in rounds]
        print(
            f"{variant:<20} {statistics.median(seconds):7.2f} s   ratio {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f})"
        )


if __name__ == "__main__":
    main()
