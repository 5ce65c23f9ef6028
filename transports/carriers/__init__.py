"""Serial ports and sockets: what carries the bytes of a link, and the loop that drives one.

Here is all the input and output of links; `transports.link` has none.
"""
