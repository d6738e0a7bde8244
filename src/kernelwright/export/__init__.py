"""Export: a champion as an operator of torch that people install."""
