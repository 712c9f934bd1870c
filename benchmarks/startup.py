"""What the plugin costs where it is not used: an empty collection, with and without it.

    python benchmarks/startup.py --rounds 20

Runs both in turn and prints the median difference in milliseconds. Nothing is asserted.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def timed(folder: Path, *options: str) -> float:
    """Milliseconds of one pytest process that runs one empty test."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """Run the benchmark and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_one.py").write_text("def test_one():\n    pass\n")
        timed(folder), timed(folder, "-p", "no:spiral")
        pairs = [(timed(folder), timed(folder, "-p", "no:spiral")) for _ in range(options.rounds)]
    differences = [with_it - without for with_it, without in pairs]
    print(
        f"plugin idle: {statistics.median(differences):+.1f} ms over {statistics.median(p[1] for p in pairs):.0f} ms "
        f"(median of {options.rounds} pairs)"
    )


if __name__ == "__main__":
    main()
