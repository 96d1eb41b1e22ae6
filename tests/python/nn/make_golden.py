"""Write golden vectors from `transformers`: tiny models with odd settings, and what they compute in float64.

    python tests/python/nn/make_golden.py [FOLDER]        # default: tests/golden/nn/made

Needs torch and transformers, which the project does not; `make golden` runs it where they are. Each case is a
folder as `transformers` saves it, with `oracle.npz` beside the weights. Weights are large and uneven, so that a wrong
epsilon, activation or offset shows. The float64 is real: `transformers` rounds to float32 in norms, rotary positions
and state-space layers even when the model is float64, and `InFloat64` stops it.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch.overrides import TorchFunctionMode

VOCAB = 48
IDS = {"vocab_size": VOCAB, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
GPT = {**IDS, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 32}
LLAMA = {
    **IDS,
    "hidden_size": 12,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
LLAMA |= {"num_key_value_heads": 2, "max_position_embeddings": 32, "head_dim": 8}
BERT = {
    "vocab_size": VOCAB,
    "pad_token_id": 0,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
}
BERT |= {"intermediate_size": 20, "max_position_embeddings": 32}
PAIR = {
    **IDS,
    "d_model": 12,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 3,
}
PAIR |= {
    "decoder_attention_heads": 3,
    "encoder_ffn_dim": 20,
    "decoder_ffn_dim": 20,
    "max_position_embeddings": 32,
}
PAIR |= {"decoder_start_token_id": 0, "forced_eos_token_id": None}
MAMBA = {**IDS, "hidden_size": 12, "num_hidden_layers": 2, "state_size": 4}
JAMBA = {
    **{k: v for k, v in LLAMA.items() if k != "head_dim"},
    "num_hidden_layers": 4,
    "mamba_d_state": 4,
}
JAMBA |= {
    "attn_layer_period": 3,
    "attn_layer_offset": 1,
    "expert_layer_period": 2,
    "expert_layer_offset": 1,
}
JAMBA |= {"num_experts": 4, "mamba_dt_rank": 3}


def _rope(kind: str, **parts: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 100.0, **parts}}


OLD_CONTEXT = {"original_max_position_embeddings": 8}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2_scaled": (
        "GPT2LMHeadModel",
        {**GPT, "n_inner": 20, "activation_function": "relu", "scale_attn_by_inverse_layer_idx": True, "tie_word_embeddings": False, "layer_norm_epsilon": 0.01},
    ),
    "gpt2_unscaled": ("GPT2LMHeadModel", {**GPT, "activation_function": "silu", "scale_attn_weights": False}),
    "gpt2_gelu": ("GPT2Model", {**GPT, "activation_function": "gelu"}),
    "gpt2_classify": ("GPT2ForSequenceClassification", {**GPT, "num_labels": 3}),
    "gpt2_heads": ("GPT2DoubleHeadsModel", {**GPT, "summary_activation": "tanh"}),
    "gpt1": ("OpenAIGPTLMHeadModel", GPT),
    "gpt1_swish": ("OpenAIGPTLMHeadModel", {**GPT, "afn": "swish", "layer_norm_epsilon": 0.01}),
    "gpt1_classify": ("OpenAIGPTForSequenceClassification", {**GPT, "afn": "relu", "num_labels": 3}),
    "gpt1_heads": ("OpenAIGPTDoubleHeadsModel", GPT),
    "llama_biased": (
        "LlamaForCausalLM",
        {**LLAMA, "attention_bias": True, "mlp_bias": True, "hidden_act": "gelu", "num_key_value_heads": 1, "rms_norm_eps": 0.01, "tie_word_embeddings": True},
    ),
    "llama_linear": ("LlamaForCausalLM", {**LLAMA, **_rope("linear", factor=4.0), "head_dim": None, "hidden_size": 16}),
    "llama_llama3": ("LlamaForCausalLM", {**LLAMA, **_rope("llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=3.0, **OLD_CONTEXT)}),
    "llama_yarn": ("LlamaForCausalLM", {**LLAMA, **_rope("yarn", factor=4.0, **OLD_CONTEXT), "head_dim": 16}),
    "llama_yarn_mscale": (
        "LlamaForCausalLM",
        {**LLAMA, **_rope("yarn", factor=4.0, beta_fast=4.0, beta_slow=0.5, mscale=0.7, mscale_all_dim=0.3, truncate=False, **OLD_CONTEXT), "head_dim": 16},
    ),
    "llama_classify": ("LlamaForSequenceClassification", {**LLAMA, "num_labels": 3}),
    "mistral_narrow": ("MistralForCausalLM", {**LLAMA, "sliding_window": 3, "hidden_act": "gelu_pytorch_tanh", "head_dim": 6}),
    "mistral_wide": ("MistralForCausalLM", {**LLAMA, "sliding_window": None, "hidden_act": "gelu_new"}),
    "mixtral_top1": ("MixtralForCausalLM", {**LLAMA, "num_local_experts": 3, "num_experts_per_tok": 1, "sliding_window": 5, "router_aux_loss_coef": 0.3}),
    "mixtral_top3": ("MixtralForCausalLM", {**LLAMA, "num_local_experts": 5, "num_experts_per_tok": 3, "hidden_act": "relu"}),
    "bert_types": ("BertForPreTraining", {**BERT, "type_vocab_size": 3, "hidden_act": "gelu_new", "layer_norm_eps": 0.01}),
    "bert_untied": ("BertForMaskedLM", {**BERT, "tie_word_embeddings": False, "hidden_act": "relu"}),
    "bert_bare": ("BertModel", BERT),
    "bert_classify": ("BertForSequenceClassification", {**BERT, "num_labels": 3, "type_vocab_size": 1}),
    "bert_nsp": ("BertForNextSentencePrediction", BERT),
    "bart": ("BartForConditionalGeneration", {**PAIR, "encoder_layers": 1, "decoder_layers": 2, "decoder_attention_heads": 2, "decoder_ffn_dim": 28}),
    "bart_scaled": ("BartForConditionalGeneration", {**PAIR, "scale_embedding": True, "activation_function": "relu", "tie_word_embeddings": False}),
    "bart_classify": ("BartForSequenceClassification", {**PAIR, "num_labels": 3}),
    "marian_swish": ("MarianMTModel", {**PAIR, "activation_function": "swish", "scale_embedding": True, "encoder_layers": 3, "decoder_layers": 1}),
    "marian_apart": ("MarianMTModel", {**PAIR, "share_encoder_decoder_embeddings": False, "decoder_vocab_size": 31, "tie_word_embeddings": False}),
    "marian_apart_tied": ("MarianMTModel", {**PAIR, "share_encoder_decoder_embeddings": False, "decoder_vocab_size": 31}),
    "mamba_odd": (
        "MambaForCausalLM",
        {**MAMBA, "use_bias": True, "use_conv_bias": False, "conv_kernel": 3, "expand": 3, "time_step_rank": 5, "hidden_act": "gelu", "tie_word_embeddings": False, "layer_norm_epsilon": 0.01},
    ),
    "mamba_auto": ("MambaForCausalLM", {**MAMBA, "hidden_act": "relu", "conv_kernel": 1}),
    "mamba2": ("Mamba2ForCausalLM", {**MAMBA, "num_heads": 4, "head_dim": 6, "n_groups": 2, "chunk_size": 4}),
    "mamba2_odd": (
        "Mamba2ForCausalLM",
        {**MAMBA, "expand": 3, "num_heads": 9, "head_dim": 4, "n_groups": 3, "use_bias": True, "use_conv_bias": False, "conv_kernel": 2, "time_step_limit": (0.1, 0.6), "tie_word_embeddings": True, "hidden_act": "gelu"},
    ),
    "jamba": ("JambaForCausalLM", JAMBA),
    "jamba_odd": (
        "JambaForCausalLM",
        {**JAMBA, "attn_layer_offset": 0, "expert_layer_period": 3, "expert_layer_offset": 2, "num_experts_per_tok": 1, "mamba_proj_bias": True, "mamba_conv_bias": False, "mamba_expand": 3, "mamba_d_conv": 3, "hidden_act": "gelu", "tie_word_embeddings": True},
    ),
}  # fmt: skip


class InFloat64(TorchFunctionMode):
    """Inside it, whatever asks for float32 gets float64."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Swap the dtype wherever one is named."""
        if func is torch.Tensor.float:
            return args[0].double()
        args = tuple(torch.float64 if a is torch.float32 else a for a in args)
        kwargs = {k: torch.float64 if v is torch.float32 else v for k, v in (kwargs or {}).items()}
        return func(*args, **kwargs)


