// Kernels on bfloat16: operands become float32, the float32 kernel runs, and its results are rounded once. This is what
// other engines are compared with, not a fast path.
#include <algorithm>
#include <cstring>

#include "cpu/kernels/half.h"
#include "cpu/kernels/kernels.h"
#include "runtime/failure.h"

namespace schemoe {

namespace {

struct Operand {
  Block block;
  Matrix x;
  bool written;
};

/// The bfloat16 operands of a kernel.
struct Operands {
  std::vector<Operand> list;

  void add(const Block& block, const Matrix& x, bool written) {
    const bool empty = block.groups == 0 || block.all_rows() == 0 || block.columns == 0;
    if (block.dtype == SCHEMOE_BF16 && !x.view.null() && !empty) list.push_back({block, x, written});
  }
  void read(const Block& block, const Matrix& x) { add(block, x, false); }
  void write(const Block& block, const Matrix& x) { add(block, x, true); }
  void read(schemoe_dtype dtype, int64_t rows, int64_t columns, std::initializer_list<View> views) {
    for (const View& view : views) add(Block(dtype, 1, rows, columns), {view, columns, 0}, false);
  }
  void write(schemoe_dtype dtype, int64_t rows, int64_t columns, std::initializer_list<View> views) {
    for (const View& view : views) add(Block(dtype, 1, rows, columns), {view, columns, 0}, true);
  }

