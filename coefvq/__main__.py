"""``python -m coefvq`` is the console script."""

from coefvq.cli import main

if __name__ == "__main__":
    main()
