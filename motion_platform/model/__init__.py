"""MotionModel: conditioning and one trainable, and what is kept of it between calls."""
