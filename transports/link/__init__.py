"""The link protocol: bytes in, events and bytes out (docs/link.md).

Pure: no I/O, no clock, no entropy and no keys of its own. Time is an argument, in microseconds.
"""
