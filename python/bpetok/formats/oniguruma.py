r"""A pretokenizer pattern in the dialect of Oniguruma, which `tokenizer.json` patterns are written in.

bpetok and tiktoken read patterns as Rust's `regex` and `fancy-regex` do. HF `tokenizers` gives them to
Oniguruma in its Ruby syntax, where the same text can mean something else without any error:

| pattern | here | in Oniguruma | written as |
|---|---|---|---|
| `$`, `^` | end and start of the text | of a line | `\z`, `\A` |
| `x{1,3}+` | possessive | one or more of `x{1,3}` | `(?>x{1,3})` |
| `x{2}?` | `x{2}` | `(?:x{2})?` | `x{2}` |
| `\w`, `\b` | Unicode's definition | `²³¹¼½¾` too | the classes spelled out |
| `(?s)` | `.` matches `\n` | not known | `(?m)` |
| `\xE9`, `\pL`, `(?P<n>` | character, class, group | byte, `pL`, not known | `\x{E9}`, `\p{L}`, `(?<n>` |
| `(?i)\p{Lu}`, `(?i)\P{Lu}` | in both cases, none of them | as without `(?i)` | `(?i)[\p{Lu}]`, `(?i)[^\p{Lu}]` |
| `(?i)[\p{Ll}]` | one character | `ss` too, for `ß` | `ß` and its like beside the class, without `(?i)` |

What has no equal is refused: a pattern that may match nothing (HF cuts there), and under `(?i)` a text that one character
folds to (`ss`, which is `ß` for Oniguruma). Facts: Oniguruma's doc/RE and doc/SYNTAX.md, Rust's regex-syntax
documentation; measured against HF tokenizers 0.23 over every code point (November 2026): `\s`, `\d`
and `\p{..}` differ only in characters newer than Oniguruma's Unicode 16.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple, NoReturn

from bpetok._bpetok import Counts, may_be_empty
from bpetok.errors import FormatError

# Unicode's Annex C of UTS 18, as Rust's regex has it.
WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}"
BOUNDARY = rf"(?:(?<=[{WORD}])(?![{WORD}])|(?<![{WORD}])(?=[{WORD}]))"
NO_BOUNDARY = rf"(?:(?<=[{WORD}])(?=[{WORD}])|(?<![{WORD}])(?![{WORD}]))"

SAME_ESCAPES = frozenset("dDsSzAtnrfvaehHk123456789")
PROPERTY = re.compile(
    r"[pP](?:\{(\^?)(?:(?:gc|General_Category|sc|Script)[=:])?([A-Za-z0-9_ -]+)\}|([A-Z]))"
)
HEX = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[xuU]\{([0-9A-Fa-f]+)\}")
INTERVAL = re.compile(r"\{\d*(,?)\d*\}")
FLAGS = re.compile(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])")
LOOKS = ("(?=", "(?!", "(?<=", "(?<!")
GROUPS = ("(?:", "(?>", *LOOKS)
NAMED = re.compile(r"\(\?P?<([A-Za-z_][A-Za-z0-9_]*)>")


def to_oniguruma(pattern: str) -> str:
    r"""The pattern that matches in Oniguruma what `pattern` matches here.

    Raises:
        FormatError: for a construct that Oniguruma does not have, or reads as something else; names it and its position.

    >>> to_oniguruma(r"\p{N}{1,3}+|\s++$")
    '(?>\\p{N}{1,3})|\\s++\\z'
    """
    translated = _Translator(pattern).run()
    if may_be_empty(pattern):
        raise FormatError(
            f"the pattern {pattern!r} may match without taking a character, where HF cuts and bpetok does not: write it so "
            "that each match takes one (x+ instead of x*), or save as .bpetok"
        )
    return translated


@cache
def _folding() -> str:
    """The characters that fold to several; all lie in two ranges.

    >>> "ß" in _folding(), "ﬃ" in _folding(), "s" in _folding()
    (True, True, False)
    """
    codes = [*range(0xDF, 0x2000), *range(0xFB00, 0xFB18)]
    return "".join(chr(code) for code in codes if len(chr(code).casefold()) > 1)


@cache
def _folded_strings() -> frozenset[str]:
    """The texts of several characters that one character folds to.

    >>> {"ss", "ffi"} <= _folded_strings()
    True
    """
    return frozenset(map(str.casefold, _folding()))


def _folding_in(char_class: str) -> str:
    r"""Those of them that a class has under `(?i)`.

    >>> _folding_in("[a-zß]"), _folding_in("[sdmt]")
    ('ßẞ', '')
    """
    counts = Counts(f"(?i:{char_class})")
    # What a match covers is one character then, and what none does two.
    counts.update([2 * char for char in _folding()])
    found = {pretoken.decode() for pretoken, _ in counts.items()}
    return "".join(char for char in _folding() if char in found)


def _of_one_character(char_class: str, text: str) -> str:
    """The class whose translation is `text`, under `(?i)`: Oniguruma's matches `ss` where it has `ß`, unless it begins with `^`."""
    if not text.startswith("[") or text.startswith("[^"):
        return text
    held = _folding_in(char_class)
    return f"(?:[{text}&&[^{_folding()}]]|(?-i:[{held}]))" if held else text


