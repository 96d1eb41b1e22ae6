"""Arguments that are text: special tokens and patterns, checked alike wherever they come in."""

from __future__ import annotations

from bpetok.errors import TextError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def text_list(texts: Iterable[str], name: str = "special_tokens") -> list[str]:
    """The texts as a list, those of a set sorted; `name` is what messages call the argument.

    A set's own order is another in each process, and the order of special tokens decides their ids.

    Raises:
        TypeError: for a bare `str`, which would fall into its characters, something else that is no collection, or
            an element that is no `str`.
        TextError: for a lone surrogate.

    >>> text_list(("<a>", "<b>"))
    ['<a>', '<b>']
    >>> text_list("<a>")
    Traceback (most recent call last):
    ...
    TypeError: special_tokens is a bare str: wrap it in a list, ['<a>']
    """
    if isinstance(texts, (str, bytes)):
        raise TypeError(f"{name} is a bare {type(texts).__name__}: wrap it in a list, [{texts!r}]")
    try:
        items = iter(texts)
    except TypeError:
        raise TypeError(f"{name} must be a collection of str, not {type(texts).__name__}") from None
    found = [checked_text(text, name) for text in items]
    return sorted(found) if isinstance(texts, (set, frozenset)) else found


def checked_text(text: str, name: str) -> str:
    """The text itself, if it is one.

    Raises:
        TypeError: for something else than a `str`.
        TextError: for a lone surrogate.
    """
    if not isinstance(text, str):
        raise TypeError(f"{name} must be text, and {text!r} is of type {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TextError(
            f"{name}: {text!r} has a lone surrogate U+{ord(text[error.start]):04X} at index {error.start}, which has "
            "no UTF-8 form: remove it"
        ) from None
    return text