def build(cls: str, settings: dict[str, Any], seed: int) -> Any:
    """A float32 model with large, uneven weights."""
    kind = getattr(transformers, cls)
    torch.manual_seed(seed)
    model = kind(kind.config_class(**settings)).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("A_log"):
                p.uniform_(-1.0, 2.0)
            elif "dt" in name and name.endswith("bias"):
                p.uniform_(-3.0, 1.0)
            elif name.endswith("embed_positions.weight") and cls.startswith("Marian"):
                continue
            elif p.ndim == 1:
                p.normal_(
                    1.0 if "norm" in name.lower() or "ln_" in name or name.endswith("D") else 0.0,
                    0.3,
                )
            else:
                p.normal_(
                    0.0, 1.0 if "embed" in name or "wte" in name else 1.3 * p.shape[-1] ** -0.5
                )
        for name, buffer in model.named_buffers():
            if name == "final_logits_bias":
                buffer.normal_(0.0, 0.5)
    return model


def widen(folder: Path, cls: str) -> Any:
    """The saved model in real float64."""
    single, torch.FloatTensor = (
        torch.FloatTensor,
        torch.DoubleTensor,
    )  # Marian rounds its sinusoids with it
    try:
        kind = getattr(transformers, cls)
        plain = {"attn_implementation": "eager"}
        if "Mixtral" in cls or "Jamba" in cls:
            plain["experts_implementation"] = "eager"  # the grouped kernel has no float64
        return kind.from_pretrained(folder, dtype=torch.float64, **plain).eval()
    finally:
        torch.FloatTensor = single


