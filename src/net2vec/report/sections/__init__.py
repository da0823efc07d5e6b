"""The sections of a report, each a function from the study to a `Section`."""
