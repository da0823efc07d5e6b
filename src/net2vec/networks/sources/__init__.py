"""Sources of architectures: libraries, installed packages, the user's Python."""
