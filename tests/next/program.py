"""A module and not the package's `__main__`: of that one, what a server starts with `spawn` runs nothing."""

from mooring.cli import main
from tests.next import become

become()

if __name__ == "__main__":
    main()
