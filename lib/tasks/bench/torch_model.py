"""The model of `bench --engine cuda train` in PyTorch: one training step, bfloat16 with float32 masters.

usage: python3 torch_model.py CONFIG_JSON [eager] [compile]
Attention by scaled_dot_product_attention, experts by torch._grouped_mm over rows sorted by expert, AdamW (fused) on
float32 masters, clipping of the norm. One JSON line per variant.

With WORLD_SIZE and RANK each process has a GPU and its own sequences: experts are sharded, their rows travel by
all_to_all_single of NCCL, and DistributedDataParallel averages the gradients of all else while others are computed.
Process 0 prints.
"""
import datetime, json, os, sys, time
import torch
import torch.distributed as dist
import torch.nn.functional as F

config = json.loads(sys.argv[1])
variants = sys.argv[2:] or ["eager", "compile"]
V, L, B, M = config["vocabulary"], config["context"], config["batch"], config["modelDim"]
A, G, D = config["heads"], config["keyValueHeads"], config["headDim"]
N, E, K, H = config["layers"], config["experts"], config["topK"], config["hiddenDim"]
STEPS, WARM = config.get("steps", 10), config.get("warm", 4)
RANKS, RANK = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
LOCAL = E // RANKS
dev = "cuda"
if RANKS > 1:
    torch.cuda.set_device(RANK)
    dist.init_process_group("nccl", timeout=datetime.timedelta(seconds=60))
    torch._dynamo.config.optimize_ddp = False  # blocks are compiled, not the whole model
torch.manual_seed(0)
torch.backends.cuda.matmul.allow_tf32 = False


def weight(*shape, scale=None):
    return torch.nn.Parameter((torch.randn(*shape, device=dev) * (scale or shape[-2] ** -0.5)).bfloat16())


def sharded(*shape, scale=None):
    whole = weight(*shape, scale=scale)
    return torch.nn.Parameter(whole[RANK * LOCAL:(RANK + 1) * LOCAL].detach().clone()) if RANKS > 1 else whole


class Exchange(torch.autograd.Function):
    """Rows to the processes: sent[p] to process p, received[p] from it."""

    @staticmethod
    def forward(ctx, rows, sent, received):
        ctx.sent, ctx.received = sent, received
        out = rows.new_empty(sum(received), rows.shape[1])
        dist.all_to_all_single(out, rows.contiguous(), received, sent)
        return out

    @staticmethod
    def backward(ctx, grad):
        out = grad.new_empty(sum(ctx.sent), grad.shape[1])
        dist.all_to_all_single(out, grad.contiguous(), ctx.sent, ctx.received)
        return out, None, None


@torch.compiler.disable
def dispatch(rows, counts):
    """Rows sorted by expert to the processes of their experts: rows by local expert, their ends, and the way back."""
    arrived = torch.empty_like(counts)
    dist.all_to_all_single(arrived, counts)
    sent, received = torch.stack((counts, arrived)).view(2, RANKS, LOCAL).sum(-1).tolist()
    rows = Exchange.apply(rows, sent, received)
    owner = torch.arange(LOCAL, device=dev).repeat(RANKS)
    order = torch.argsort(owner.repeat_interleave(arrived, output_size=sum(received)), stable=True)
    ends = torch.cumsum(arrived.view(RANKS, LOCAL).sum(0), 0).to(torch.int32)
    return rows[order], ends, (order, sent, received)


@torch.compiler.disable
def combine(rows, way):
    order, sent, received = way
    back = torch.empty_like(order)
    back[order] = torch.arange(order.numel(), device=dev)
    return Exchange.apply(rows[back], received, sent)


