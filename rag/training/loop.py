"""The training loop: seeded, resumable, with averaged weights as its result."""

import json
import math
import random
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rag.reading.windows import WindowCutter, WindowSize
from rag.training.attention import PLAIN_ATTENTION
from rag.training.curriculum import Material, epoch_units
from rag.training.data import read_examples
from rag.training.features import Batch, batches, collate
from rag.training.importing import import_model
from rag.training.model import (
    Logits,
    SpanModel,
    load_model,
    recycle_dropout,
    save_model,
)
from rag.training.negatives import near_passages
from rag.training.options import TrainingOptions


def train(options: TrainingOptions) -> Path:
    """Train a reader and return the directory with the result (its weights are the averaged ones).

    Writes `metrics.json` (one entry a checkpoint) beside it. Killed at any moment and started
    again, a run ends with the same weights as one that was never killed, on the same machine.
    """
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    cutter = WindowCutter(
        options.start_from / "tokenizer.json", WindowSize(tokens=options.window_tokens)
    )
    material = _material(options)
    run = Run(options)
    with Progress(
        TextColumn("[progress.description]{task.description}"), BarColumn(), TimeRemainingColumn()
    ) as progress:
        bar = progress.add_task("training", total=1.0)
        while run.epoch < options.epochs:
            rng = random.Random(options.seed * 1000 + run.epoch)
            units = epoch_units(material, options, run.epoch, cutter)
            planned = batches(units, options.batch_tokens, rng)
            while run.batch < len(planned):
                run.step(collate(planned[run.batch]), len(planned))
                progress.update(bar, completed=run.done, description=f"loss {run.loss:.3f}")
                if run.steps % options.checkpoint_every == 0:
                    run.save()
                    progress.console.print(
                        f"step {run.steps}, {run.done:.1%}, loss {run.loss:.3f}, "
                        f"{run.tokens / run.seconds:.0f} tokens/s"
                    )
            run.next_epoch()
        run.save()
    return run.finish()


def _material(options: TrainingOptions) -> Material:
    passages = read_examples(options.data)
    wanted = options.augment and options.negatives > 0
    return Material(
        passages=passages,
        sentences=read_examples(options.sentences),
        mix=read_examples(options.mix),
        near=near_passages(passages) if wanted else {},
    )


