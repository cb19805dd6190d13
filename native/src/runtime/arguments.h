// Arguments of every kernel, checked and with names; `schemoe.h` says what each kernel does.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <variant>

#include "runtime/arguments_gates.h"
#include "runtime/reader.h"

namespace schemoe {

struct Gemm {
  explicit Gemm(Reader&);
  /// Where `even` is false groups need not be alike, and are checked elsewhere.
  Gemm(Reader&, bool even);
  Dtypes dtypes;
  schemoe_dtype dtype_c;
  bool trans_a, trans_b;
  int64_t groups, m, n, k;
  Matrix a, b, c;
  double alpha, beta;
  View bias;
  int64_t bias_stride;
  bool relu;
};

/// Groups with numbers of rows of their own: first row and rows of each. Empty where all are alike.
struct Ranges {
  std::span<const uint64_t> words;
  /// Whose words they are, where rows are counted as the Program runs.
  const RowTable* table = nullptr;
  bool ragged() const { return !words.empty(); }
  int64_t first(int64_t group) const { return static_cast<int64_t>(words[static_cast<size_t>(2 * group)]); }
  int64_t rows(int64_t group) const { return static_cast<int64_t>(words[static_cast<size_t>(2 * group + 1)]); }
};

/// A product whose groups have numbers of rows of their own: those of A and C, or with trans_a of A and B.
struct GemmGroups {
  explicit GemmGroups(Reader&);
  /// With the rows of all groups as m, or as k.
  Gemm gemm;
  Ranges ranges;
  /// One group as a product of its own, among the matrices' rows.
  Gemm group(int64_t group) const;
};

/// Sizes that the elementwise kernels share.
struct Block {
  explicit Block(Reader&);
  Block(schemoe_dtype dtype, int64_t groups, int64_t rows, int64_t columns, Ranges ranges = {})
      : dtype(dtype), groups(groups), rows(rows), columns(columns), ranges(ranges) {}
  schemoe_dtype dtype;
  int64_t groups, rows, columns;
  Ranges ranges{};
  /// Rows of a group: from `first` on; where groups are ragged a matrix's stride is 0.
  int64_t first(int64_t group) const { return ranges.ragged() ? ranges.first(group) : 0; }
  int64_t rows_of(int64_t group) const { return ranges.ragged() ? ranges.rows(group) : rows; }
  /// Ragged: rows of all groups, of which `rows` is the most where they are counted.
  int64_t all_rows() const { return ranges.table ? ranges.table->received() : rows; }
};

struct BiasAct {
  explicit BiasAct(Reader&);
  Block block;
  Matrix x;
  View bias;
  int64_t bias_stride;
  Matrix y;
  schemoe_activation activation;
};

struct ActGrad {
  explicit ActGrad(Reader&);
  Block block;
  Matrix dy, x, dx;
  schemoe_activation activation;
};

struct Glu {
  explicit Glu(Reader&);
  Block block;
  Matrix a, b, y;
  schemoe_activation activation;
};

struct GluGrad {
  explicit GluGrad(Reader&);
  Block block;
  Matrix dy, a, b, da, db;
  schemoe_activation activation;
};

struct ColumnSum {
  explicit ColumnSum(Reader&);
  Block block;
  Matrix x;
  View out;
  int64_t out_stride;
  bool accumulate;
};

/// Dots of the rows of D with those of A, or with one vector a group; then D times the weights of its rows.
struct WeighRows {
  explicit WeighRows(Reader&);
  Block block;
  Matrix d, a;
  View vector;
  int64_t vector_stride;
  /// One float32 a row, groups `stride` apart.
  View weights, dots;
  int64_t stride;
  bool accumulate;
};

struct Softmax {
  explicit Softmax(Reader&);
  int64_t rows, columns;
  View x, y;
};

struct TopK {
  explicit TopK(Reader&);
  int64_t tokens, experts, k;
  bool normalize;
  View logits, scores, choices, weights;
};

struct Positions {
  explicit Positions(Reader&);
  int64_t tokens, experts, k;
  bool prioritized;
  View scores, choices, positions, loads;
};

struct AuxLoss {
  explicit AuxLoss(Reader&);
  int64_t tokens, experts, k;
  View scores, choices, loss;
};

struct Slots {
  explicit Slots(Reader&);
  int64_t tokens, k, experts, capacity;
  View choices, positions, slots;
};

/// Where the row of (expert e, place c) lies: chunk after chunk of the capacity.
struct Rows {
  int64_t experts = 0;
  std::span<const uint64_t> bounds;
  /// First row of each (chunk, expert), and the end; empty where all places have rows.
  std::span<const uint64_t> firsts{};
  /// Whose they are, where rows are counted as the Program runs.
  const RowTable* table = nullptr;
  int64_t capacity() const { return static_cast<int64_t>(bounds.back()); }
  int64_t chunks() const { return static_cast<int64_t>(bounds.size()) - 1; }
  bool ragged() const { return !firsts.empty(); }
  /// Rows there are.
  int64_t count() const;
  /// Ragged: places of an expert up to the last in the chunk of `place` that has a row.
  int64_t places(int64_t expert, int64_t place) const;
  int64_t row(int64_t expert, int64_t place) const;
};

struct Dispatch {
  explicit Dispatch(Reader&);
  schemoe_dtype dtype;
  int64_t tokens, columns, k, experts;
  View x, slots, weights, out;
  Rows rows;
};

struct Combine {
  explicit Combine(Reader&);
  schemoe_dtype dtype;
  int64_t tokens, columns, k, experts;
  View in, choices, positions, weights, y;
  bool accumulate;
  Rows rows;
};

struct RowDot {
  explicit RowDot(Reader&);
  schemoe_dtype dtype;
  int64_t tokens, columns, k, experts;
  View a, b, choices, positions, out;
  Rows rows;
};

struct PlaceTokens {
  explicit PlaceTokens(Reader&);
  schemoe_dtype dtype;
  int64_t tokens, columns, k, experts;
  View x, choices, positions, weights, out;
  Rows rows;
};

/// Rows between wire blocks [source][expert][places there are] and the rows of the experts of a rank.
struct ArrangeRows {
  explicit ArrangeRows(Reader&);
  schemoe_dtype dtype;
  bool by_source;
  int64_t columns, ranks, experts, first_source, sources, begin, end;
  View wire, rows;
  /// Rows of each (rank, expert).
  std::span<const uint64_t> loads;
  /// Whose they are, where they are counted as the Program runs.
  const RowTable* table = nullptr;

