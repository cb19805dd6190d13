"""PyTorch's Mixture-of-Experts layer on one GPU, for `deno task bench -- --engine cuda`.

usage: torch_peer.py FOLDER WARM_UP

FOLDER holds shapes.json, block.f32 (the numbers all tensors repeat) and our results; prints JSON lines:
times of eager and compiled, largest relative differences of our results from eager, and ceilings. WARM_UP is
how many milliseconds each runs before it is timed: a GPU reaches its power limit in that time.

ScatterMoE's experts (arXiv 2403.08245) are a peer too where its package is installed, or in the folder that
SCHEMOE_SCATTERMOE names; a line says where it is not.
"""
import importlib.metadata
import json
import logging
import math
import os
import pathlib
import sys
import time

import numpy
import torch
from torch.nn import functional

logging.disable(logging.WARNING)
folder = pathlib.Path(sys.argv[1])
steady = float(sys.argv[2]) / 1000
block = torch.from_numpy(numpy.fromfile(folder / "block.f32", dtype=numpy.float32)).cuda()


def pattern(shape, offset, scale, dtype):
    count = math.prod(shape)
    turned = (block.roll(-offset) * scale).to(dtype)
    return turned.repeat(-(-count // len(turned)))[:count].reshape(shape).clone()


def median_ms(run, seconds=steady, repetitions=20, fewest=6):
    begin, warmed = time.monotonic(), 0
    while warmed < fewest or time.monotonic() - begin < seconds:
        run()
        warmed += 1
        torch.cuda.synchronize()
    times = []
    for _ in range(repetitions):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return sorted(times)[repetitions // 2]


class Layer(torch.nn.Module):
    """Softmax gate in float32, k best, weights normalized; tokens sorted by expert; grouped products."""

    def __init__(self, sizes):
        super().__init__()
        m, h, e = sizes["modelDim"], sizes["hiddenDim"], sizes["experts"]
        self.top_k, self.experts = sizes["topK"], e
        self.gated = sizes["expert"] == "swiglu"
        names = ["w1", "w3", "w2"] if self.gated else ["w1", "w2"]
        self.gate = torch.nn.Parameter(pattern((e, m), 2000, 0.02, torch.float32))
        for i, name in enumerate(names):
            shape = (e, h, m) if name == "w2" else (e, m, h)
            value = pattern(shape, 3000 + 1000 * i, 0.02, torch.bfloat16)
            self.register_parameter(name, torch.nn.Parameter(value))

    def route(self, x):
        scores = torch.softmax(x.float() @ self.gate.t(), dim=-1)
        weights, choices = torch.topk(scores, self.top_k, dim=-1)
        if self.top_k > 1:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        return weights, choices

    def forward(self, x):
        weights, choices = self.route(x)
        flat = choices.flatten()
        order = torch.argsort(flat, stable=True)
        ends = torch.bincount(flat, minlength=self.experts).cumsum(0).to(torch.int32)
        tokens = order // self.top_k
        rows = x[tokens]
        hidden = torch._grouped_mm(rows, self.w1, offs=ends)
        if self.gated:
            hidden = functional.silu(hidden) * torch._grouped_mm(rows, self.w3, offs=ends)
        else:
            hidden = torch.relu(hidden)
        out = torch._grouped_mm(hidden, self.w2, offs=ends).float() * weights.flatten()[order, None]
        return torch.zeros(x.shape, device=x.device).index_add(0, tokens, out).to(x.dtype)


class Scattered(torch.nn.Module):
    """The same gate and the same weights, experts by ScatterMoE."""

    def __init__(self, layer, mlp):
        super().__init__()
        self.route, self.gate = layer.route, layer.gate
        experts, model, hidden = layer.w1.shape
        kind, activation = ("GLUMLP", torch.nn.SiLU()) if layer.gated else ("MLP", torch.nn.ReLU())
        with torch.device("cuda"):
            self.mlp = getattr(mlp, kind)(model, hidden, experts, layer.top_k, activation=activation).to(torch.bfloat16)
        first = [layer.w3, layer.w1] if layer.gated else [layer.w1]  # the activated half comes second
        with torch.no_grad():
            self.mlp.experts.weight.copy_(torch.cat(first, dim=2).transpose(1, 2))
            self.mlp.output_experts.weight.copy_(layer.w2.transpose(1, 2))

    def forward(self, x):
        weights, choices = self.route(x)
        return self.mlp(x, weights.to(x.dtype), choices)


def scattermoe():
    """Its module of experts; where there is none, why. Either is told."""
    given = os.environ.get("SCHEMOE_SCATTERMOE")
    if given:
        sys.path.insert(0, given)
    try:
        from scattermoe import mlp
    except Exception as error:  # whatever it needs may lack too
        where = "in the folder that SCHEMOE_SCATTERMOE names" if given else "installed, and SCHEMOE_SCATTERMOE names no folder"
        print(json.dumps(dict(peer="scattermoe about", absent=f"not {where} ({type(error).__name__}: {error})")), flush=True)
        return None
    try:
        version = "from SCHEMOE_SCATTERMOE" if given else importlib.metadata.version("scattermoe")
    except importlib.metadata.PackageNotFoundError:
        version = "of no known version"
    print(json.dumps(dict(peer="scattermoe about", version=version)), flush=True)
    return mlp


def scattered(sizes, layer, mlp, x, dy):
    """Its times, and how far its output is from eager's; what fails is a line, and the next shape may do."""
    try:
        made = Scattered(layer, mlp)
        with torch.no_grad():
            expected = layer(x).float()
            error = ((made(x).float() - expected).abs().max() / expected.abs().max()).item()
        peer(sizes, "scattermoe", made, x, dy, error=float(f"{error:.1e}"))
    except Exception as error:
        line = dict(shape=sizes["name"], peer="scattermoe", failed=f"{type(error).__name__}: {error}"[:300])
        print(json.dumps(line), flush=True)


def peer(sizes, name, layer, x, dy, **more):
    with torch.no_grad():
        forward = median_ms(lambda: layer(x))
    leaf = x.clone().requires_grad_(True)

    def step():
        leaf.grad = None
        for parameter in layer.parameters():
            parameter.grad = None
        layer(leaf).backward(dy)

    both = median_ms(step)
    line = dict(shape=sizes["name"], peer=name, forward=round(forward, 3), forward_backward=round(both, 3), **more)
    print(json.dumps(line), flush=True)
    return leaf.grad


def read(sizes, form, name, dtype):
    path = folder / f"{sizes['name'].replace('/', '-')}.{form}.{name}"
    return torch.from_numpy(numpy.fromfile(path, dtype=dtype)).cuda()


def difference(sizes, form, name, expected, alike):
    """Largest difference from what is expected, over its largest value; of tokens, of those routed alike."""
    if expected.dtype == torch.bfloat16:
        ours = read(sizes, form, name, numpy.int16).view(torch.bfloat16)
    else:
        ours = read(sizes, form, name, numpy.float32)
    if name in ("y", "grad.x"):
        ours, expected = (values.reshape(len(alike), -1)[alike] for values in (ours, expected))
    else:
        expected = expected.flatten()[: len(ours)]
    return ((ours.float() - expected.float()).abs().max() / expected.float().abs().max()).item()


def routed_otherwise(sizes, form, layer, x):
    """Tokens whose experts differ, and the largest gap between the scores of the least expert that is chosen here
    and of the least that is chosen there, relative to the latter: what a rounding of the gate's product may turn."""
    choices = read(sizes, form, "gate.choices", numpy.int32).reshape(-1, layer.top_k).long()
    scores = torch.softmax(x.float() @ layer.gate.t(), dim=-1)
    least = scores.gather(1, choices).min(dim=-1).values
    expected = torch.topk(scores, layer.top_k, dim=-1)
    differ = (choices.sort().values != expected.indices.sort().values).any(dim=-1)
    gap = (expected.values[:, -1] - least) / expected.values[:, -1]
    return differ, gap[differ].max().item() if differ.any() else 0.0


def compare(sizes, layer, x, dx):
    with torch.no_grad():
        expected = {"y": layer(x), "grad.x": dx}
    for name, parameter in layer.named_parameters():
        file = "grad.gate.weight" if name == "gate" else f"grad.experts.{name}"
        expected[file] = parameter.grad
    for form in sizes["forms"]:
        with torch.no_grad():
            differ, gap = routed_otherwise(sizes, form, layer, x)
        errors = {name: difference(sizes, form, name, values, ~differ) for name, values in expected.items()}
        line = dict(shape=sizes["name"], peer="errors", form=form, flipped=int(differ.sum()), gap=gap, **errors)
        print(json.dumps(line), flush=True)


def ceilings():
    a = torch.empty(1 << 30, device="cuda")
    b = torch.empty_like(a)
    copy = 2 * a.numel() * 4 / median_ms(lambda: b.copy_(a)) / 1e9
    m, q = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    at_first, matmul = (2 * 8192**3 / median_ms(lambda: m @ q, seconds) / 1e9 for seconds in (0, steady))
    line = dict(peer="ceilings", gpu=torch.cuda.get_device_name(), torch=torch.__version__, copy_tbs=round(copy, 3))
    line.update(matmul_tflops=round(matmul, 1), matmul_tflops_at_first=round(at_first, 1))
    print(json.dumps(line), flush=True)


def main():
    ceilings()
    mlp = scattermoe()
    for sizes in json.loads((folder / "shapes.json").read_text()):
        x = pattern((sizes["tokens"], sizes["modelDim"]), 0, 1, torch.bfloat16)
        dy = pattern((sizes["tokens"], sizes["modelDim"]), 1000, 1, torch.bfloat16)
        layer = Layer(sizes)
        compare(sizes, layer, x, peer(sizes, "eager", layer, x, dy))
        torch._dynamo.reset()
        peer(sizes, "compile", torch.compile(layer), x, dy)
        if mlp:
            torch._dynamo.reset()
            scattered(sizes, layer, mlp, x, dy)
        del layer
        torch.cuda.empty_cache()


main()