class Run:
    """The state of a run between two steps; `save` and a new `Run` on the same options keep it."""

    def __init__(self, options: TrainingOptions) -> None:
        """Start a run, or go on from the checkpoint in `options.out`."""
        self.options = options
        self.epoch = self.batch = self.steps = 0
        self.done = 0.0
        self.loss = math.nan
        self.seconds = 0.0
        self.tokens = 0
        self._log: list[dict[str, Any]] = []
        torch.manual_seed(options.seed)
        self._dice = torch.Generator().manual_seed(options.seed)
        exported = (options.start_from / "model.onnx").exists()
        load = import_model if exported else load_model
        self.model = load(
            options.start_from, attention=PLAIN_ATTENTION if options.bfloat16 else "sdpa"
        )
        recycle_dropout(self.model, options.dropout, self._dice)
        self.model.train()
        self._average = {name: t.detach().clone() for name, t in self.model.named_parameters()}
        self._optimizer = torch.optim.AdamW(
            parameter_groups(self.model, options), weight_decay=0.0, fused=True
        )
        self._checkpoint = options.out / "checkpoint"
        if (self._checkpoint / "state.json").exists():
            self._load()

    def step(self, batch: Batch, batches_in_epoch: int) -> None:
        """Learn from one batch."""
        began = time.perf_counter()
        options = self.options
        factor = _schedule(self.done, options.warmup, options.cooldown)
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bfloat16):
            logits = self.model(batch.ids, batch.types, batch.mask)
        loss = loss_of(logits, batch, options)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.steps += 1
        self.batch += 1
        self.done = (self.epoch + self.batch / batches_in_epoch) / options.epochs
        decay = min(options.averaging, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self._average.values()), list(self.model.parameters()), 1 - decay
            )
        value = float(loss.detach())
        self.loss = value if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * value
        self.tokens += batch.tokens
        self.seconds += time.perf_counter() - began

    def next_epoch(self) -> None:
        """Go on to the next epoch."""
        self.epoch += 1
        self.batch = 0

    def save(self) -> None:
        """Write a checkpoint; the one before stays whole until this one is."""
        self._log.append(
            {
                "step": self.steps,
                "done": round(self.done, 4),
                "loss": round(self.loss, 4),
                "tokens": self.tokens,
                "tokens_per_second": round(self.tokens / max(self.seconds, 1e-9)),
                "seconds": round(self.seconds, 1),
            }
        )
        fresh = self._checkpoint.with_name("checkpoint.new")
        fresh.mkdir(exist_ok=True)
        tensors = {f"average.{name}": tensor for name, tensor in self._average.items()}
        for name, parameter in self.model.named_parameters():
            tensors[f"model.{name}"] = parameter.detach()
            for key, value in self._optimizer.state[parameter].items():
                tensors[f"optimizer.{key}.{name}"] = value
        tensors["dice"] = self._dice.get_state()
        save_file(tensors, fresh / "tensors.safetensors")
        state = {
            "epoch": self.epoch,
            "batch": self.batch,
            "steps": self.steps,
            "done": self.done,
            "loss": self.loss,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "log": self._log,
        }
        (fresh / "state.json").write_text(json.dumps(state))
        old = self._checkpoint.with_name("checkpoint.old")
        if self._checkpoint.exists():
            self._checkpoint.rename(old)
        fresh.rename(self._checkpoint)
        for file in old.glob("*"):
            file.unlink()
        if old.exists():
            old.rmdir()
        described = {key: str(value) for key, value in asdict(self.options).items()}
        metrics = {"options": described, "log": self._log}
        (self.options.out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")

    def _load(self) -> None:
        tensors = load_file(self._checkpoint / "tensors.safetensors")
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(tensors[f"model.{name}"])
                self._average[name].copy_(tensors[f"average.{name}"])
                self._optimizer.state[parameter] = {
                    key: tensors[f"optimizer.{key}.{name}"].clone()
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
        self._dice.set_state(tensors["dice"])
        state = json.loads((self._checkpoint / "state.json").read_text())
        self._log = state.pop("log")
        for key, value in state.items():
            setattr(self, key, value)

    def finish(self) -> Path:
        """Write the averaged weights with the tokenizer, ready to be evaluated and exported."""
        self.model.load_state_dict(self._average, strict=False)
        save_model(self.model, self.options.out)
        tokenizer = (self.options.start_from / "tokenizer.json").read_bytes()
        (self.options.out / "tokenizer.json").write_bytes(tokenizer)
        return self.options.out


def parameter_groups(model: SpanModel, options: TrainingOptions) -> list[dict[str, Any]]:
    """Split the parameters by depth and kind; `peak` is a group's highest learning rate."""
    layers = model.encoder.config.num_hidden_layers
    groups: dict[tuple[int, bool], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        depth = layers + 1
        if name.startswith("encoder.embeddings."):
            depth = 0
        elif name.startswith("encoder.encoder.layer."):
            depth = int(name.split(".")[3]) + 1
        decayed = parameter.ndim > 1 and "LayerNorm" not in name
        groups.setdefault((depth, decayed), []).append(parameter)
    return [
        {
            "params": parameters,
            "peak": options.rate * options.layer_decay ** max(layers - depth, 0),
            "weight_decay": options.weight_decay if decayed else 0.0,
        }
        for (depth, decayed), parameters in groups.items()
    ]


def _schedule(done: float, warmup: float, cooldown: float) -> float:
    """Return the share of the highest learning rate at this point of the run."""
    rise = (done + 1e-3) / (warmup + 1e-3)
    fall = (1.0 - done) / cooldown if cooldown else 1.0
    return max(0.0, min(1.0, rise, fall))


def loss_of(logits: Logits, batch: Batch, options: TrainingOptions) -> Tensor:
    """Return the loss of a batch: spans, passage relevance, and spans across passages."""
    cross = nn.functional.cross_entropy
    loss = (cross(logits.start, batch.starts) + cross(logits.end, batch.ends)) / 2
    answered = (batch.starts > 0).float()
    relevance = nn.functional.binary_cross_entropy_with_logits(logits.relevance, answered)
    return (
        loss
        + options.relevance_weight * relevance
        + options.group_weight * _group_loss(logits, batch)
    )


def _group_loss(logits: Logits, batch: Batch) -> Tensor:
    """Learn that the right span scores above all spans of the question's other passages.

    Scores are compared as the reader compares them: above their own window's null score.
    """
    total = logits.start.new_zeros(())
    count = 0
    for scores, golds in ((logits.start, batch.starts), (logits.end, batch.ends)):
        above = scores[:, 1:] - scores[:, :1]
        summed = above.logsumexp(dim=1)
        for rows in batch.units:
            gold = int(golds[rows[0]])
            if len(rows) > 1 and gold > 0:
                total = total + summed[rows].logsumexp(dim=0) - above[rows[0], gold - 1]
                count += 1
    return total / max(len(batch.units) * 2, 1) if count else total
