"""What goes wrong with models: a config, a weight file, or the arrays handed in.

>>> from bpetok.errors import Error
>>> issubclass(ConfigError, Error), issubclass(WeightsError, Error), issubclass(InputError, Error)
(True, True, True)
"""

from bpetok.errors import Error

__all__ = ["ConfigError", "InputError", "WeightsError"]


class ConfigError(Error):
    """A `config.json` that says something the forward pass cannot honour; the message names the field."""


class WeightsError(Error):
    """A weight file that is damaged, or whose tensors are not those the config asks for; names the tensor."""


class InputError(Error):
    """Ids, masks or states that do not fit the model; the message names the value and the limit it broke."""
