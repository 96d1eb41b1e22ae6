"""Shapes that grow without bound: their memory, and Ctrl-C, which is heard at all times."""

from __future__ import annotations

from support import python


def test_ctrl_c_before_the_first_array_is_no_panic() -> None:
    # Rust's way to NumPy asks for its version, in Python, when the first array is made: a signal that came before was
    # raised there, and Rust took that for an error of NumPy.
    script = """
import bpetok, ctypes, itertools, numpy
tok = bpetok.train(["low lower lowest"] * 4, 262)
# The signal is there without a line of Python in between.
names = itertools.filterfalse(ctypes.pythonapi.PyErr_SetInterrupt, ["<|endoftext|>"])
try:
    tok.encode_numpy("low", allowed_special=names)
except KeyboardInterrupt:
    pass
assert tok.encode_numpy("low").tolist() == tok.encode("low")
"""
    assert python(script).stderr == ""
