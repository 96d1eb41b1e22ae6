"""Text that stays valid UTF-8 while a model writes it, token by token.

Tokens are bytes, and a character may be spread over several. A `State` says how far into a character the
text so far ends, and `Tokenizer.utf8_mask(state)` which tokens may come next: those after which the text
can still become valid UTF-8. Nothing valid is forbidden, and special tokens are allowed only where a text
may end.

>>> state = State()
>>> (
...     state.complete,
...     state.advance(b"\\xc3").complete,
...     state.advance(b"\\xc3").advance(b"\\xa9").complete,
... )
(True, False, True)
>>> state.advance(b"\\xc3").advance(b"a").valid
False

A mask goes before sampling, in any library: `logits[~tok.utf8_mask(state)] = -inf`. `nn.generate` and
`nn.stream` do it by themselves.
"""

from bpetok._bpetok import State

__all__ = ["State"]
