"""CUDA on the CPU: a kernel's source becomes C++ that runs each CUDA thread as a fibre.

`translate.py` makes the text, `assemble.py` puts the headers before it, `reports.py` reads what a launch
found wrong. The headers are the emulator; `threads.h` is the one to read first, `shadow.h` says what is
checked and how races are told from honest sharing.
"""
