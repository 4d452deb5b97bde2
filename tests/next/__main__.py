from mooring.cli import main
from tests.next import become

become()

if __name__ == "__main__":
    main()
