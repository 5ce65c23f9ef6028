"""Sizes that say little about what is inside.

Source: K. Nikitin, L. Barman, W. Lueks, M. Underwood, J.-P. Hubaux, B. Ford, "Reducing Metadata
Leakage from Encrypted Files and Communication with PURBs" (2019), section 4: Padmé.
"""


def padme_bytes(size: int) -> int:
    """Return the size to which *size* bytes are padded: at most 12 % more.

    A size of n bits keeps about log2(n) of its leading bits: what it still says of the content is
    O(log log size).
    """
    if size < 2:
        return size
    exponent = size.bit_length() - 1
    spare_bits = exponent - exponent.bit_length()
    mask = (1 << spare_bits) - 1
    return (size + mask) & ~mask
