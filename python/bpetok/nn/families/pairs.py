"""Encoder-decoders: the 2017 Transformer (arXiv:1706.03762), Marian, and BART (arXiv:1910.13461)."""

from dataclasses import replace

from bpetok.nn.families.family import TOKENS, Family, Names, Reads, classes, under, with_bias

__all__ = ["BART", "MARIAN", "TRANSFORMER"]

_READS: Reads = {
    **TOKENS,
    "width": ("d_model", 1024),
    "layers": ("decoder_layers", 12),
    "heads": ("decoder_attention_heads", 16),
    "ffn_width": ("decoder_ffn_dim", 4096),
    "activation": ("activation_function", "gelu"),
    "max_positions": ("max_position_embeddings", 1024),
    "scale_embedding": ("scale_embedding", False),
    "tied": ("tie_word_embeddings", True),
}
_ENCODER: Reads = {
    "layers": ("encoder_layers", 12),
    "heads": ("encoder_attention_heads", 16),
    "ffn_width": ("encoder_ffn_dim", 4096),
}
_FIXED = {
    "norm": "layer",
    "norm_eps": 1e-5,
    "norm_place": "post",
    "final_norm": False,
    "cross": True,
    "head_bias": True,
    "qkv_bias": True,
    "out_bias": True,
    "mlp_bias": True,
}
_ALIAS = {
    "hidden_size": "d_model",
    "num_hidden_layers": "encoder_layers",
    "num_attention_heads": "encoder_attention_heads",
}
# Fields of older checkpoints that `transformers` no longer reads: only what they said for these models works.
_ONLY = {
    "normalize_before": (False,),
    "add_final_layer_norm": (False,),
    "add_bias_logits": (False,),
}
_INERT = frozenset({"classif_dropout", "extra_pos_embeddings"})

_LAYER = with_bias(
    mix__norm="self_attn_layer_norm",
    mix__qkv="self_attn.q_proj+self_attn.k_proj+self_attn.v_proj",
    mix__out="self_attn.out_proj",
    ffn__norm="final_layer_norm",
    ffn__up="fc1",
    ffn__down="fc2",
)
_CROSS = with_bias(
    cross__norm="encoder_attn_layer_norm",
    cross__q="encoder_attn.q_proj",
    cross__kv="encoder_attn.k_proj+encoder_attn.v_proj",
    cross__out="encoder_attn.out_proj",
)


def _stack(side: str) -> dict[str, str]:
    return {
        "embed": f"model.{side}.embed_tokens.weight|model.shared.weight",
        "positions": f"model.{side}.embed_positions.weight",
        **with_bias(embed_norm=f"model.{side}.layernorm_embedding"),
    }


_NAMES = Names(
    prefix="model.",
    stack=_stack("decoder"),
    layer=under("model.decoder.layers.{i}.", {**_LAYER, **_CROSS}),
    heads={
        "head.w": "lm_head.weight",
        "head.b": "final_logits_bias",
        **with_bias(pool="classification_head.dense", classifier="classification_head.out_proj"),
    },
    encoder_stack=_stack("encoder"),
    encoder_layer=under("model.encoder.layers.{i}.", _LAYER),
)

BART = Family(
    "seq2seq",
    classes("Bart", "ForConditionalGeneration", "ForSequenceClassification"),
    _NAMES,
    {
        **_READS,
        "vocab_size": ("vocab_size", 50265),
        "bos": ("bos_token_id", 0),
        "eos": ("eos_token_id", 2),
        "pad": ("pad_token_id", 1),
        "decoder_start": ("decoder_start_token_id", 2),
    },
    fixed={**_FIXED, "positions": "learned", "position_offset": 2, "embedding_norm": True},
    only={**_ONLY, "normalize_embedding": (True,), "static_position_embeddings": (False,)},
    inert=_INERT,
    alias=_ALIAS,
    encoder=_ENCODER,
)
MARIAN = Family(
    "seq2seq",
    classes("Marian", "MTModel"),
    _NAMES,
    {
        **_READS,
        "vocab_size": ("vocab_size", 58101),
        "eos": ("eos_token_id", 0),
        "pad": ("pad_token_id", 58100),
        "decoder_start": ("decoder_start_token_id", 58100),
        "shared": ("share_encoder_decoder_embeddings", True),
        "decoder_vocab_size": ("decoder_vocab_size", None),
    },
    fixed={**_FIXED, "positions": "sinusoid_halves"},
    only={**_ONLY, "normalize_embedding": (False,), "static_position_embeddings": (True,)},
    inert=_INERT,
    alias=_ALIAS,
    encoder=_ENCODER,
)
# As the paper draws it: Marian's tensors, but sine and cosine interleaved.
TRANSFORMER = replace(
    MARIAN,
    architectures=(),
    reads={
        **MARIAN.reads,
        "activation": ("activation_function", "relu"),
        "scale_embedding": ("scale_embedding", True),
    },
    fixed={**MARIAN.fixed, "positions": "sinusoid"},
)
