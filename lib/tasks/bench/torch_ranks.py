"""A rank of PyTorch's Mixture-of-Experts layer with experts over several processes, for `bench ... layers --gpus N`.

usage: torch_ranks.py FOLDER RANK RANKS cuda|cpu

Reads commands as lines of JSON, the same ones on all ranks, and answers each with a line of JSON, which has `error`
where it failed. FOLDER has the tensors of the layer, whole and as raw numbers; this rank takes its own part of each.

    load     a layer: {sizes, tensors: {name: dtype}}
    time     milliseconds, {forward, both}: {peer: grouped | loop | compile, warm (seconds), repetitions}
    compare  our results with those of the last peer: {tensors}; largest differences and values of this rank's part
"""
import json
import logging
import math
import os
import sys
import time

import numpy
import torch
import torch.distributed as dist
from torch.nn import functional

logging.disable(logging.WARNING)
folder, rank, ranks = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
on_gpu = sys.argv[4] == "cuda"
device = torch.device("cuda", rank) if on_gpu else torch.device("cpu")
DTYPES = {"float32": (numpy.float32, torch.float32), "bfloat16": (numpy.int16, torch.bfloat16), "int32": (numpy.int32, torch.int32)}
FEWEST_WARM_UPS = 3


class Exchange(torch.autograd.Function):
    """Rows to and from all ranks; gradients go the way back."""

    @staticmethod
    def forward(context, rows, sent, received):
        context.splits = sent, received
        return exchanged(rows, sent, received)

    @staticmethod
    def backward(context, gradient):
        sent, received = context.splits
        return exchanged(gradient, received, sent), None, None


def exchanged(rows, sent, received):
    rows = rows.contiguous()
    out = rows.new_empty((sum(received), rows.shape[1]))
    pair = (out, rows) if on_gpu else (out.view(torch.uint8), rows.view(torch.uint8))  # gloo knows no bfloat16
    dist.all_to_all_single(*pair, received, sent)
    return out


def routed(x, gate, top_k):
    """Softmax in float32, k best, weights normalized; rows sorted by expert, and so by rank."""
    scores = torch.softmax(x.float() @ gate.t(), dim=-1)
    weights, choices = torch.topk(scores, top_k, dim=-1)
    if top_k > 1:
        weights = weights / weights.sum(dim=-1, keepdim=True)
    flat = choices.flatten()
    order = torch.argsort(flat, stable=True)
    counts = torch.zeros(gate.shape[0], dtype=torch.int64, device=x.device).scatter_add_(0, flat, torch.ones_like(flat))
    tokens = order // top_k
    return x[tokens], weights.flatten()[order], tokens, counts


def activated(hidden, second):
    return torch.relu(hidden) if second is None else functional.silu(hidden) * second


def grouped(rows, counts, w1, w3, w2):
    """counts: rows of each sender and expert."""
    local = counts.shape[1]
    experts = torch.arange(local, device=rows.device).repeat(counts.shape[0])
    places = torch.repeat_interleave(experts, counts.flatten(), output_size=rows.shape[0])
    order = torch.argsort(places, stable=True)
    ends = counts.sum(0).cumsum(0).to(torch.int32)
    rows = rows[order]
    second = None if w3 is None else torch._grouped_mm(rows, w3, offs=ends)
    out = torch._grouped_mm(activated(torch._grouped_mm(rows, w1, offs=ends), second), w2, offs=ends)
    return torch.empty_like(out).index_copy(0, order, out)


def looped(rows, counts, w1, w3, w2):
    """One expert after another; the rows of one come in a part from each sender."""
    each = counts.tolist()
    parts = rows.split([count for line in each for count in line])
    local = len(each[0])
    outs = [None] * len(parts)
    for expert in range(local):
        own = range(expert, len(parts), local)
        joined = torch.cat([parts[i] for i in own])
        second = None if w3 is None else joined @ w3[expert]
        out = activated(joined @ w1[expert], second) @ w2[expert]
        for i, part in zip(own, out.split([len(parts[i]) for i in own])):
            outs[i] = part
    return torch.cat(outs)


def combined(returned, weights, tokens, x):
    rows = returned.float() * weights[:, None]
    return torch.zeros(x.shape, device=x.device).index_add(0, tokens, rows).to(x.dtype)


class Layer:
    """The tensors of this rank, and what has been computed last."""

    def __init__(self, sizes, tensors):
        self.top_k = sizes["topK"]
        model, hidden, local = sizes["modelDim"], sizes["hiddenDim"], sizes["experts"] // ranks
        shapes = {"gate.weight": (-1, model), "experts.w2": (local, hidden, model), "x": (-1, model), "dy": (-1, model)}
        values = {name: part(name, dtype).view(shapes.get(name, (local, model, hidden))) for name, dtype in tensors.items()}
        self.dy, self.x = values.pop("dy"), values.pop("x").requires_grad_(True)
        self.parameters = {name: value.requires_grad_(True) for name, value in values.items()}
        self.gate = self.parameters["gate.weight"]
        self.weights = [self.parameters.get(f"experts.{name}") for name in ("w1", "w3", "w2")]
        self.y = None

    def forward(self, parts):
        route, compute, combine = parts
        rows, weights, tokens, counts = route(self.x, self.gate, self.top_k)
        arriving = torch.empty_like(counts)
        dist.all_to_all_single(arriving, counts)
        counts, arriving = counts.view(ranks, -1), arriving.view(ranks, -1)
        sent, received = torch.stack([counts.sum(1), arriving.sum(1)]).tolist()
        out = compute(Exchange.apply(rows, sent, received), arriving, *self.weights)
        return combine(Exchange.apply(out, received, sent), weights, tokens, self.x)

    def step(self, parts):
        for leaf in (self.x, *self.parameters.values()):
            leaf.grad = None
        self.y = self.forward(parts)
        self.y.backward(self.dy)
        dist.all_reduce(self.gate.grad)


