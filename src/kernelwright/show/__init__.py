"""How a run went, drawn from its event log: `kernelwright show`."""
