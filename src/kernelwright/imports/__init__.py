"""What others left behind, as tasks and kernels that can be judged here."""
