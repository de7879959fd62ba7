"""motion-platform: words, music and speech into human motion, and motion into words."""

__version__ = "0.1.0"