class Block(torch.nn.Module):
    def __init__(s):
        super().__init__()
        small = (2 * N) ** -0.5
        s.n1 = torch.nn.Parameter(torch.ones(M, device=dev))
        s.n2 = torch.nn.Parameter(torch.ones(M, device=dev))
        s.q, s.k, s.v = weight(M, A * D), weight(M, G * D), weight(M, G * D)
        s.o = weight(A * D, M, scale=small * (A * D) ** -0.5)
        s.gate = torch.nn.Parameter(torch.randn(E, M, device=dev) * 0.2 * M ** -0.5)
        s.w1, s.w3 = sharded(E, M, H), sharded(E, M, H)
        s.w2 = sharded(E, H, M, scale=small * H ** -0.5)

    def experts(s, x):
        scores = torch.softmax(F.linear(x.float(), s.gate), -1)
        top, chosen = scores.topk(K, -1)
        top = top / top.sum(-1, keepdim=True)
        first = F.one_hot(chosen[:, 0], E).float().mean(0)
        aux = E * (scores.mean(0) * first).sum()
        flat = chosen.reshape(-1)
        order = torch.argsort(flat, stable=True)
        counts = (flat[:, None] == torch.arange(E, device=dev)[None]).sum(0)
        rows = x[order // K]
        if RANKS > 1:
            rows, ends, way = dispatch(rows, counts)
        else:
            ends = torch.cumsum(counts, 0).to(torch.int32)
        h = F.silu(torch._grouped_mm(rows, s.w1, offs=ends)) * torch._grouped_mm(rows, s.w3, offs=ends)
        y = torch._grouped_mm(h, s.w2, offs=ends)
        if RANKS > 1:
            y = combine(y, way)
        y = y * top.reshape(-1)[order].unsqueeze(1).to(x.dtype)
        back = torch.empty_like(order)
        back[order] = torch.arange(order.numel(), device=dev)
        return y[back].reshape(-1, K, M).sum(1), aux

    def forward(s, h, cos, sin):
        n = F.rms_norm(h.float(), (M,), s.n1, 1e-5).to(h.dtype)
        def heads(w, count):
            return (n @ w).reshape(B, L, count, D).transpose(1, 2)
        def turned(x):
            a, b = x.float().chunk(2, -1)
            return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)
        o = F.scaled_dot_product_attention(turned(heads(s.q, A)), turned(heads(s.k, G)), heads(s.v, G), is_causal=True,
                                           enable_gqa=G != A)
        h = h + o.transpose(1, 2).reshape(B * L, A * D) @ s.o
        y, aux = s.experts(F.rms_norm(h.float(), (M,), s.n2, 1e-5).to(h.dtype))
        return h + y, aux


class Model(torch.nn.Module):
    def __init__(s, compiled):
        super().__init__()
        s.embedding = weight(V, M, scale=0.02)
        s.blocks = torch.nn.ModuleList(Block() for _ in range(N))
        s.norm = torch.nn.Parameter(torch.ones(M, device=dev))
        s.head = weight(M, V)
        angle = torch.arange(L, device=dev)[:, None] * 10000.0 ** (-torch.arange(0, D, 2, device=dev)[None] / D)
        s.cos, s.sin = angle.cos(), angle.sin()
        if compiled:
            for block in s.blocks: block.compile()
        s.loss = torch.compile(s.last) if compiled else s.last

    def last(s, h, targets):
        logits = F.rms_norm(h.float(), (M,), s.norm, 1e-5).to(h.dtype) @ s.head
        return F.cross_entropy(logits.float(), targets)

    def forward(s, tokens, targets):
        h = s.embedding[tokens]
        auxes = []
        for block in s.blocks:
            h, aux = block(h, s.cos, s.sin)
            auxes.append(aux)
        return s.loss(h, targets) + 0.01 * torch.stack(auxes).mean()


def clip(masters, split):
    """Clips the norm of all gradients to 1; those of `split` are of this process's experts alone."""
    if RANKS == 1:
        torch.nn.utils.clip_grad_norm_(masters, 1.0, foreach=True)
        return
    norms = torch.stack(torch._foreach_norm([m.grad for m in masters])) ** 2
    mine = torch.tensor(split, device=dev)
    experts = (norms * mine).sum()
    dist.all_reduce(experts)
    scale = ((experts + (norms * ~mine).sum()).sqrt() + 1e-6).reciprocal().clamp(max=1.0)
    torch._foreach_mul_([m.grad for m in masters], scale)


