"""Who proposes: models, roles, prompts, search, loop."""
