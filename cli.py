"""Launcher, so that ``accelerate launch cli.py ...`` and ``torchrun cli.py ...`` work. The same as ``motion``."""

from motion_platform.cli.app import main

if __name__ == "__main__":
    main()
