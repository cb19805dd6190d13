// Sums, maxima and plain memory.
#include <algorithm>
#include <cstring>
#include <variant>

#include "cpu/kernels/half.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/vector.h"
#include "runtime/failure.h"

namespace schemoe {

namespace {

SCHEMOE_VECTOR void add_to(double* sums, const float* from, int64_t count) {
  for (int64_t j = 0; j < count; ++j) sums[j] += from[j];
}

SCHEMOE_VECTOR void add_floats(float* to, const float* from, int64_t count) {
  for (int64_t j = 0; j < count; ++j) to[j] += from[j];
}

}  // namespace

void run(const ColumnSum& s, const Context& context) {
  const int64_t columns = s.block.columns;
  if (columns == 0) return;
  const float* x = context.at<const float>(s.x.view);
  float* out = context.at<float>(s.out);
  auto& sums = context.scratch.doubles;
  for (int64_t group = 0; group < s.block.groups && !context.stop; ++group) {
    // Added up in double, so that the number of chunks hardly shows in the result.
    sums.assign(static_cast<size_t>(columns), 0.0);
    float* to = out + group * s.out_stride;
    if (s.accumulate) std::copy_n(to, columns, sums.data());
    const int64_t first = s.block.first(group), end = first + s.block.rows_of(group);
    for (int64_t row = first; row < end && !context.stop; ++row) {
      add_to(sums.data(), x + group * s.x.stride + row * s.x.ld, columns);
    }
    for (int64_t j = 0; j < columns; ++j) to[j] = static_cast<float>(sums[j]);
  }
}

void run(const SumRanks& s, const Context& context) {
  if (s.count == 0) return;
  const float* in = context.at<const float>(s.in);
  float* out = context.at<float>(s.out);
  // Piece by piece, so that the sum stays in cache; `out` may be the first rank's part of `in`.
  constexpr int64_t kPiece = 4096;
  auto& sum = context.scratch.floats;
  sum.resize(static_cast<size_t>(std::min(kPiece, s.count)));
  for (int64_t begin = 0; begin < s.count; begin += kPiece) {
    const int64_t count = std::min(kPiece, s.count - begin);
    std::fill_n(sum.data(), count, 0.0f);
    for (int64_t rank = 0; rank < s.ranks && !context.stop; ++rank) {
      add_floats(sum.data(), in + rank * s.stride + begin, count);
    }
    std::copy_n(sum.data(), count, out + begin);
  }
}

void run(const AddSlices& a, const Context& context) {
  // Piece by piece; of bfloat16 each sum is rounded before the next addition.
  constexpr int64_t kPiece = 4096;
  const bool narrow = a.dtype == SCHEMOE_BF16;
  auto& memory = context.scratch.floats;
  memory.resize(2 * kPiece);
  float *sum = memory.data(), *next = sum + kPiece;
  const int64_t size = element_bytes(a.dtype);
  const auto load = [&](float* to, uint64_t term, int64_t at, int64_t count) {
    const auto* from = context.at<const std::byte>(a.in[AddSlices::source(term)]) + (AddSlices::begin(term) * a.unit + at) * size;
    if (narrow) floats_from_bfloat16s(to, from, count);
    else std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
  };
  a.each([&](int64_t units, int64_t to, std::span<const uint64_t> terms) {
    const int64_t all = units * a.unit;
    for (int64_t at = 0; at < all && !context.stop; at += kPiece) {
      const int64_t count = std::min(kPiece, all - at);
      load(sum, terms[0], at, count);
      auto* out = context.at<std::byte>(a.out) + (to * a.unit + at) * size;
      for (const uint64_t term : terms.subspan(1)) {
        load(next, term, at, count);
        add_floats(sum, next, count);
        if (!narrow) continue;
        auto* rounded = reinterpret_cast<std::byte*>(next);
        bfloat16s_from_floats(rounded, sum, count);
        floats_from_bfloat16s(sum, rounded, count);
      }
      if (narrow) bfloat16s_from_floats(out, sum, count);
      else std::memcpy(out, sum, static_cast<size_t>(count) * sizeof(float));
    }
  });
}

void run(const MaxRanks& m, const Context& context) {
  const int32_t* in = context.at<const int32_t>(m.in);
  *context.at<int32_t>(m.out) = *std::max_element(in, in + m.ranks);
}

void run(const MaxLoad& m, const Context& context) {
  const int32_t* loads = context.at<const int32_t>(m.loads);
  *context.at<int32_t>(m.out) = *std::max_element(loads, loads + m.experts);
}

void run(const Fill& f, const Context& context) {
  std::fill_n(context.at<float>(f.out), f.count, static_cast<float>(f.value));
}

void run(const CopyBytes& c, const Context& context) {
  std::memmove(context.at<std::byte>(c.to), context.at<const std::byte>(c.from), static_cast<size_t>(c.bytes));
}

}  // namespace schemoe
