"""`python -m cueflow` is the command line."""

from cueflow.cli.main import main

if __name__ == "__main__":
    main()
