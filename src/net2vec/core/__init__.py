"""What every part of the package stands on: devices, storage, memory, executors."""
