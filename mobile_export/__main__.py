"""`python -m mobile_export`."""

from mobile_export.cli import main

if __name__ == "__main__":
    main()
