// The n-th largest of each column by its digits, the most significant first: each of the eight blocks of a cluster counts
// them in its rows, one block adds up what all have of a column and tells them which digit the n-th has.
#pragma once

#include "cuda/hopper/ptx.cuh"
#include "cuda/kernels/gates/columns.cuh"

namespace schemoe::cuda::hopper::columns {

inline constexpr int kBlocks = 8;  // of a cluster
inline constexpr int kMostThreads = 1024;
inline constexpr int64_t kMostShared = 227 << 10;
inline constexpr int kAhead = 8;   // rows whose loads a thread has under way
inline constexpr int kDigits = gates::kDigits;
inline constexpr int kPitch = kDigits + 4;  // between columns, whose equal digits would want the same bank

using gates::Found;

/// A matrix, and how many of its rows a block has.
struct Sizes {
  int64_t rows;
  int columns;
  int each;
};

/// What is known of a column: the digit that was found, or in `equal` a sum.
struct Told {
  uint32_t digit, left, equal;
};

/// The shared memory of a block that has `each` rows of C columns.
struct Layout {
  int64_t counts, totals, lefts, told, marks, bytes;
};
__host__ __device__ constexpr Layout layout_of(int64_t each, int c) {
  Layout at{};
  at.counts = each * c * 4;  // behind the keys
  at.totals = at.counts + c * kPitch * 4;
  at.lefts = at.totals + kDigits * 4;
  at.told = at.lefts + c * 4;
  at.marks = at.told + c * static_cast<int64_t>(sizeof(Told));
  at.bytes = at.marks + (each * c + 31) / 32 * 4;
  return at;
}

/// C columns of a block's rows; a thread has one of the columns, and every few rows.
template <int C>
struct Columns {
  Sizes sizes;
  uint32_t *keys, *counts, *totals, *lefts, *marks;
  Told* told;
  int base, own, column;
  int64_t first;
  int rows;  // of this block
  bool inside;

  __device__ explicit Columns(const Sizes& s) : sizes(s) {
    static_assert(C <= kBlocks && 32 % C == 0);
    auto* memory = reinterpret_cast<std::byte*>(gates::shared_memory());
    const Layout at = layout_of(s.each, C);
    keys = reinterpret_cast<uint32_t*>(memory);
    counts = reinterpret_cast<uint32_t*>(memory + at.counts);
    totals = reinterpret_cast<uint32_t*>(memory + at.totals);
    lefts = reinterpret_cast<uint32_t*>(memory + at.lefts);
    told = reinterpret_cast<Told*>(memory + at.told);
    marks = reinterpret_cast<uint32_t*>(memory + at.marks);
    base = static_cast<int>(blockIdx.x / kBlocks) * C;
    own = static_cast<int>(threadIdx.x) % C;
    column = base + own;
    inside = column < s.columns;
    first = int64_t{block_in_cluster()} * s.each;
    rows = static_cast<int>(max(min(s.rows - first, int64_t{s.each}), int64_t{0}));
  }

  __device__ int64_t token(int row) const { return first + row; }
  __device__ uint32_t key(int row) const { return keys[row * C + own]; }
  /// Of an element in the matrix.
  __device__ int64_t at(int row) const { return token(row) * sizes.columns + column; }
  __device__ bool marked(int row) const {
    const auto i = static_cast<uint32_t>(row * C + own);
    return (marks[i / 32] >> i % 32 & 1u) != 0;
  }

  template <class Body>
  __device__ void each(Body&& body) const {
    if (!inside) return;
#pragma unroll 4
    for (int row = static_cast<int>(threadIdx.x) / C; row < rows; row += static_cast<int>(blockDim.x) / C) body(row);
  }

  /// Puts the keys of `by` into shared memory, and calls `body` with each.
  template <class By, class Body>
  __device__ void load(const By& by, Body&& body) const {
    if (!inside) return;
    const int step = static_cast<int>(blockDim.x) / C;
    for (int base_row = static_cast<int>(threadIdx.x) / C; base_row < rows; base_row += kAhead * step) {
      float values[kAhead];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        const int row = base_row + u * step;
        values[u] = row < rows ? by.value(token(row), column) : 0.0f;
      }
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        const int row = base_row + u * step;
        if (row >= rows) break;
        const uint32_t key = gates::key_of(values[u]);
        keys[row * C + own] = key;
        body(row, key);
      }
    }
  }

  __device__ void clear_counts() const {
    for (auto i = static_cast<int>(threadIdx.x); i < C * kPitch; i += static_cast<int>(blockDim.x)) counts[i] = 0;
    __syncthreads();
  }

  /// Adds up the counts of all blocks, and tells them which digit the left-th largest of this thread's column has.
  __device__ Told find_digits(uint32_t left) const {
    if (threadIdx.x < C) lefts[threadIdx.x] = left;
    meet_cluster();
    const uint32_t mine = block_in_cluster();
    if (mine < C) {
      for (auto digit = static_cast<int>(threadIdx.x); digit < kDigits; digit += static_cast<int>(blockDim.x)) {
        uint32_t sum = 0;
#pragma unroll
        for (uint32_t block = 0; block < kBlocks; ++block) sum += in_block(counts, block)[mine * kPitch + digit];
        totals[digit] = sum;
      }
      __syncthreads();
      if (threadIdx.x < 32) {
        const gates::Digit found = gates::find_digit(totals, lefts[mine], static_cast<int>(threadIdx.x));
        if (threadIdx.x < kBlocks) in_block(told, threadIdx.x)[mine] = {found.digit, found.left, totals[found.digit]};
      }
    }
    meet_cluster();
    return told[own];
  }

  /// The left-th largest of the values of this thread's column that `value` gives of some rows. `first_pass` goes through
  /// them for the first time, and calls its argument with each value.
  template <class First, class Value>
  __device__ Found find(uint32_t left, First&& first_pass, Value&& value) const {
    uint32_t* own_counts = counts + own * kPitch;
    clear_counts();
    first_pass([&](uint32_t here) { atomicAdd(&own_counts[here >> 24], 1u); });
    Told now = find_digits(left);
    uint32_t prefix = now.digit << 24;
    for (int shift = 16; shift >= 0; shift -= 8) {
      clear_counts();
      each([&](int row) {
        uint32_t here = 0;
        if (!value(row, here) || (here ^ prefix) >> (shift + 8) != 0) return;
        atomicAdd(&own_counts[here >> shift & 0xffu], 1u);
      });
      now = find_digits(now.left);
      prefix |= now.digit << shift;
    }
    return {prefix, now.left, now.equal};
  }
  template <class Value>
  __device__ Found find(uint32_t left, Value&& value) const {
    return find(left, [&](auto&& body) {
      each([&](int row) {
        if (uint32_t here = 0; value(row, here)) body(here);
      });
    }, value);
  }

  /// Whether in any column more equal what was found than are to be taken.
  __device__ bool any_tied() const {
    bool any = false;
#pragma unroll
    for (int c = 0; c < C; ++c) any = any || told[c].equal > told[c].left;
    return any;
  }

  /// Over this thread's column in all blocks.
  __device__ uint32_t sum(uint32_t mine) const {
    clear_counts();
    if (mine > 0) atomicAdd(&counts[own * kPitch], mine);
    meet_cluster();
    if (threadIdx.x < C) {
      uint32_t all = 0;
#pragma unroll
      for (uint32_t block = 0; block < kBlocks; ++block) all += in_block(counts, block)[threadIdx.x * kPitch];
      lefts[threadIdx.x] = all;
    }
    meet_cluster();
    return lefts[own];
  }
};

}  // namespace schemoe::cuda::hopper::columns
