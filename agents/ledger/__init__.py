"""The ledger: what every call of a model cost, and budgets that no call can overrun."""
