"""Ask the same of sixty-four letters at once: a bit for each, the first letter in the lowest. No text here.

Geoff Langdale and Daniel Lemire, "Parsing Gigabytes of JSON per Second", VLDB Journal 28, 2019: where quotes
open and close is the running exclusive or of their bits. https://arxiv.org/abs/1902.08318
"""

from __future__ import annotations

from typing import Any, Final

_WORD: Final = 64


class Bits:
    """Words of sixty-four bits, by *numpy*, which the caller imports."""

    def __init__(self, numpy: Any) -> None:
        self._numpy = numpy
        self._one = numpy.uint64(1)
        self.last = numpy.uint64(_WORD - 1)
        self._steps = [numpy.uint64(1 << power) for power in range(6)]

    def letters(self, text: bytes) -> Any:
        """Return the letters of *text* as numbers, without a copy."""
        return self._numpy.frombuffer(text, self._numpy.uint8)

    def packed(self, mask: Any) -> Any:
        """Return the words of *mask*, one bit for each of its members; zeros fill the last word."""
        packed = self._numpy.packbits(mask, bitorder="little")
        words = self._numpy.zeros(-(-len(mask) // _WORD), "<u8")
        words.view(self._numpy.uint8)[: len(packed)] = packed
        return words

    def inside(self, words: Any) -> Any:
        """Return the bits from each odd one of *words* to the next, the first of the two with them."""
        inside = words.copy()
        for step in self._steps:
            inside ^= inside << step
        is_open = self._numpy.bitwise_xor.accumulate(inside >> self.last)
        # What is open at the end of a word turns the next one round.
        inside[1:] ^= self._numpy.uint64(0) - is_open[:-1]
        return inside

    def behind(self, words: Any) -> Any:
        """Return the bits that stand behind those of *words*, and the very first."""
        behind = words << self._one
        behind[0] |= self._one
        behind[1:] |= words[:-1] >> self.last
        return behind

    def before(self, words: Any) -> Any:
        """Return the bits that stand before those of *words*."""
        before = words >> self._one
        before[:-1] |= words[1:] << self.last
        return before

    def count(self, mask: Any) -> int:
        """Count the members of *mask* that are true."""
        return int(self._numpy.count_nonzero(mask))

    def count_packed(self, words: Any) -> int:
        """Count the bits of *words*."""
        if not words.any():
            return 0
        return self.count(self._numpy.unpackbits(words.view(self._numpy.uint8)))
