"""What the harness does not answer yet: candidate to what happens. Take a line out when it is mended."""


OPEN: dict[str, str] = {
}
