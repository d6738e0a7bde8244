"""Text cut to fit, at a place where a reader is not misled."""

from __future__ import annotations


def clip(text: str, most: int) -> str:
    """On one line, at most `most` characters, cut between words."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    if not text[most - 1].isspace() and " " in kept[most // 2 :]:
        kept = kept[: kept.rindex(" ")]
    return kept.rstrip(" ,;:") + "…"


def shorten(text: str, most: int) -> str:
    """At most about `most` characters: head and tail, for compilers and tracebacks say it at either end."""
    text = text.strip()
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}\n[...]\n{text[-most // 2 :]}"
