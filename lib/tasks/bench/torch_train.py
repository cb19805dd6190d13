"""The model of `bench trainCpu` in PyTorch on the CPU: training steps in float32, on request.

usage: python3 torch_train.py CONFIG_JSON THREADS
Each line of standard input is one step; its answer is a line of JSON with the milliseconds of a clock and of all cores, and the loss. Attention as
softmax of masked scores or, where PyTorch has it, scaled_dot_product_attention; experts in a loop, each on the rows that
the gate chose for it, so that nothing is dropped and nothing padded; AdamW (`foreach` where that is there) and clipping
by torch's own functions.
"""
import json, math, sys, time
import torch
import torch.nn.functional as F

config = json.loads(sys.argv[1])
torch.set_num_threads(int(sys.argv[2]))
torch.manual_seed(0)
V, L, B, M = config["vocabulary"], config["context"], config["batch"], config["modelDim"]
A, N, E, K, H = config["heads"], config["layers"], config["experts"], config["topK"], config["hiddenDim"]
D = M // A


def matrix(*shape, scale=1.0):
    return torch.nn.Parameter(torch.randn(*shape) * scale * shape[-2] ** -0.5)


def ones():
    return torch.nn.Parameter(torch.ones(M))


def norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weight


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        small = (2 * N) ** -0.5
        self.n1, self.n2 = ones(), ones()
        self.q, self.k, self.v, self.o = matrix(M, M), matrix(M, M), matrix(M, M), matrix(M, M, scale=small)
        self.gate = torch.nn.Parameter(torch.randn(E, M) * 0.2 * M ** -0.5)
        self.w1, self.w2 = matrix(E, M, H), matrix(E, H, M, scale=small)
        self.b1, self.b2 = torch.nn.Parameter(torch.zeros(E, H)), torch.nn.Parameter(torch.zeros(E, M))

    def attention(self, x):
        q, k, v = ((x @ w).view(B, L, A, D).transpose(1, 2) for w in (self.q, self.k, self.v))
        if hasattr(F, "scaled_dot_product_attention"):
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-1, -2)) * D ** -0.5
            out = torch.softmax(scores + mask, -1) @ v
        return out.transpose(1, 2).reshape(B * L, M) @ self.o

    def experts(self, x):
        scores = torch.softmax(x @ self.gate.t(), -1)
        top, chosen = scores.topk(K, -1)
        weights = top / top.sum(-1, keepdim=True)
        y = torch.zeros_like(x)
        for e in range(E):
            token, place = torch.where(chosen == e)
            h = F.gelu(torch.addmm(self.b1[e], x[token], self.w1[e]))
            y = y.index_add(0, token, torch.addmm(self.b2[e], h, self.w2[e]) * weights[token, place, None])
        first = F.one_hot(chosen[:, 0], E).float().mean(0)
        return y, E * (scores.mean(0) * first).sum()

    def forward(self, h):
        h = h + self.attention(norm(h, self.n1))
        y, aux = self.experts(norm(h, self.n2))
        return h + y, aux


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Parameter(torch.randn(V, M) * 0.02)
        self.positions = torch.nn.Parameter(torch.randn(L, M) * 0.02)
        self.blocks = torch.nn.ModuleList(Block() for _ in range(N))
        self.norm = ones()
        self.head = matrix(M, V)

    def forward(self, tokens, targets):
        h = (self.embedding[tokens] + self.positions).view(B * L, M)
        auxes = []
        for block in self.blocks:
            h, aux = block(h)
            auxes.append(aux)
        return F.cross_entropy(norm(h, self.norm) @ self.head, targets) + 0.01 * torch.stack(auxes).mean()


mask = torch.full((L, L), -math.inf).triu(1)
model = Model()
decayed = [p for p in model.parameters() if p.dim() > 1]
others = [p for p in model.parameters() if p.dim() == 1]
groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
try:
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), foreach=True)
except TypeError:
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95))
data = torch.randint(0, V, (B, L + 1))
tokens, targets = data[:, :-1], data[:, 1:].reshape(-1)
print(json.dumps({"torch": torch.__version__, "parameters": sum(p.numel() for p in model.parameters())}), flush=True)
for _ in sys.stdin:
    began, before = time.perf_counter(), time.process_time()
    optimizer.zero_grad(set_to_none=True)
    loss = model(tokens, targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    took = {"ms": 1e3 * (time.perf_counter() - began), "cpu_ms": 1e3 * (time.process_time() - before)}
    print(json.dumps({**took, "loss": loss.item()}), flush=True)
