#include "runtime/results.h"

#include "runtime/kernel_table.h"

namespace schemoe {

namespace {

/// Results of one kernel; there is an overload for each, so that none can be forgotten.
struct Results {
  std::vector<Result> list;

  void add(const Block& block, const Matrix& x) {
    const bool empty = block.groups == 0 || block.rows == 0 || block.columns == 0;
    if (!x.view.null() && !empty) list.push_back({block, x});
  }
  void rows(schemoe_dtype dtype, int64_t rows, int64_t columns, const View& view) {
    add(Block(dtype, 1, rows, columns), {view, columns, 0});
  }
  void rows(int64_t rows, int64_t columns, const View& view) { this->rows(SCHEMOE_F32, rows, columns, view); }
  void list_of(int64_t count, const View& view) { rows(1, count, view); }

  void operator()(const Gemm& g) { add(Block(g.dtype_c, g.groups, g.m, g.n), g.c); }
  void operator()(const GemmGroups& groups) {
    const Gemm& g = groups.gemm;
    if (!groups.ranges.ragged()) return;
    if (g.trans_a) add(Block(g.dtype_c, g.groups, g.m, g.n), g.c);
    else add(Block(g.dtype_c, g.groups, g.m, g.n, groups.ranges), g.c);
  }
  void operator()(const BiasAct& b) {
    if (!b.bias.null()) add(b.block, b.x);
    add(b.block, b.y);
  }
  void operator()(const ActGrad& a) { add(a.block, a.dx); }
  void operator()(const Glu& g) { add(g.block, g.y); }
  void operator()(const GluGrad& g) {
    add(g.block, g.da);
    add(g.block, g.db);
  }
  void operator()(const ColumnSum& c) {
    add(Block(SCHEMOE_F32, c.block.groups, 1, c.block.columns), {c.out, c.block.columns, c.out_stride});
  }
  void operator()(const WeighRows& w) {
    add(w.block, w.d);
    Block column = w.block;
    column.dtype = SCHEMOE_F32, column.columns = 1;
    add(column, {w.dots, 1, w.stride});
  }
  void operator()(const Softmax& s) { rows(s.rows, s.columns, s.y); }
  void operator()(const TopK& t) { rows(t.tokens, t.k, t.weights); }
  void operator()(const AuxLoss& a) { list_of(1, a.loss); }
  void operator()(const Dispatch& d) { rows(d.dtype, d.rows.count(), d.columns, d.out); }
  void operator()(const Combine& c) { rows(c.dtype, c.tokens, c.columns, c.y); }
  void operator()(const RowDot& r) { rows(r.tokens, r.k, r.out); }
  /// Where all places have rows, those that nobody takes are not written.
  void operator()(const PlaceTokens& p) {
    if (p.rows.ragged()) rows(p.dtype, p.rows.count(), p.columns, p.out);
  }
  void operator()(const GateGrad& g) { rows(g.tokens, g.experts, g.d_logits); }
  /// Where groups differ in rows, those of a block lie one after another. Of blocks and groups the fewer are
  /// results of their own, and the others their groups.
  void operator()(const Decode& d) {
    const int64_t groups = d.group_rows.empty() ? d.groups : 1;
    const bool by_group = groups < d.blocks;
    const int64_t count = by_group ? groups : d.blocks, inner = by_group ? d.blocks : groups;
    const int64_t step = by_group ? d.group_stride : d.block_stride, stride = by_group ? d.block_stride : d.group_stride;
    if (d.blocks == 0 || d.rows == 0 || d.columns == 0) return;
    for (int64_t i = 0; i < count; ++i) {
      View view = d.x;
      view.offset += static_cast<uint64_t>(i * step * element_bytes(d.dtype));
      add(Block(d.dtype, inner, d.rows, d.columns), {view, d.row_stride, stride});
    }
  }
  void operator()(const SumRanks& s) { rows(s.dtype, 1, s.count, s.out); }
  void operator()(const AddSlices& a) {
    a.each([&](int64_t count, int64_t to, std::span<const uint64_t>) {
      View view = a.out;
      view.offset += static_cast<uint64_t>(to * a.unit * element_bytes(a.dtype));
      rows(a.dtype, 1, count * a.unit, view);
    });
  }
  void operator()(const Fill& f) { list_of(f.count, f.out); }
  void operator()(const RandomNormal& r) { rows(r.dtype, 1, r.count, r.out); }

