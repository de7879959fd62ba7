"""``python -m motion_platform`` is ``motion``."""

from motion_platform.cli.app import main

if __name__ == "__main__":
    main()