  int64_t load(int64_t rank, int64_t expert) const {
    return static_cast<int64_t>(loads[static_cast<size_t>(rank * experts + expert)]);
  }
  /// Rows of a source for an expert among the places of the call.
  int64_t here(int64_t source, int64_t expert) const;
  /// Row of the first place of an expert.
  int64_t base(int64_t expert) const;
};
struct GroupRows : ArrangeRows {
  using ArrangeRows::ArrangeRows;
};
struct UngroupRows : ArrangeRows {
  using ArrangeRows::ArrangeRows;
};

struct GateGrad {
  explicit GateGrad(Reader&);
  int64_t tokens, experts, k;
  bool normalize;
  View scores, choices, weights, d_weights, d_logits;
  double aux_weight;
};

struct CodecSpec;

struct Codec {
  explicit Codec(Reader&);
  schemoe_dtype dtype;
  const CodecSpec* spec;
  int64_t parameter;
  uint64_t seed;
  int64_t blocks, groups, rows, columns;
  View x;
  int64_t block_stride, group_stride, row_stride;
  View wire;
  int64_t block_bytes;
  /// Of row (b, g, r), on which random bits depend: the first, plus b * block_step + g * group_step + r.
  int64_t first_number, block_step, group_step;
  /// Rows of each group where they differ, `rows` being their sum; else empty.
  std::span<const uint64_t> group_rows;

  int64_t rows_of(int64_t group) const {
    return group_rows.empty() ? rows : static_cast<int64_t>(group_rows[static_cast<size_t>(group)]);
  }
  /// Rows of a block.
  int64_t lines() const { return group_rows.empty() ? groups * rows : rows; }
  /// First element of a group in X, `first` rows being in the groups before: where groups differ they follow each other.
  int64_t group_begin(int64_t group, int64_t first) const {
    return group_rows.empty() ? group * group_stride : first * row_stride;
  }

