"""The stages of a run on one layer: single filters, fits, seeds and null tests."""