  void operator()(const Route& r) {
    rows(r.tokens, r.rows, r.scores);
    rows(r.tokens, r.k, r.weights);
  }
  void operator()(const RouteGrad& r) { rows(r.tokens, r.rows, r.d_logits); }
  void operator()(const CountChoices& c) { list_of(c.rows, c.counts); }
  void operator()(const BalanceLoss& b) {
    list_of(b.rows, b.balance);
    losses(b);
  }
  void operator()(const ZLoss& z) { losses(z); }
  void operator()(const ImportanceLoss& i) {
    list_of(i.rows, i.importance);
    losses(i);
  }
  void operator()(const LoadLoss& l) {
    list_of(l.rows, l.slopes);
    losses(l);
  }
  template <class Kernel>
  void losses(const Kernel& kernel) {
    list_of(1, kernel.loss);
    list_of(1, kernel.total);
  }
  void operator()(const AddNoise& a) { list_of(a.count, a.logits); }
  void operator()(const NoiseGrad& n) {
    rows(n.tokens, n.rows, n.d_logits);
    rows(n.tokens, n.rows, n.d_spread);
  }
  void operator()(const AddIdentity& a) { rows(a.dtype, a.tokens, a.columns, a.to); }
  /// Choices of other experts have the products that another kernel wrote before.
  void operator()(const IdentityDots& i) { rows(i.tokens, i.k, i.out); }
  void operator()(const ShiftBias& s) { list_of(s.rows, s.bias); }
  void operator()(const BudgetBias& b) { list_of(b.experts, b.bias); }
  void operator()(const QuantileBias& q) { list_of(q.rows, q.out); }
  void operator()(const UnitRows& u) {
    rows(u.rows, u.columns, u.y);
    list_of(u.rows, u.norms);
  }
  void operator()(const UnitRowsGrad& u) { rows(u.rows, u.columns, u.dx); }
  void operator()(const Temper& t) {
    list_of(t.count, t.dz.null() ? t.z : t.dz);
    list_of(1, t.d_temperature);
  }
  void operator()(const GatedRows& g) {
    if (g.d_rows.null()) return rows(g.dtype, g.tokens, g.columns, g.y);
    rows(g.dtype, g.tokens, g.columns, g.d_rows);
    list_of(g.tokens, g.d_logits);
  }

  void operator()(const Embedding& e) { rows(e.dtype, e.tokens, e.columns, e.out); }
  void operator()(const EmbeddingGrad& e) {
    rows(e.vocabulary, e.columns, e.table);
    rows(e.length, e.columns, e.positions);
  }
  void operator()(const Rotary& r) { rows(r.dtype, r.tokens, r.heads * r.dim, r.x); }
  void operator()(const Norm& n) {
    rows(n.dtype, n.rows, n.columns, n.y);
    rows(n.rows, 2, n.statistics);
  }
  void operator()(const NormGrad& n) { rows(n.dtype, n.rows, n.columns, n.dx); }
  void operator()(const NormWeightGrad& n) {
    list_of(n.columns, n.weight);
    list_of(n.columns, n.bias);
  }
  void operator()(const Attention& a) {
    const int64_t tokens = a.sizes.batch * a.sizes.length;
    rows(a.dtype, tokens, a.sizes.queries(), a.out);
    rows(tokens, a.sizes.heads, a.logsum);
  }
  void operator()(const AttentionGrad& a) {
    const int64_t tokens = a.sizes.batch * a.sizes.length;
    rows(a.dtype, tokens, a.sizes.queries(), a.dq);
    rows(a.dtype, tokens, a.sizes.keys(), a.dk);
    rows(a.dtype, tokens, a.sizes.keys(), a.dv);
  }
  void operator()(const AddTensors& a) { rows(a.dtype, 1, a.count, a.out); }
  void operator()(const CrossEntropy& c) {
    rows(1, c.rows, c.loss);
    rows(c.dtype, c.rows, c.columns, c.logits);
  }
  void operator()(const SumValues& s) { list_of(1, s.out); }
  void operator()(const ClipScale& c) { list_of(2, c.out); }
  void operator()(const Adamw& a) {
    list_of(a.count, a.parameter);
    list_of(a.count, a.first);
    list_of(a.count, a.second);
  }
  void operator()(const Sgd& s) {
    list_of(s.count, s.parameter);
    list_of(s.count, s.velocity);
  }
  void operator()(const Round& r) { rows(SCHEMOE_BF16, 1, r.count, r.out); }

  // Integers.
  void operator()(const Positions&) {}
  void operator()(const Slots&) {}
  void operator()(const MaxRanks&) {}
  void operator()(const MaxLoad&) {}
  void operator()(const CountRows&) {}
  void operator()(const PlaceChoices&) {}
  void operator()(const ChooseTokens&) {}
  void operator()(const RoundChoices&) {}
  void operator()(const LookUp&) {}
  void operator()(const DropPadding&) {}
  void operator()(const PlaceCopies&) {}
  // Coded bytes, and bytes of anything.
  void operator()(const Encode&) {}
  void operator()(const CopyBytes&) {}
  void operator()(const Copy&) {}
  void operator()(const Send&) {}
  void operator()(const Receive&) {}
  // Rows that others computed.
  void operator()(const GroupRows&) {}
  void operator()(const UngroupRows&) {}
  // The host's functions say themselves what they wrote.
  void operator()(const Host&) {}
  void operator()(const CallSource&) {}
  void operator()(const CheckNumbers&) {}
};

}  // namespace

std::vector<Result> results_of(const Arguments& arguments) {
  Results results;
  std::visit(results, arguments);
  return std::move(results.list);
}

}  // namespace schemoe