def inputs(seed: int, vocab: int = VOCAB) -> tuple[torch.Tensor, torch.Tensor]:
    """Two rows of 13 ids, the second padded on the right after 9, and the mask."""
    ids = torch.randint(3, vocab, (2, 13), generator=torch.Generator().manual_seed(seed))
    mask = torch.ones_like(ids)
    ids[1, 9:], mask[1, 9:] = 0, 0
    return ids, mask


def decoder(model: Any, seed: int) -> dict[str, Any]:
    """Logits with and without left padding, hidden states, greedy and beam ids."""
    ids, mask = inputs(seed)
    full = model(ids[:1], output_hidden_states=True)
    found = {"ids": ids, "mask": mask, "hidden": torch.stack(full.hidden_states)[:, 0]}
    if "DoubleHeads" in type(model).__name__:
        at = mask.sum(1) - 1
        rows = [
            model(ids[None, i : i + 1, : at[i] + 1], mc_token_ids=at[None, i : i + 1]).mc_logits
            for i in range(2)
        ]
        found["labels"] = torch.cat(rows)
    if "Classification" in type(model).__name__:
        return found | {
            "labels": full.logits if len(ids) == 1 else model(ids, attention_mask=mask).logits
        }
    if hasattr(full, "logits"):
        found["logits"] = full.logits[0]
    if (
        getattr(model.config, "router_aux_loss_coef", None) is not None
        and "Mixtral" in type(model).__name__
    ):
        found["aux"] = model(ids[:1], output_router_logits=True).aux_loss
    if "LM" in type(model).__name__ and "GPT" not in type(model).__name__[:6]:
        greedy = {"do_sample": False, "max_new_tokens": 8, "eos_token_id": None}
        if getattr(model.config, "time_step_limit", None):
            greedy["use_cache"] = False  # transformers' one-step form of Mamba-2 forgets the limit
        found["greedy"] = model.generate(ids[:1, :5], **greedy)
        for k, penalty in ((3, 1.0), (4, 0.2)):
            ended = {
                **greedy,
                "eos_token_id": list(range(2, 9)),
                "num_beams": k,
                "length_penalty": penalty,
            }
            found[f"beams{k}"] = model.generate(ids[:1, :5], **ended)
    return found


