"""What the product is about, as values and pure functions: no I/O, no clock, standard library only."""
