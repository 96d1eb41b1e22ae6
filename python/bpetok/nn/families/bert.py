"""BERT (arXiv:1810.04805) and whatever is saved as one: MiniLM and other sentence encoders."""

from bpetok.nn.families.family import TOKENS, Family, Names, classes, under, with_bias

__all__ = ["BERT"]


def _norm(name: str, theirs: str) -> dict[str, str]:
    """A norm under its name, or as TensorFlow spelled it in the first checkpoints."""
    return {
        f"{name}.w": f"{theirs}.weight|{theirs}.gamma",
        f"{name}.b": f"{theirs}.bias|{theirs}.beta",
    }


_NAMES = Names(
    prefix="bert.",
    stack=under(
        "bert.embeddings.",
        {
            "embed": "word_embeddings.weight",
            "positions": "position_embeddings.weight",
            "token_types": "token_type_embeddings.weight",
            **_norm("embed_norm", "LayerNorm"),
        },
    ),
    layer=under(
        "bert.encoder.layer.{i}.",
        {
            **with_bias(
                mix__qkv="attention.self.query+attention.self.key+attention.self.value",
                mix__out="attention.output.dense",
                ffn__up="intermediate.dense",
                ffn__down="output.dense",
            ),
            **_norm("mix.norm", "attention.output.LayerNorm"),
            **_norm("ffn.norm", "output.LayerNorm"),
        },
    ),
    heads={
        **with_bias(
            pool="bert.pooler.dense",
            nsp="cls.seq_relationship",
            mlm="cls.predictions.transform.dense",
            classifier="classifier",
        ),
        **_norm("mlm_norm", "cls.predictions.transform.LayerNorm"),
        "head.w": "cls.predictions.decoder.weight",
        # Untied checkpoints hold two biases; the decoder's is the one that is added.
        "head.b": "cls.predictions.decoder.bias|cls.predictions.bias",
        "head.b, tied": "cls.predictions.bias|cls.predictions.decoder.bias",
    },
)

BERT = Family(
    "encoder",
    classes(
        "Bert",
        "ForPreTraining",
        "ForMaskedLM",
        "ForNextSentencePrediction",
        "ForSequenceClassification",
    ),
    _NAMES,
    {
        **TOKENS,
        "vocab_size": ("vocab_size", 30522),
        "width": ("hidden_size", 768),
        "layers": ("num_hidden_layers", 12),
        "heads": ("num_attention_heads", 12),
        "ffn_width": ("intermediate_size", 3072),
        "activation": ("hidden_act", "gelu"),
        "norm_eps": ("layer_norm_eps", 1e-12),
        "max_positions": ("max_position_embeddings", 512),
        "token_types": ("type_vocab_size", 2),
        "tied": ("tie_word_embeddings", True),
        "pad": ("pad_token_id", 0),
    },
    fixed={
        "norm": "layer",
        "norm_place": "post",
        "embedding_norm": True,
        "final_norm": False,
        "positions": "learned",
        "causal": False,
        "qkv_bias": True,
        "out_bias": True,
        "mlp_bias": True,
    },
    only={"position_embedding_type": ("absolute",)},
    inert=frozenset(
        {
            "directionality",
            "pooler_fc_size",
            "pooler_num_attention_heads",
            "pooler_num_fc_layers",
            "pooler_size_per_head",
            "pooler_type",
        }
    ),
)
