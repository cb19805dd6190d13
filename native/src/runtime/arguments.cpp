// The reader, and the arguments of kernels that move or reduce bytes.
#include "runtime/arguments.h"

#include <algorithm>
#include <bit>

#include "runtime/failure.h"

namespace schemoe {

namespace {

/// Parts that a sum over ranks may have.
constexpr int64_t kMostRanks = 1 << 16;

}  // namespace

int64_t times(int64_t a, int64_t b) {
  int64_t result;
  if (__builtin_mul_overflow(a, b, &result)) fail(SCHEMOE_INVALID, "sizes ", a, " and ", b, " overflow");
  return result;
}

int64_t plus(int64_t a, int64_t b) {
  int64_t result;
  if (__builtin_add_overflow(a, b, &result)) fail(SCHEMOE_INVALID, "sizes ", a, " and ", b, " overflow");
  return result;
}

uint64_t Reader::word(char letter) {
  if (at_ >= words_.size()) fail(SCHEMOE_INVALID, "an argument is missing");
  // The letters are this library's own: a mismatch is a mistake in the kernel table.
  if (*letters_ != letter) fail(SCHEMOE_INVALID, "the kernel table does not fit the kernel");
  ++letters_;
  return words_[at_++];
}

int64_t Reader::integer() {
  const auto value = static_cast<int64_t>(word('i'));
  if (value < 0) fail(SCHEMOE_INVALID, "argument ", at_, " is negative: ", value);
  return value;
}

int64_t Reader::integer(const char* what, int64_t most) {
  const int64_t value = integer();
  if (value > most) fail(SCHEMOE_INVALID, what, " is ", value, ", at most ", most, " is possible");
  return value;
}

schemoe_dtype Reader::dtype() { return static_cast<schemoe_dtype>(integer("dtype", SCHEMOE_BF16)); }

schemoe_dtype Reader::optional_dtype() {
  const auto words = rest();
  if (words.empty()) return SCHEMOE_F32;
  if (words.size() > 1) fail(SCHEMOE_INVALID, words.size(), " integers at the end are not one dtype");
  if (words[0] > SCHEMOE_BF16) fail(SCHEMOE_INVALID, "dtype is ", words[0], ", at most ", int{SCHEMOE_BF16}, " is possible");
  return static_cast<schemoe_dtype>(words[0]);
}

Dtypes Reader::dtypes() {
  const int64_t code = integer("dtypeAB", 3);
  return {code == 1 || code == 2 ? SCHEMOE_BF16 : SCHEMOE_F32, code == 1 || code == 3 ? SCHEMOE_BF16 : SCHEMOE_F32};
}

schemoe_activation Reader::activation() {
  return static_cast<schemoe_activation>(integer("activation", SCHEMOE_RELU_SQUARED));
}

schemoe_activation Reader::gluing() {
  return static_cast<schemoe_activation>(integer("activation", SCHEMOE_LIMITED_SWIGLU));
}

double Reader::real() { return std::bit_cast<double>(word('f')); }

View Reader::view() {
  const View view = optional_view();
  if (view.null()) fail(SCHEMOE_INVALID, "the view at argument ", at_ - 1, " is null");
  return view;
}

View Reader::optional_view() {
  const uint64_t buffer = word('v');
  if (at_ >= words_.size()) fail(SCHEMOE_INVALID, "an argument is missing");
  const uint64_t offset = words_[at_++];
  if (buffer == SCHEMOE_NULL_BUFFER) return {};
  if (buffer >= UINT32_MAX) fail(SCHEMOE_INVALID, buffer, " is no number of a buffer");
  if (offset > INT64_MAX) fail(SCHEMOE_INVALID, "offset ", offset, " is too large");
  const auto id = static_cast<uint32_t>(buffer);
  if (id < SCHEMOE_FIRST_REGION) return {id, offset};
  const uint32_t index = id - SCHEMOE_FIRST_REGION;
  if (index >= regions_.size()) fail(SCHEMOE_INVALID, "there is no region ", index);
  const schemoe_region& region = regions_[index];
  // Checked where the region was read: its end is at most INT64_MAX.
  if (offset > region.bytes) fail_at({SCHEMOE_NONE, SCHEMOE_NONE, id}, SCHEMOE_INVALID, "offset ", offset, " is beyond the ", region.bytes, " bytes of the buffer");
  return {region.buffer, region.begin + offset, index};
}

Matrix Reader::matrix() {
  Matrix matrix;
  matrix.view = view();
  matrix.ld = integer();
  matrix.stride = integer();
  return matrix;
}

Matrix Reader::optional_matrix() {
  Matrix matrix;
  matrix.view = optional_view();
  matrix.ld = integer();
  matrix.stride = integer();
  return matrix;
}

std::span<const uint64_t> Reader::rest() {
  if (*letters_ != '*') fail(SCHEMOE_INVALID, "the kernel table does not fit the kernel");
  const auto rest = words_.subspan(at_);
  at_ = words_.size();
  return rest;
}

RowTables& Reader::tables() {
  if (!tables_) fail(SCHEMOE_INVALID, "no Program is there to count rows in");
  return *tables_;
}

void Reader::touch(const View& view, int64_t count, int64_t bytes_each) {
  if (view.offset % static_cast<uint64_t>(bytes_each) != 0) {
    fail(SCHEMOE_INVALID, "offset ", view.offset, " is not a multiple of ", bytes_each);
  }
  const int64_t end = plus(static_cast<int64_t>(view.offset), times(count, bytes_each));
  if (view.region != UINT32_MAX) {
    const schemoe_region& region = regions_[view.region];
    const uint64_t needed = static_cast<uint64_t>(end) - region.begin;
    if (needed > region.bytes) {
      fail_at({SCHEMOE_NONE, SCHEMOE_NONE, SCHEMOE_FIRST_REGION + view.region}, SCHEMOE_INVALID, needed,
              " bytes are needed, the buffer has ", region.bytes);
    }
  }
  extents_.push_back({view.buffer, static_cast<uint64_t>(end)});
}

void Reader::touch(const Matrix& matrix, int64_t groups, int64_t rows, int64_t columns, int64_t bytes_each) {
  if (rows > 1 && matrix.ld < columns) {
    fail(SCHEMOE_INVALID, "ld ", matrix.ld, " is smaller than its ", columns, " columns");
  }
  int64_t count = 0;
  if (groups > 0 && rows > 0 && columns > 0) {
    count = plus(times(groups - 1, matrix.stride), plus(times(rows - 1, matrix.ld), columns));
  }
  touch(matrix.view, count, bytes_each);
}

SumRanks::SumRanks(Reader& r)
    // With a stride of 0 no buffer would limit it.
    : ranks(r.integer("ranks", kMostRanks)), count(r.integer()), stride(r.integer()), in(r.view()), out(r.view()),
      dtype(r.optional_dtype()) {
  if (count == 0) ranks = 0;
  r.touch(in, ranks > 0 ? plus(times(ranks - 1, stride), count) : 0, element_bytes(dtype));
  r.touch(out, count, element_bytes(dtype));
}

AddSlices::AddSlices(Reader& r)
    : dtype(r.dtype()), unit(r.integer("unit", INT32_MAX)), slices(r.integer("slices", INT32_MAX)),
      in{r.view(), r.view(), r.view()}, out(r.view()), table(r.rest()) {
  std::array<int64_t, 3> ends{};
  int64_t end = 0, lines = 0, found = 0;
  for (size_t at = 0; at < table.size(); ++found) {
    const auto head = table.subspan(at);
    if (head.size() < 3 || head[2] == 0 || head[2] > head.size() - 3) fail(SCHEMOE_INVALID, "sum ", found, " has not all its slices");
    const auto terms = head.subspan(3, static_cast<size_t>(head[2]));
    for (const uint64_t number : head.first(3 + terms.size())) {
      if (number > INT32_MAX) fail(SCHEMOE_INVALID, "number ", number, " of sum ", found, " is too large");
    }
    const auto count = static_cast<int64_t>(head[0]);
    end = std::max(end, static_cast<int64_t>(head[1]) + count);
    for (const uint64_t term : terms) {
      if (source(term) >= in.size()) fail(SCHEMOE_INVALID, "sum ", found, " adds from buffer ", source(term), " of 3");
      ends[source(term)] = std::max(ends[source(term)], begin(term) + count);
    }
    lines = plus(lines, times(count, unit) / kLine + 1);
    at += 3 + terms.size();
  }
  if (found != slices) fail(SCHEMOE_INVALID, "the table is of ", found, " sums and not of ", slices);
  if (lines > INT32_MAX || table.size() > INT32_MAX) fail(SCHEMOE_INVALID, "the sums are too long together");
  for (size_t i = 0; i < in.size(); ++i) r.touch(in[i], times(ends[i], unit), element_bytes(dtype));
  r.touch(out, times(end, unit), element_bytes(dtype));
}

MaxRanks::MaxRanks(Reader& r) : ranks(r.integer()), in(r.view()), out(r.view()) {
  if (ranks == 0) fail(SCHEMOE_INVALID, "a maximum over no ranks");
  r.touch(in, ranks, 4);
  r.touch(out, 1, 4);
}

Fill::Fill(Reader& r) : count(r.integer()), out(r.view()), value(r.real()) { r.touch(out, count, 4); }

RandomNormal::RandomNormal(Reader& r)
    : dtype(r.dtype()),
      count(r.integer()),
      first(r.integer()),
      seed(static_cast<uint64_t>(r.integer())),
      stream(static_cast<uint64_t>(r.integer())),
      out(r.view()),
      scale(r.real()) {
  // Rounding up to whole batches of numbers must not overflow either.
  plus(plus(first, count), 1 << 10);
  r.touch(out, count, element_bytes(dtype));
}

MaxLoad::MaxLoad(Reader& r) : experts(r.integer()), loads(r.view()), out(r.view()) {
  if (experts == 0) fail(SCHEMOE_INVALID, "a maximum over no experts");
  r.touch(loads, experts, 4);
  r.touch(out, 1, 4);
}

Host::Host(Reader& r) : id(static_cast<uint32_t>(r.integer("host id", UINT32_MAX))) {}

CopyBytes::CopyBytes(Reader& r) : bytes(r.integer()), from(r.view()), to(r.view()) {
  r.touch(from, bytes, 1);
  r.touch(to, bytes, 1);
}

MovedRows::MovedRows(Reader& r) {
  const auto words = r.rest();
  if (words.empty()) return;
  if (words.size() != 2 || words[1] > 1) fail(SCHEMOE_INVALID, "the integers at its end are not a table and a side of it");
  table = &r.tables().find(words[0]);
  received = words[1] == 1;
}

void MovedRows::touch(Reader& r, const View& view, bool received, int64_t bytes) const {
  r.touch(view, table ? times(received ? table->shape().room : table->shape().rows, bytes) : bytes, 1);
}

MovedRows::Piece MovedRows::piece(const View& view, uint64_t bytes, uint32_t peer) const {
  if (!table) return {view, bytes};
  const auto [first, rows] = received ? table->received_from(peer) : table->sent(peer);
  View there = view;
  there.offset += first * bytes;
  return {there, rows * bytes};
}

namespace {

/// Peers that a table has rows of.
void check_peer(const MovedRows& rows, uint32_t peer) {
  if (rows.table && peer >= rows.table->shape().ranks) fail(SCHEMOE_INVALID, "the table has no rows of rank ", peer);
}

/// In the order of the words, which that of a call's arguments need not be.
CopyBytes read_copy(Reader& r) {
  const int64_t bytes = r.integer();
  const View from = r.view();
  return {bytes, from, r.view()};
}

}  // namespace

Copy::Copy(Reader& r) : CopyBytes(read_copy(r)), rows(r) {
  rows.touch(r, from, rows.received, bytes);
  rows.touch(r, to, !rows.received, bytes);
}

CopyBytes Copy::now() const {
  if (!rows.table) return *this;
  const auto rank = static_cast<uint32_t>(rows.table->shape().rank);
  const auto each = static_cast<uint64_t>(bytes);
  MovedRows other = rows;
  other.received = !rows.received;
  const auto [source, size] = rows.piece(from, each, rank);
  return {static_cast<int64_t>(size), source, other.piece(to, each, rank).view};
}

Send::Send(Reader& r)
    : peer(static_cast<uint32_t>(r.integer("peer", UINT32_MAX))), bytes(r.integer()), from(r.view()), rows(r) {
  check_peer(rows, peer);
  rows.touch(r, from, rows.received, bytes);
}

Receive::Receive(Reader& r)
    : peer(static_cast<uint32_t>(r.integer("peer", UINT32_MAX))), bytes(r.integer()), to(r.view()), rows(r) {
  check_peer(rows, peer);
  rows.touch(r, to, rows.received, bytes);
}

}  // namespace schemoe
