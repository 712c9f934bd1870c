"""Fuzz one parser after the other, guided by coverage: `make fuzz`, or `python tests/fuzz/fuzz.py --seconds 60 JSON`.

Needs atheris (`pip install 'pytest-spiral[fuzz]'`), which has wheels for some versions of Python only. An input that
makes a parser raise anything but its own error is written to the current folder, and the exit status is 1.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def fuzz_one(name: str, options: list[str]) -> None:
    """Fuzz in this process; atheris does not return."""
    import atheris

    with atheris.instrument_imports(include=["pytest_spiral", "tomllib", "spiral_sandbox"]):
        sys.path.insert(0, str(HERE))
        import parsers
    parser = parsers.table()[name]

    def once(data: bytes) -> None:
        try:
            parser.read(data)
        except parser.errors:
            return

    atheris.Setup([sys.argv[0], *options], once)
    atheris.Fuzz()


def fuzz_all(names: list[str], seconds: int) -> int:
    """Fuzz each parser in a process of its own, from its seeds; 1 where one of them fails."""
    sys.path.insert(0, str(HERE))
    import parsers

    table = parsers.table()
    failed = []
    for name in names or table:
        with tempfile.TemporaryDirectory() as folder:
            for number, seed in enumerate(table[name].seeds):
                (Path(folder) / str(number)).write_bytes(seed)
            # Memory, hangs and lengths are bounded by libFuzzer; a unit that takes 20 s is a hang.
            limits = [
                f"-max_total_time={seconds}",
                "-timeout=20",
                "-rss_limit_mb=2048",
                "-max_len=4096",
                "-close_fd_mask=3",
            ]
            command = [sys.executable, __file__, "--one", name, "--", *limits, folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = next((line for line in reversed(done.stderr.splitlines()) if line.startswith("Done ")), "")
        print(f"{name:<22} {'ok' if done.returncode == 0 else 'FAILED'}  {said}", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stderr[-3000:])
    print(f"{len(failed)} of {len(names or table)} parsers raised anything but their own errors")
    return 1 if failed else 0


def main() -> int:
    """Fuzz what was named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20, help="for each parser (default 20)")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="PARSER", help="default: all")
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options = parser.parse_args(sys.argv[1:at])
    try:
        import atheris  # noqa: F401
    except ImportError as problem:
        version = ".".join(map(str, sys.version_info[:2]))
        print(
            f"environment-limited: atheris cannot be imported by Python {version} ({problem}). "
            "Remedy: pip install 'pytest-spiral[fuzz]' on a version of Python that it has a wheel for.",
            file=sys.stderr,
        )
        return 2
    if options.one:
        fuzz_one(options.names[0], sys.argv[at + 1 :])
    return fuzz_all(options.names, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
