"""What the harness does not answer yet: candidate to what happens. Take a line out when it is mended."""

OPEN: dict[str, str] = {
    "D30_replaced_loop": "the loop that makes the timed calls runs in the candidate's process: who"
    " replaces it, and makes them in order, saves the few microseconds that Python needs for a call",
}