def part(name, dtype):
    """This rank's part of a tensor in a file, or all of one that all ranks have."""
    stored, own = DTYPES[dtype]
    path, size = os.path.join(folder, name), numpy.dtype(stored).itemsize
    count = os.path.getsize(path) // size // (1 if name.endswith("gate.weight") else ranks)
    offset = 0 if name.endswith("gate.weight") else rank * count * size
    values = torch.from_numpy(numpy.fromfile(path, dtype=stored, count=count, offset=offset)).to(device)
    return values.view(own) if own == torch.bfloat16 else values


def synchronize():
    if on_gpu:
        torch.cuda.synchronize()


def median_ms(run, warm, repetitions):
    """All ranks run as often, since they wait for each other: the slowest says how often is long enough."""
    for _ in range(FEWEST_WARM_UPS - 1):
        run()
    synchronize()
    begin = time.monotonic()
    run()
    synchronize()
    took = torch.tensor(time.monotonic() - begin, device=device)
    dist.all_reduce(took, dist.ReduceOp.MAX)
    for _ in range(math.ceil(warm / max(took.item(), 1e-4))):
        run()
    synchronize()
    times = []
    for _ in range(repetitions):
        if on_gpu:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            run()
            end.record()
            end.synchronize()
            times.append(begin.elapsed_time(end))
        else:
            begin = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - begin))
    return sorted(times)[repetitions // 2]


def parts_of(peer):
    if peer == "compile":
        torch._dynamo.reset()
        return tuple(torch.compile(function, dynamic=False) for function in (routed, grouped, combined))
    return routed, {"grouped": grouped, "loop": looped}[peer], combined


def timed(layer, peer, warm, repetitions):
    parts = parts_of(peer)

    def forward():
        with torch.no_grad():
            layer.forward(parts)

    return {"forward": median_ms(forward, warm, repetitions), "both": median_ms(lambda: layer.step(parts), warm, repetitions)}


def flipped(layer, choices):
    """Tokens whose experts differ, and the largest gap between the scores of the least expert that is chosen here and
    of the least that is chosen there, relative to the latter: what a rounding of the gate's product may turn."""
    scores = torch.softmax(layer.x.detach().float() @ layer.gate.detach().t(), dim=-1)
    expected = torch.topk(scores, layer.top_k, dim=-1)
    choices = choices.view(-1, layer.top_k).long()
    differ = (choices.sort().values != expected.indices.sort().values).any(dim=-1)
    least = scores.gather(1, choices).min(dim=-1).values
    gap = (expected.values[:, -1] - least) / expected.values[:, -1]
    return differ, gap[differ].max().item() if differ.any() else 0.0


def compared(layer, tensors):
    """Largest difference and largest value of each tensor; of tokens, of those that are routed alike."""
    differ, gap = flipped(layer, part("gate.choices", tensors["gate.choices"]))
    expected = {"y": layer.y, "grad.x": layer.x.grad, **{f"grad.{name}": tensor.grad for name, tensor in layer.parameters.items()}}
    found = {}
    for name, values in expected.items():
        ours, values = part(name, tensors[name]).float(), values.detach().float()
        if name in ("y", "grad.x"):
            ours, values = ours.view(values.shape)[~differ], values[~differ]
        found[name] = [(ours.view(-1) - values.view(-1)).abs().max().item(), values.abs().max().item()]
    return {"flipped": int(differ.sum()), "gap": gap, "differences": found}


def answer(command, state):
    if command["do"] == "load":
        state.clear()
        if on_gpu:
            torch.cuda.empty_cache()
        state["layer"] = Layer(command["sizes"], command["tensors"])
        return {}
    if command["do"] == "time":
        return timed(state["layer"], command["peer"], command["warm"], command["repetitions"])
    return compared(state["layer"], command["tensors"])


def main():
    if on_gpu:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if on_gpu else "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=ranks)
    about = {"torch": torch.__version__, "grouped": hasattr(torch, "_grouped_mm"), "compiles": on_gpu and hasattr(torch, "compile")}
    if on_gpu:
        about["gpu"] = torch.cuda.get_device_name()
    print(json.dumps(about), flush=True)
    state = {}
    for line in sys.stdin:
        try:
            print(json.dumps(answer(json.loads(line), state)), flush=True)
        except Exception as error:  # told, and the next shape may do
            print(json.dumps({"error": f"{type(error).__name__}: {error}"[:600]}), flush=True)


main()
