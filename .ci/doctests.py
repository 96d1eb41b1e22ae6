"""For `make docs`: examples in docstrings stand outside any section, and Markdown takes their `>>>` for quotations.

A Griffe extension (https://mkdocstrings.github.io/griffe/guide/users/extending/) that puts a fence around each.
"""

import re
from typing import Any

import griffe

# From a prompt to the next blank line; what stands between is input or output.
EXAMPLE = re.compile(r"^(?P<indent> *)>>> .*(?:\n(?P=indent)\S.*|\n(?P=indent) .*)*", re.MULTILINE)


class Fences(griffe.Extension):
    """Fences examples before docstrings are parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub(
                r"\g<indent>```python\n\g<0>\n\g<indent>```", obj.docstring.value
            )
