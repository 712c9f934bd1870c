"""Open as many files as the profile promises."""

import os
import sys


def main(wanted: int) -> int:
    """Status 0 where so many can be open at once."""
    for number in range(wanted):
        try:
            os.open(os.devnull, os.O_RDONLY)
        except OSError as error:
            print(f"{number} files open, then {error.strerror}")
            return 1
    print(f"{wanted} files open at once")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
