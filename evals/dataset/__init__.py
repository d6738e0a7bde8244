"""What runs have found, as data to train models on."""