def run(variant):
    torch._dynamo.reset()
    torch.cuda.reset_peak_memory_stats()
    began = time.time()
    model = Model(variant == "compile")
    names, params = zip(*model.named_parameters())
    split = [name.rsplit(".", 1)[-1] in ("w1", "w2", "w3") for name in names]
    experts = [p for p, of in zip(params, split) if of]
    if RANKS > 1:
        wrap = torch.nn.parallel.DistributedDataParallel
        wrap._set_params_and_buffers_to_ignore_for_model(model, [name for name, of in zip(names, split) if of])
        model = wrap(model, device_ids=[RANK], gradient_as_bucket_view=True)
        torch.manual_seed(1 + RANK)  # sequences of its own
    masters = [p.detach().float().clone() for p in params]
    for m in masters: m.grad = torch.zeros_like(m)
    optimizer = torch.optim.AdamW(masters, lr=3e-4, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, fused=True)
    data = torch.randint(0, V, (B, L + 1), device=dev)
    tokens, targets = data[:, :-1].reshape(-1), data[:, 1:].reshape(-1)
    parts = {"forward": [], "backward": [], "update": []}
    whole, losses = [], []
    for step in range(WARM + STEPS):
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(4)]
        torch.cuda.synchronize()
        marks[0].record()
        loss = model(tokens, targets)
        marks[1].record()
        loss.backward()
        marks[2].record()
        with torch.no_grad():
            if RANKS > 1: torch._foreach_mul_([p.grad for p in experts], 1 / RANKS)  # of the mean over all sequences
            torch._foreach_copy_([m.grad for m in masters], [p.grad for p in params])
            clip(masters, split)
            optimizer.step()
            torch._foreach_copy_(params, masters)
        for p in params: p.grad = None
        marks[3].record()
        torch.cuda.synchronize()
        mean = loss.detach()
        if RANKS > 1: dist.all_reduce(mean, dist.ReduceOp.AVG)
        losses.append(mean.item())
        if step < WARM: continue
        for name, at in (("forward", 0), ("backward", 1), ("update", 2)):
            parts[name].append(marks[at].elapsed_time(marks[at + 1]))
        whole.append(marks[0].elapsed_time(marks[3]))
    median = lambda list: sorted(list)[len(list) // 2]
    line = dict(peer="torch " + variant, torch=torch.__version__, step_ms=round(median(whole), 2),
                **{name + "_ms": round(median(list), 2) for name, list in parts.items()},
                least_ms=round(min(whole), 2), most_ms=round(max(whole), 2),
                tokens_per_second=round(RANKS * B * L / median(whole) * 1e3),
                peak_gb=round(torch.cuda.max_memory_allocated() / 1e9, 1),
                parameters=sum(p.numel() for p in params), ready_s=round(time.time() - began, 1), losses=losses[:3])
    if RANK == 0: print(json.dumps(line), flush=True)


for variant in variants:
    try:
        run(variant)
    except Exception as error:
        if RANKS > 1: raise  # the others wait for this process
        print(json.dumps(dict(peer="torch " + variant, failed=repr(error)[:300])), flush=True)
    torch.cuda.empty_cache()
if RANKS > 1: dist.destroy_process_group()
if RANK > 0: sys.exit()
n = 8192
a, b = torch.randn(n, n, device=dev).bfloat16(), torch.randn(n, n, device=dev).bfloat16()
times = []
for i in range(24):
    s, e = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    s.record(); a @ b; e.record(); torch.cuda.synchronize()
    if i >= 4: times.append(s.elapsed_time(e))
times.sort()
print(json.dumps(dict(peer="matrix product", tflops=round(2 * n ** 3 / times[len(times) // 2] / 1e9, 1))), flush=True)
