"""Foundations of the package: devices, storage, memory, executors, declared fields."""
