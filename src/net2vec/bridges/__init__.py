"""Results of a run in the form that other tools take. Each needs the extra of its name."""