 private:
  void check_groups() const;
};
struct Encode : Codec {
  using Codec::Codec;
};
struct Decode : Codec {
  using Codec::Codec;
};

struct SourceFunction;

/// A function of a source that was compiled for this run: see `runtime/sources.h`.
struct CallSource {
  explicit CallSource(Reader&);
  static constexpr size_t kBuffers = 6, kNumbers = 8;
  const SourceFunction* function;
  int64_t threads;
  /// 0: unknown; else the buffer, counted from 1, that it writes every byte of, and nothing else.
  int64_t output;
  std::array<View, kBuffers> buffers;
  std::array<int64_t, kBuffers> bytes;
  std::span<const uint64_t> numbers;
};

struct SumRanks {
  explicit SumRanks(Reader&);
  int64_t ranks, count, stride;
  View in, out;
  schemoe_dtype dtype;
};

/// Sums of slices of three buffers, in units of several values.
struct AddSlices {
  explicit AddSlices(Reader&);
  /// Values of a slice that are added by one warp.
  static constexpr int64_t kLine = 2048;
  schemoe_dtype dtype;
  int64_t unit, slices;
  std::array<View, 3> in;
  View out;
  std::span<const uint64_t> table;

  /// Calls body(units, first unit of the sum, slices that are added) for each.
  template <class Body>
  void each(Body&& body) const {
    for (size_t at = 0; at < table.size(); at += 3 + static_cast<size_t>(table[at + 2])) {
      body(static_cast<int64_t>(table[at]), static_cast<int64_t>(table[at + 1]),
           table.subspan(at + 3, static_cast<size_t>(table[at + 2])));
    }
  }
  static int64_t begin(uint64_t term) { return static_cast<int64_t>(term / 4); }
  static size_t source(uint64_t term) { return static_cast<size_t>(term % 4); }
};

struct MaxRanks {
  explicit MaxRanks(Reader&);
  int64_t ranks;
  View in, out;
};

struct Fill {
  explicit Fill(Reader&);
  int64_t count;
  View out;
  double value;
};

struct RandomNormal {
  explicit RandomNormal(Reader&);
  schemoe_dtype dtype;
  int64_t count, first;
  uint64_t seed, stream;
  View out;
  double scale;
};

struct Embedding {
  explicit Embedding(Reader&);
  int64_t tokens, columns, vocabulary, length;
  View ids, table, positions, out;
  schemoe_dtype dtype;
};

struct EmbeddingGrad {
  explicit EmbeddingGrad(Reader&);
  int64_t tokens, columns, vocabulary, length;
  View ids, dy, table, positions;
  schemoe_dtype dtype;
};

struct Rotary {
  explicit Rotary(Reader&);
  int64_t tokens, length, heads, dim;
  View x;
  double base;
  bool back;
  schemoe_dtype dtype;
};

struct Norm {
  explicit Norm(Reader&);
  bool centered;
  int64_t rows, columns;
  View x, weight, bias, y, statistics;
  double epsilon;
  schemoe_dtype dtype;
};

struct NormGrad {
  explicit NormGrad(Reader&);
  bool centered;
  int64_t rows, columns;
  View dy, x, weight, statistics, dx;
  bool accumulate;
  schemoe_dtype dtype;
};

struct NormWeightGrad {
  explicit NormWeightGrad(Reader&);
  bool centered;
  int64_t rows, columns;
  View dy, x, statistics, weight, bias;
  schemoe_dtype dtype;
};

/// Sizes of causal attention: query head a reads the key-value head a / (heads / key_heads).
struct AttentionSizes {
  explicit AttentionSizes(Reader&);
  int64_t batch, length, heads, key_heads, dim;
  int64_t queries() const { return heads * dim; }
  int64_t keys() const { return key_heads * dim; }
};

struct Attention {
  explicit Attention(Reader&);
  AttentionSizes sizes;
  View q, k, v, out, logsum;
  double scale;
  schemoe_dtype dtype;
};

struct AttentionGrad {
  explicit AttentionGrad(Reader&);
  AttentionSizes sizes;
  View q, k, v, out, logsum, dout, dq, dk, dv;
  double scale;
  schemoe_dtype dtype;
};

struct AddTensors {
  explicit AddTensors(Reader&);
  int64_t count;
  View a, b, out;
  schemoe_dtype dtype;
};

struct CrossEntropy {
  explicit CrossEntropy(Reader&);
  int64_t rows, columns;
  View logits, targets, loss;
  double scale;
  schemoe_dtype dtype;
};

struct SumValues {
  explicit SumValues(Reader&);
  bool squares;
  int64_t count;
  View x, out;
};

struct ClipScale {
  explicit ClipScale(Reader&);
  int64_t count;
  View sums, out;
  double limit;
};

struct Adamw {
  explicit Adamw(Reader&);
  int64_t count;
  View parameter, gradient, first, second, clip, rates;
  double beta1, beta2, epsilon, decay;
};

struct Sgd {
  explicit Sgd(Reader&);
  int64_t count;
  View parameter, gradient, velocity, clip, rates;
  double momentum;
};

/// Float32 numbers as bfloat16.
struct Round {
  explicit Round(Reader&);
  int64_t count;
  View x, out;
};

struct KernelSpec;

/// Elements that must be finite.
struct CheckNumbers {
  explicit CheckNumbers(Reader&);
  CheckNumbers(const Block& block, const Matrix& x, const KernelSpec* writer) : block(block), x(x), writer(writer) {}
  Block block;
  Matrix x;
  /// The kernel that wrote them, where the check was added to it.
  const KernelSpec* writer = nullptr;
  /// Elements there are; `check_numbers.h` tells their places.
  int64_t count() const;
};

struct MaxLoad {
  explicit MaxLoad(Reader&);
  int64_t experts;
  View loads, out;
};

/// Rows of a table from the loads of its experts, for the kernels that refer to it.
struct CountRows {
  explicit CountRows(Reader&);
  static constexpr int64_t kMostExperts = 1 << 16;
  int64_t number, experts, rows;
  View loads;
  RowTable* table;
  /// Numbers there.
  int64_t count() const { return table->shape().ranks * table->shape().experts; }
};

struct Host {
  explicit Host(Reader&);
  uint32_t id;
};

struct CopyBytes {
  explicit CopyBytes(Reader&);
  CopyBytes(int64_t bytes, const View& from, const View& to) : bytes(bytes), from(from), to(to) {}
  int64_t bytes;
  View from, to;
};

/// Rows of a table that a transfer moves, in place of a number of bytes.
struct MovedRows {
  /// The integers that are left: none, or the number of a table and whether it is what the rank's experts get.
  explicit MovedRows(Reader&);
  const RowTable* table = nullptr;
  bool received = false;
  /// Notes all rows of a side, of so many bytes each.
  void touch(Reader& r, const View& view, bool received, int64_t bytes) const;
  /// Bytes from a view on that the rows of a peer are, of so many bytes each; without a table as they are given.
  struct Piece {
    View view;
    uint64_t bytes;
  };
  Piece piece(const View& view, uint64_t bytes, uint32_t peer) const;
};

/// A copy in a rank, as part of a phase.
struct Copy : CopyBytes {
  explicit Copy(Reader&);
  /// Those of `from`.
  MovedRows rows;
  /// What it copies now.
  CopyBytes now() const;
};

struct Send {
  explicit Send(Reader&);
  uint32_t peer;
  int64_t bytes;
  View from;
  MovedRows rows;
};

struct Receive {
  explicit Receive(Reader&);
  uint32_t peer;
  int64_t bytes;
  View to;
  MovedRows rows;
};

using Arguments =
    std::variant<Gemm, BiasAct, ActGrad, Glu, GluGrad, ColumnSum, WeighRows, Softmax, TopK, Positions, AuxLoss,
                 Slots, Dispatch, Combine, RowDot, GateGrad, Encode, Decode, SumRanks, AddSlices, MaxRanks,
                 Fill, MaxLoad, CountRows, Host, CopyBytes, GemmGroups, PlaceTokens, GroupRows, UngroupRows,
                 RandomNormal, Embedding, EmbeddingGrad, Rotary, Norm, NormGrad, NormWeightGrad, Attention,
                 AttentionGrad, AddTensors, CrossEntropy, SumValues, ClipScale, Adamw, Sgd, Round, Copy, Send, Receive, Route, RouteGrad,
                 PlaceChoices, ChooseTokens, RoundChoices, BudgetBias, CountChoices, BalanceLoss, ZLoss, ImportanceLoss, LoadLoss, AddNoise, DropPadding,
                 NoiseGrad, LookUp, PlaceCopies, AddIdentity, IdentityDots, ShiftBias, QuantileBias, UnitRows, UnitRowsGrad, Temper,
                 GatedRows, CheckNumbers, CallSource>;

}  // namespace schemoe