def encoder(model: Any, seed: int) -> dict[str, Any]:
    """Hidden vectors and whatever heads there are, with padding and token types."""
    ids, mask = inputs(seed)
    types = torch.randint(
        0, model.config.type_vocab_size, ids.shape, generator=torch.Generator().manual_seed(seed)
    )
    out = model(ids, attention_mask=mask, token_type_ids=types, output_hidden_states=True)
    found = {"ids": ids, "mask": mask, "types": types, "hidden": torch.stack(out.hidden_states)}
    heads = {
        "prediction_logits": "mlm",
        "seq_relationship_logits": "nsp",
        "pooler_output": "pooled",
    }
    found |= {ours: out[theirs] for theirs, ours in heads.items() if theirs in out}
    last = {"MaskedLM": "mlm", "NextSentencePrediction": "nsp", "SequenceClassification": "labels"}
    return found | {
        ours: out["logits"] for end, ours in last.items() if type(model).__name__.endswith(end)
    }


def seq2seq(model: Any, seed: int) -> dict[str, Any]:
    """Memory, logits, greedy and beam ids; labels for a classifier."""
    ids, mask = inputs(seed)
    if "Classification" in type(model).__name__:
        ids[0, -1] = ids[1, 8] = 2
        return {"ids": ids, "mask": mask, "labels": model(ids, attention_mask=mask).logits}
    target = inputs(
        seed + 1, min(VOCAB, getattr(model.config, "decoder_vocab_size", None) or VOCAB)
    )[0][:, :9]
    out = model(ids, attention_mask=mask, decoder_input_ids=target, output_hidden_states=True)
    found = {
        "ids": ids,
        "mask": mask,
        "target": target,
        "logits": out.logits,
        "memory": out.encoder_last_hidden_state,
    }
    wanted = {
        "attention_mask": mask,
        "do_sample": False,
        "max_new_tokens": 8,
        "decoder_start_token_id": 0,
    }
    found["greedy"] = model.generate(ids, **wanted, eos_token_id=None, num_beams=1)
    found["beams"] = model.generate(
        ids, **wanted, eos_token_id=list(range(2, 9)), num_beams=3, early_stopping=False
    )
    return found


def arrays(found: dict[str, Any]) -> dict[str, Any]:
    """As NumPy, floats as float64."""
    return {k: v.detach().numpy() for k, v in found.items()}


def make(name: str, folder: Path) -> None:
    """Write one case."""
    cls, settings = CASES[name]
    seed = sum(map(ord, name))
    shutil.rmtree(folder, ignore_errors=True)
    model = build(cls, settings, seed)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    old_dialect(folder, name)
    run: Callable[[Any, int], dict[str, Any]] = decoder
    if model.config.is_encoder_decoder:
        run = seq2seq
    elif model.config.model_type == "bert":
        run = encoder
    with torch.no_grad(), InFloat64():
        found = arrays(run(widen(folder, cls), seed))
    assert not any(v.dtype == np.float32 for v in found.values()), (
        f"{name}: something was computed in float32"
    )
    np.savez_compressed(folder / "oracle.npz", **found)


def old_dialect(folder: Path, name: str) -> None:
    """Write half of the rotary configs as `transformers` 4 did."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    if "rope_parameters" in config and name in ("llama_yarn", "llama_linear", "mixtral_top1"):
        rope = config.pop("rope_parameters")
        config["rope_theta"] = rope.pop("rope_theta")
        kind = rope.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {"type": kind, **rope}
        path.write_text(json.dumps(config, indent=2))


def unchanged(old: Path, new: Path) -> bool:
    """Whether a case is the one that is there, up to the last digits, which differ between processors."""
    files = [path for path in new.iterdir() if path.name != "oracle.npz"]
    if not all(
        (old / f.name).exists() and (old / f.name).read_bytes() == f.read_bytes() for f in files
    ):
        return False
    with np.load(old / "oracle.npz") as a, np.load(new / "oracle.npz") as b:
        return set(a) == set(b) and all(
            a[k].dtype == b[k].dtype
            and a[k].shape == b[k].shape
            and np.abs(a[k] - b[k]).max() <= 1e-13 * np.abs(a[k]).max()
            for k in a
        )


def main() -> None:
    """Write all cases, and leave those alone that come out as they are."""
    target = Path(
        sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2] / "golden" / "nn" / "made"
    )
    for name in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            made = Path(scratch) / name
            make(name, made)
            same = (target / name).is_dir() and unchanged(target / name, made)
            if not same:
                shutil.rmtree(target / name, ignore_errors=True)
                shutil.copytree(made, target / name)
        print(f"{name:20s} {'as it was' if same else 'written'}", flush=True)


if __name__ == "__main__":
    main()