  void operator()(const Gemm& g) {
    read(Block(g.dtypes.a, g.groups, g.trans_a ? g.k : g.m, g.trans_a ? g.m : g.k), g.a);
    read(Block(g.dtypes.b, g.groups, g.trans_b ? g.n : g.k, g.trans_b ? g.k : g.n), g.b);
    read(Block(g.dtype_c, g.groups, 1, g.n), {g.bias, g.n, g.bias_stride});
    write(Block(g.dtype_c, g.groups, g.m, g.n), g.c);
  }
  void operator()(const BiasAct& b) {
    read(Block(b.block.dtype, b.block.groups, 1, b.block.columns), {b.bias, b.block.columns, b.bias_stride});
    add(b.block, b.x, !b.bias.null());
    write(b.block, b.y);
  }
  void operator()(const ActGrad& a) {
    read(a.block, a.dy), read(a.block, a.x);
    write(a.block, a.dx);
  }
  void operator()(const Glu& g) {
    read(g.block, g.a), read(g.block, g.b);
    write(g.block, g.y);
  }
  void operator()(const GluGrad& g) {
    read(g.block, g.dy), read(g.block, g.a), read(g.block, g.b);
    write(g.block, g.da), write(g.block, g.db);
  }
  void operator()(const ColumnSum& c) { read(c.block, c.x); }
  void operator()(const WeighRows& w) {
    read(w.block, w.a);
    read(Block(w.block.dtype, w.block.groups, 1, w.block.columns), {w.vector, w.block.columns, w.vector_stride});
    write(w.block, w.d);
  }
  void operator()(const Dispatch& d) {
    read(d.dtype, d.tokens, d.columns, {d.x});
    write(d.dtype, d.rows.count(), d.columns, {d.out});
  }
  void operator()(const PlaceTokens& p) {
    read(p.dtype, p.tokens, p.columns, {p.x});
    write(p.dtype, p.rows.count(), p.columns, {p.out});
  }
  void operator()(const Combine& c) {
    read(c.dtype, c.rows.count(), c.columns, {c.in});
    write(c.dtype, c.tokens, c.columns, {c.y});
  }
  void operator()(const RowDot& r) {
    read(r.dtype, r.tokens, r.columns, {r.a});
    read(r.dtype, r.rows.count(), r.columns, {r.b});
  }
  void operator()(const AddIdentity& a) {
    read(a.dtype, a.tokens, a.columns, {a.from});
    write(a.dtype, a.tokens, a.columns, {a.to});
  }
  void operator()(const IdentityDots& i) { read(i.dtype, i.tokens, i.columns, {i.a, i.b}); }
  void operator()(const GatedRows& g) {
    read(g.dtype, g.tokens, g.columns, {g.rows});
    // Backward y is the gradient of the output, which is only read.
    add(Block(g.dtype, 1, g.tokens, g.columns), {g.y, g.columns, 0}, g.d_rows.null());
    write(g.dtype, g.tokens, g.columns, {g.d_rows});
  }
  void operator()(const SumRanks& s) {
    read(Block(s.dtype, 1, s.ranks, s.count), {s.in, s.stride, 0});
    write(s.dtype, 1, s.count, {s.out});
  }
  void operator()(const Embedding& e) {
    read(e.dtype, e.vocabulary, e.columns, {e.table});
    read(e.dtype, e.length, e.columns, {e.positions});
    write(e.dtype, e.tokens, e.columns, {e.out});
  }
  void operator()(const EmbeddingGrad& e) { read(e.dtype, e.tokens, e.columns, {e.dy}); }
  void operator()(const Rotary& r) { write(r.dtype, r.tokens, r.heads * r.dim, {r.x}); }
  void operator()(const Norm& n) {
    read(n.dtype, n.rows, n.columns, {n.x});
    write(n.dtype, n.rows, n.columns, {n.y});
  }
  void operator()(const NormGrad& n) {
    read(n.dtype, n.rows, n.columns, {n.dy, n.x});
    write(n.dtype, n.rows, n.columns, {n.dx});
  }
  void operator()(const NormWeightGrad& n) { read(n.dtype, n.rows, n.columns, {n.dy, n.x}); }
  void operator()(const Attention& a) {
    const int64_t tokens = a.sizes.batch * a.sizes.length;
    read(a.dtype, tokens, a.sizes.queries(), {a.q});
    read(a.dtype, tokens, a.sizes.keys(), {a.k, a.v});
    write(a.dtype, tokens, a.sizes.queries(), {a.out});
  }
  void operator()(const AttentionGrad& a) {
    const int64_t tokens = a.sizes.batch * a.sizes.length;
    read(a.dtype, tokens, a.sizes.queries(), {a.q, a.out, a.dout});
    read(a.dtype, tokens, a.sizes.keys(), {a.k, a.v});
    write(a.dtype, tokens, a.sizes.queries(), {a.dq});
    write(a.dtype, tokens, a.sizes.keys(), {a.dk, a.dv});
  }
  void operator()(const AddTensors& a) {
    read(a.dtype, 1, a.count, {a.a, a.b});
    write(a.dtype, 1, a.count, {a.out});
  }
  void operator()(const CrossEntropy& c) { write(c.dtype, c.rows, c.columns, {c.logits}); }
  void operator()(const Round& r) { write(SCHEMOE_BF16, 1, r.count, {r.out}); }
  /// Float32 or integers alone, or elements of any type that are moved or coded.
  template <class Kernel>
  void operator()(const Kernel&) {}
};

size_t elements_of(const Operand& o) {
  const Block& block = o.block;
  const int64_t groups = block.ranges.ragged() ? 1 : block.groups;
  const int64_t rows = block.ranges.ragged() ? block.first(block.groups - 1) + block.rows_of(block.groups - 1) : block.rows;
  return static_cast<size_t>((groups - 1) * o.x.stride + (rows - 1) * o.x.ld + block.columns);
}

/// Calls body(elements before a row), for all rows.
template <class Body>
void each_row(const Operand& o, Body&& body) {
  for (int64_t group = 0; group < o.block.groups; ++group) {
    for (int64_t row = 0; row < o.block.rows_of(group); ++row) {
      body(group * o.x.stride + (o.block.first(group) + row) * o.x.ld);
    }
  }
}

template <class Kernel>
void run_staged(const Kernel& kernel, const Context& context) {
  if constexpr (requires { run(kernel, context); }) {
    Operands operands;
    operands(kernel);
    auto& list = operands.list;
    if (list.empty()) return run(kernel, context);
    Staged staged;
    size_t size = 0;
    for (const Operand& o : list) {
      if (staged.find(o.x.view)) continue;
      staged.copies.push_back({o.x.view, size});
      // Operands at one place have room for the largest of them, and for what is not bfloat16 at that place, which lies
      // in the buffer as any view does.
      size_t room = context.buffers.bytes_from(o.x.view, context.rank) / sizeof(float) + 1;
      for (const Operand& other : list) {
        const bool same = other.x.view.buffer == o.x.view.buffer && other.x.view.offset == o.x.view.offset;
        if (same) room = std::max(room, elements_of(other));
      }
      size += room;
    }
    auto& memory = context.scratch.staged;
    if (memory.size() < size) memory.resize(size);
    staged.memory = memory.data();
    const auto bytes = [&](const Operand& o) { return context.at<std::byte>(o.x.view); };
    for (const Operand& o : list) {
      float* to = staged.at(o.x.view);
      each_row(o, [&](int64_t at) { floats_from_bfloat16s(to + at, bytes(o) + 2 * at, o.block.columns); });
    }
    run(kernel, Context{context.buffers, context.rank, context.scratch, context.stop, &staged});
    for (const Operand& o : list) {
      if (!o.written) continue;
      const float* from = staged.at(o.x.view);
      each_row(o, [&](int64_t at) { bfloat16s_from_floats(bytes(o) + 2 * at, from + at, o.block.columns); });
    }
  } else {
    // Host kernels, sends and receives are the executor's.
    fail(SCHEMOE_INVALID, "no kernel of its own");
  }
}

/// Groups one by one, each with its own rows.
void run_staged(const GemmGroups& groups, const Context& context) {
  const Gemm& g = groups.gemm;
  if (g.dtypes.a == SCHEMOE_F32 && g.dtypes.b == SCHEMOE_F32 && g.dtype_c == SCHEMOE_F32) return run(groups, context);
  for (int64_t group = 0; group < g.groups && !context.stop; ++group) run_staged(groups.group(group), context);
}

}  // namespace

void run(const Round& r, const Context& context) {
  std::memcpy(context.at<float>(r.out), context.at<const float>(r.x), static_cast<size_t>(r.count) * sizeof(float));
}

void run_kernel(const Arguments& arguments, const Context& context) {
  std::visit([&](const auto& kernel) { run_staged(kernel, context); }, arguments);
}

}  // namespace schemoe
