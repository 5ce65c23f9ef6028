"""What names have in common that look alike: one is easily taken for the other.

Letters of other alphabets that look alike do not show so, nor do those of one alphabet (``lris`` is
not ``Iris``): that depends on the type face, and a node id behind every other name tells nobody
anything.

Source: Unicode Standard Annex 44, `DerivedCoreProperties.txt` of Unicode 16.0.
"""

import unicodedata

# The characters with the property Default_Ignorable_Code_Point. Python knows it not, and which of
# them are printable differs between its versions.
_IGNORABLE = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5)),
    *((0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164)),
    *((0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8)),
    *((0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
# Without that property, and yet there is nothing to see: an empty pattern of Braille, two blanks
# and a filler among hieroglyphs and Khitan letters, a note without a head.
_BLANK = ((0x2800, 0x2800), (0x13441, 0x13442), (0x16FE4, 0x16FE4), (0x1D159, 0x1D159))

_UNSEEN = frozenset(
    chr(code) for first, last in (*_IGNORABLE, *_BLANK) for code in range(first, last + 1)
)


def likeness(name: str) -> str:
    """Return what names have in common that look alike; empty if of *name* nothing is seen."""
    plain = unicodedata.normalize("NFKC", _seen(name)).casefold()
    # Again, since what stood for several characters is those now.
    return unicodedata.normalize("NFKC", _seen(plain))


def _seen(text: str) -> str:
    """Return *text* without what nobody sees, and without white space."""
    return "".join(
        char for char in text if char not in _UNSEEN and char.isprintable() and not char.isspace()
    )
