"""How concepts are encoded by the filters of a convolutional network."""
