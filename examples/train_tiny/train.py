"""Train a tiny language model on a folder of token shards: `python examples/train_tiny/train.py OUT/tokens/eng_Latn`.

It shows what a real loop needs: packed samples, a rank's share of them, and no loss over document ends.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch

from tamis import tokens
from tamis.tokenize.pack import Packer, Sample


def samples(folder: str, length: int, rank: int = 0, world: int = 1) -> Iterator[Sample]:
    """Yield packed samples of this rank's documents, epoch after epoch; each epoch's loss to padding is printed."""
    data = tokens.open(folder, rank=rank, world=world)
    while True:
        packer = Packer((document.input_ids for document in data), length)
        yield from packer
        print(packer.loss)


class Tiny(torch.nn.Module):
    """Embedding, one GRU, and the embedding again: a few minutes of CPU for a vocabulary of 65,536."""

    def __init__(self, vocab: int, width: int = 48) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(vocab, width)
        self.recurrent = torch.nn.GRU(width, width, batch_first=True)
        self.bias = torch.nn.Parameter(torch.zeros(vocab))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.recurrent(self.embedding(ids))[0] @ self.embedding.weight.T + self.bias


def targets(sample: Sample) -> np.ndarray:
    """Return the next id of each place; -100, which the loss passes over, at ends of documents and in padding."""
    following = np.full(len(sample.input_ids), -100, np.int64)
    end = int(sample.cu_seqlens[-1])
    following[: end - 1] = sample.input_ids[1:end]
    following[sample.cu_seqlens[1:] - 1] = -100
    return following


def train(folder: str, vocab: int, *, steps: int = 60, batch: int = 4, length: int = 64, seed: int = 0) -> list[float]:
    """Return the loss of each step, nats per token."""
    torch.manual_seed(seed)
    model = Tiny(vocab)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    stream = samples(folder, length)
    losses = []
    for step in range(steps):
        picked = [next(stream) for _ in range(batch)]
        inputs = torch.from_numpy(np.stack([sample.input_ids for sample in picked]).astype(np.int64))
        wanted = torch.from_numpy(np.stack([targets(sample) for sample in picked]))
        loss = torch.nn.functional.cross_entropy(model(inputs).flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 10 == 0:
            print(f"step {step:4}  loss {losses[-1]:.3f}")
    return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--vocab", type=int, default=65_536)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    train(options.folder, options.vocab, steps=options.steps)
