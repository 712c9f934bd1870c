"""See how much room there is where temporary files go, which is where a target keeps its own."""

import shutil
import sys
import tempfile


def main(wanted: int) -> int:
    """Status 0 where so many megabytes are free."""
    free = shutil.disk_usage(tempfile.gettempdir()).free // 10**6
    print(f"{free} MB free, {wanted} MB wanted")
    return 0 if free >= wanted else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
