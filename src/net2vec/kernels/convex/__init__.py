"""Convex problems and their optimum: losses, curvatures, L-BFGS, L1 paths."""
