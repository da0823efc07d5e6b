"""Where architectures come from: libraries, installed packages, the user's Python."""
