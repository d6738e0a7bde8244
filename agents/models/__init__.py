"""Models: messages in, message and cost out."""
