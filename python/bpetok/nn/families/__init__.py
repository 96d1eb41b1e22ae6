"""The table of model families: a new one is a row here, and nothing else.

`read_config.py` turns a `config.json` into settings by a row, `weights.py` finds tensors by its names. A field
that no row knows is refused.

>>> FAMILIES["llama"].reads["width"], FAMILIES["gpt2"].names.layer["mix.norm.w"]
(('hidden_size', 4096), 'transformer.h.{i}.ln_1.weight')
"""

from bpetok.nn.families.bert import BERT
from bpetok.nn.families.family import Family, Names, Reads
from bpetok.nn.families.gpt import GPT1, GPT2
from bpetok.nn.families.jamba import JAMBA
from bpetok.nn.families.llama import LLAMA, MISTRAL, MIXTRAL
from bpetok.nn.families.mamba import LINEAR_SSM, MAMBA, MAMBA2
from bpetok.nn.families.pairs import BART, MARIAN, TRANSFORMER

__all__ = ["FAMILIES", "IGNORED", "Family", "Names", "Reads"]

FAMILIES: dict[str, Family] = {
    "transformer": TRANSFORMER,
    "marian": MARIAN,
    "bart": BART,
    "bert": BERT,
    "openai-gpt": GPT1,
    "gpt2": GPT2,
    "llama": LLAMA,
    "mistral": MISTRAL,
    "mixtral": MIXTRAL,
    "linear_ssm": LINEAR_SSM,
    "mamba": MAMBA,
    "mamba2": MAMBA2,
    "jamba": JAMBA,
}

# Buffers that some versions of `transformers` saved beside the weights: masks, position numbers, versions, and
# the shared table that both sides' own names stand for.
IGNORED = (
    r"(^|\.)attn\.(masked_)?bias$",
    r"(^|\.)(position_ids|token_type_ids|inv_freq|version)$",
    r"(^|\.)shared\.weight$",
)
