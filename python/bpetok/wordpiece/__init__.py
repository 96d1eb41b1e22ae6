"""WordPiece, the older method: whole words of cleaned text, cut greedily into the longest known pieces.

Published by Schuster and Nakajima (2012) and Wu et al. (2016, arXiv:1609.08144), and known from BERT. It
differs from byte-level BPE in everything that bpetok is otherwise about: text is cleaned first and cannot
be restored; what follows the start of a word is marked with `##`; a word with an unknown character becomes
`[UNK]` as a whole; encoding looks for the longest piece, and knows no merges.

>>> from bpetok import wordpiece
>>> tok = wordpiece.train(["low lower lowest newer newest"] * 3, vocab_size=40)
>>> tok.tokenize("The LOWEST newt")
['[UNK]', 'lowest', 'ne', '##w', '##t']

Pure Python, for reading and for vocabularies of BERT's kind. `WordPiece.load` reads a `vocab.txt`.
"""

from bpetok.wordpiece.model import SPECIAL_TOKENS, WordPiece
from bpetok.wordpiece.training import train

__all__ = ["SPECIAL_TOKENS", "WordPiece", "train"]