class _Group(NamedTuple):
    """What held before an open group."""

    start: int
    """Where in `out` it begins."""
    text: str
    """What it begins with."""
    multiline: bool
    folding: bool
    atoms: int
    is_alone: bool


class _Translator:
    """One pass over the pattern; `out` holds one entry for each item, so that the last can be wrapped."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.out: list[str] = []
        self.atom = 0
        """Where in `out` the last atom starts; a quantifier belongs to it."""
        self.groups: list[_Group] = []
        self.multiline = False
        self.folding = False
        """Whether `(?m)` and `(?i)` hold."""
        self.atoms = 0
        """How many there are in the alternative at hand."""
        self.is_alone = False
        """Whether one of the alternatives before, in the group at hand, is but an anchor."""
        self.literals = ""
        """Characters that stand for themselves and came last, folded."""
        self.is_anchor = False
        """Whether the last atom takes no character."""
        self.fresh = True
        """Nothing but flags came since the pattern or group began."""

    def run(self) -> str:
        steps = {
            "\\": self._escape,
            "[": self._class,
            "(": self._open,
            ")": self._close,
            "^": self._anchor,
            "|": self._alternative,
        }
        steps |= {
            "$": self._anchor,
            "*": self._quantifier,
            "+": self._quantifier,
            "?": self._quantifier,
        }
        while self.at < len(self.pattern):
            char = self.pattern[self.at]
            if char == "{" and INTERVAL.match(self.pattern, self.at):
                self._quantifier()
            else:
                steps.get(char, self._literal)()
        return "".join(self.out)

    def _refuse(self, what: str, cure: str = "write the pattern without it") -> NoReturn:
        raise FormatError(
            f"the pattern {self.pattern!r} has {what} at position {self.at}, which the regexes of tokenizer.json "
            f"do not have: {cure}, or save as .bpetok"
        )

    def _emit(self, text: str, length: int) -> None:
        self.atom = len(self.out)
        self.out.append(text)
        self.at += length
        self.atoms += 1
        self.fresh = self.is_anchor = False
        self.literals = ""

    def _literal(self) -> None:
        self._emit_literal(self.pattern[self.at], self.pattern[self.at], 1)

    def _emit_literal(self, char: str, text: str, length: int) -> None:
        literals = self.literals + char.casefold()
        ends = (literals[-length:] for length in (3, 2))
        if self.folding and (fold := next(filter(_folded_strings().__contains__, ends), None)):
            self._refuse(
                f"{fold!r} under (?i), which one character folds to",
                "write both cases out, [Ss][Ss]",
            )
        self._emit(text, length)
        self.literals = literals

    def _end_alternative(self) -> bool:
        """Whether this one, or one before, is but an anchor."""
        return self.is_alone or (self.is_anchor and self.atoms == 1)

    def _alternative(self) -> None:
        self.is_alone = self._end_alternative()
        self._emit("|", 1)
        self.atoms = 0

    def _anchor(self) -> None:
        if self.pattern[self.at] == "^":
            # Oniguruma's own ^ does not hold after a line end that closes the text.
            self._emit(r"(?:\A|(?<=\n))" if self.multiline else r"\A", 1)
        else:
            self._emit(r"(?=\n|\z)" if self.multiline else r"\z", 1)
        self.is_anchor = True

    def _escape(self) -> None:
        text, length = self._escaped(BOUNDARY, NO_BOUNDARY)
        if HEX.match(self.pattern, self.at + 1):
            self._emit_literal(chr(int(text[3:-1], 16)), text, length)
            return
        source = self.pattern[self.at : self.at + length]
        self._emit(_of_one_character(source, text) if self.folding else text, length)
        self.is_anchor = source[1] in "Az"

    def _escaped(self, boundary: str | None, no_boundary: str | None) -> tuple[str, int]:
        """What the escape at the position becomes, and its length."""
        after = self.at + 1
        char = self.pattern[after : after + 1]
        if match := PROPERTY.match(self.pattern, after):
            inverted, name, short = match.groups()
            # Only in a class does Oniguruma take the other case too.
            if self.folding:
                is_not = (char == "P") != bool(inverted)
                if is_not and boundary is None:
                    self._refuse(f"\\{char} in a class under (?i)", "put what is not meant there")
                text = rf"[{'^' if is_not else ''}\p{{{name or short}}}]"
            else:
                text = rf"\{char}{{{inverted or ''}{name or short}}}"
            return text, match.end() - self.at
        if match := HEX.match(self.pattern, after):
            digits = next(group for group in match.groups() if group)
            return rf"\x{{{digits}}}", match.end() - self.at
        replaced = {"w": f"[{WORD}]", "W": f"[^{WORD}]", "b": boundary, "B": no_boundary}.get(char)
        # \b{start} and its kin are another thing than \b.
        if replaced and not (char in "bB" and self.pattern.startswith("{", after + 1)):
            return replaced, 2
        if char in SAME_ESCAPES or (char and not char.isalnum() and char not in "<>"):
            return "\\" + char, 2
        self._refuse(f"\\{char}")

    def _class(self) -> None:
        """A whole [...], nested ones included."""
        start = self.at
        parts = []
        depth = 0
        while True:
            char = self.pattern[self.at : self.at + 1]
            two = self.pattern[self.at : self.at + 2]
            if not char:
                self.at = start
                self._refuse("a class that does not end")
            if two in ("[:", "--", "~~") and depth:
                self._refuse(f"{two!r} in a class")
            if two in ("[^", "&&") and depth and self.folding:
                # Oniguruma adds the other case at the end, so that `[[^a]]` has `a` again, from `A`.
                self._refuse(f"{two!r} in a class under (?i)", "write both cases out, [Aa]")
            if char == "\\":
                text, length = self._escaped(None, None)
            elif char == "[":
                text, length = self._class_start()
                depth += 1
            else:
                text, length = char, 1
                depth -= char == "]"
            parts.append(text)
            self.at += length
            if depth == 0:
                break
        text = "".join(parts)
        if self.folding:
            text = _of_one_character(self.pattern[start : self.at], text)
        self._emit(text, 0)

    def _class_start(self) -> tuple[str, int]:
        start = "[^" if self.pattern.startswith("[^", self.at) else "["
        # A ] in front is itself here, and the end of an empty class in Ruby.
        if self.pattern.startswith("]", self.at + len(start)):
            return start + r"\]", len(start) + 1
        return start, len(start)

    def _open(self) -> None:
        if match := NAMED.match(self.pattern, self.at):
            text, length = f"(?<{match[1]}>", len(match[0])
        elif not self.pattern.startswith("(?", self.at):
            text, length = "(", 1
        elif group := next(
            (group for group in GROUPS if self.pattern.startswith(group, self.at)), None
        ):
            text, length = group, len(group)
        else:
            self._open_flags()
            return
        literals = self.literals
        self._open_group(text, length)
        # Oniguruma joins what stands in such a group to what stands beside it.
        self.literals = literals if text == "(?:" else ""

    def _open_group(self, text: str, length: int) -> None:
        held = (self.multiline, self.folding, self.atoms, self.is_alone)
        self.groups.append(_Group(len(self.out), text, *held))
        self._emit(text, length)
        self.atoms, self.is_alone, self.fresh = 0, False, True

    def _open_flags(self) -> None:
        """`(?i)` and `(?i:`."""
        match = FLAGS.match(self.pattern, self.at)
        unknown = set((match[1] + (match[2] or "")) if match else "?") - set("ismu")
        if match is None or unknown or "u" in (match[2] or ""):
            self._refuse(f"{self.pattern[self.at : self.at + 4]!r}")
        on, off, end = match[1], match[2] or "", match[3]
        # In Ruby, `a(?i)b|c` is `a(?i:b|c)`; the two agree where the flags come first.
        if end == ")" and not self.fresh:
            self._refuse("flags in the middle", "write them as a group, (?i:...)")
        onig_on = on.replace("u", "").replace("m", "").replace("s", "m")
        onig_off = off.replace("m", "").replace("s", "m")
        flags = onig_on + (f"-{onig_off}" if onig_off else "")
        if end == ":":
            self._open_group(f"(?{flags}:", len(match[0]))
        self.multiline = ("m" in on) or (self.multiline and "m" not in off)
        self.folding = ("i" in on) or (self.folding and "i" not in off)
        if end == ":":
            return
        if flags:
            self.out.append(f"(?{flags})")
            # What stands behind it is in a group then, and that is no bare anchor.
            self.atoms += 1
        self.at += len(match[0])
        self.literals, self.is_anchor = "", False

    def _close(self) -> None:
        if not self.groups:
            self._refuse("a ) that closes nothing", "escape it")
        group, literals, is_alone = self.groups.pop(), self.literals, self._end_alternative()
        self._emit(")", 1)
        self.atom, self.literals = group.start, literals
        self.multiline, self.folding = group.multiline, group.folding
        self.atoms, self.is_alone = group.atoms + 1, group.is_alone
        # Such a group is nothing but what stands in it; others can be repeated, whatever that is.
        self.is_anchor = group.text in LOOKS or (group.text == "(?:" and is_alone)

    def _quantifier(self) -> None:
        if self.is_anchor:
            self._refuse("a repeated anchor or look-around", "write it once")
        self.literals = ""
        interval = INTERVAL.match(self.pattern, self.at)
        text = interval[0] if interval else self.pattern[self.at]
        self.at += len(text)
        mode = self.pattern[self.at : self.at + 1]
        mode = mode if mode and mode in "+?" else ""
        self.at += len(mode)
        if interval and mode == "+":
            self.out[self.atom :] = ["(?>" + "".join(self.out[self.atom :]) + text + ")"]
        elif interval and mode == "?" and not interval[1]:
            self.out.append(text)
        else:
            self.out.append(text + mode)
