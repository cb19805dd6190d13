#include "cuda/hopper/columns.h"

#include "cuda/hopper/column_search.cuh"
#include "cuda/hopper/device.h"

namespace schemoe::cuda {

namespace hopper {

using namespace columns;

namespace {

/// By the largest scores, of equal ones the largest logits, then the first tokens.
struct Scores {
  const float *scores, *logits;
  int64_t experts;
  __device__ float value(int64_t token, int64_t expert) const { return scores[token * experts + expert]; }
  __device__ uint32_t next(int64_t at) const { return gates::key_of(logits[at]); }
};

/// The last that is taken of a column.
struct Last {
  Found score{0, 0, 0}, logit{0, 0, 0}, token{0, 0, 0};
  bool tied = false, tied_again = false;
};

/// Reads the scores, and finds the last of the left first ones of the tokens that are concerned.
template <int C, class Concerned>
__device__ Last find_last(const Columns<C>& s, const Scores& by, uint32_t left, Concerned&& concerned) {
  Last last;
  const auto first_pass = [&](auto&& count) {
    s.load(by, [&](int row, uint32_t key) {
      if (concerned(row)) count(key);
    });
  };
  last.score = s.find(left, first_pass, [&](int row, uint32_t& value) {
    value = s.key(row);
    return concerned(row);
  });
  last.tied = last.score.equal > last.score.left;
  if (!s.any_tied()) return last;
  const auto equal = [&](int row) { return last.tied && s.key(row) == last.score.value && concerned(row); };
  last.logit = s.find(last.score.left, [&](int row, uint32_t& value) {
    if (!equal(row)) return false;
    value = by.next(s.at(row));
    return true;
  });
  last.tied_again = last.logit.equal > last.logit.left;
  if (!s.any_tied()) return last;
  last.token = s.find(last.logit.left, [&](int row, uint32_t& value) {
    value = ~static_cast<uint32_t>(s.token(row));
    return last.tied_again && equal(row) && by.next(s.at(row)) == last.logit.value;
  });
  return last;
}

template <int C>
__device__ bool is_taken(const Columns<C>& s, const Scores& by, const Last& last, int row) {
  const uint32_t key = s.key(row);
  if (!last.tied || key != last.score.value) return key >= last.score.value;
  const uint32_t next = by.next(s.at(row));
  if (!last.tied_again || next != last.logit.value) return next >= last.logit.value;
  return ~static_cast<uint32_t>(s.token(row)) >= last.token.value;
}

template <int C>
__global__ void __cluster_dims__(kBlocks, 1, 1) __launch_bounds__(kMostThreads, 1)
    choose_columns_kernel(Sizes sizes, Scores by, uint32_t count, int32_t* choices) {
  const Columns<C> s(sizes);
  const Last last = find_last(s, by, count, [](int) { return true; });
  s.each([&](int row) { choices[s.at(row)] = is_taken(s, by, last, row) ? s.column : -1; });
}

/// Notes which tokens of the block chose which of its columns.
template <int C>
__device__ void mark(const Columns<C>& s, uint32_t k, const int32_t* best, const Report& report) {
  const int words = (s.rows * C + 31) / 32;
  for (auto i = static_cast<int>(threadIdx.x); i < words; i += static_cast<int>(blockDim.x)) s.marks[i] = 0;
  __syncthreads();
  if (k == 0) return;
  const int32_t* list = best + s.first * k;
  const uint32_t more = blockDim.x / k, rest = blockDim.x % k;
  uint32_t row = threadIdx.x / k, choice = threadIdx.x % k;
#pragma unroll 4
  for (int64_t i = threadIdx.x; i < int64_t{s.rows} * k; i += blockDim.x) {
    const int32_t expert = list[i];
    if (expert != -1 && report.checked(Data::choices, expert, s.sizes.columns)) {
      const auto own = static_cast<uint32_t>(expert - s.base);
      if (own < C) atomicOr(&s.marks[(row * C + own) / 32], 1u << (row * C + own) % 32);
    }
    row += more, choice += rest;
    if (choice >= k) choice -= k, ++row;
  }
}

/// Where too many chose an expert the first of them stay, otherwise the first of the others come.
template <int C>
__global__ void __cluster_dims__(kBlocks, 1, 1) __launch_bounds__(kMostThreads, 1)
    round_columns_kernel(Sizes sizes, Scores by, uint32_t k, int64_t tile, const int32_t* best, int32_t* choices,
                         Report report) {
  const Columns<C> s(sizes);
  mark(s, k, best, report);
  __syncthreads();
  uint32_t mine = 0;
  s.each([&](int row) { mine += s.marked(row); });
  const uint32_t count = s.sum(mine);
  const auto rounded = static_cast<uint32_t>(in_tiles(count, tile, sizes.rows));
  const bool fewer = rounded < count;
  const uint32_t left = fewer ? rounded : rounded - count;
  const Last last = find_last(s, by, left, [&](int row) { return left > 0 && s.marked(row) == fewer; });
  s.each([&](int row) {
    const bool chosen = s.marked(row), stays = chosen != fewer ? chosen : left > 0 && is_taken(s, by, last, row);
    choices[s.at(row)] = stays ? s.column : -1;
  });
}

/// By how much a logit is above the token's margin.
struct Excess {
  const float *logits, *margins;
  int64_t experts;
  __device__ float value(int64_t token, int64_t expert) const { return logits[token * experts + expert] - margins[token]; }
};

template <int C>
__global__ void __cluster_dims__(kBlocks, 1, 1) __launch_bounds__(kMostThreads, 1)
    quantile_columns_kernel(Sizes sizes, Excess by, uint32_t place, float* out) {
  const Columns<C> s(sizes);
  const auto first_pass = [&](auto&& count) { s.load(by, [&](int, uint32_t key) { count(key); }); };
  const Found found = s.find(place, first_pass, [&](int row, uint32_t& value) {
    value = s.key(row);
    return true;
  });
  if (block_in_cluster() == 0 && threadIdx.x < C && s.inside) out[s.column] = -gates::number_of(found.value);
}

/// Calls `body` with the columns of a cluster and what its launch needs.
template <class Body>
void with_columns(int64_t rows, int64_t columns, Body&& body) {
  const int64_t each = ceil_div(rows, kBlocks);
  const auto call = [&](auto c) {
    const int64_t bytes = layout_of(each, c()).bytes;
    if (bytes > kMostShared) return false;
    const auto threads = static_cast<unsigned>(std::min<int64_t>(ceil_div(each * c(), 32 * kAhead) * 32, kMostThreads));
    body(c, Sizes{rows, static_cast<int>(columns), static_cast<int>(each)}, grid_of(ceil_div(columns, c()) * kBlocks),
         threads, static_cast<size_t>(bytes));
    return true;
  };
  // Fewer columns a cluster where there are few, so that more multiprocessors have some.
  constexpr int64_t kFew = 64;
  (columns > kFew && call(gates::Int<8>{})) || call(gates::Int<4>{}) || call(gates::Int<2>{}) || call(gates::Int<1>{});
}

// Columns up to which this was sooner than a search by a sample, on an H200 with 32,768 rows: each cluster takes a while,
// and there is room for few of them at once.
constexpr int64_t kMostChoosing = 64, kMostQuantiles = 128, kMostRounding = 256;

bool fits(int64_t rows, int64_t columns, int64_t most_columns) {
  return columns <= most_columns && layout_of(ceil_div(rows, kBlocks), 1).bytes <= kMostShared && is_hopper();
}

}  // namespace

bool find_quantiles(int64_t rows, int64_t columns, int64_t place, const float* logits, const float* margins, float* out,
                    cudaStream_t stream) {
  if (!fits(rows, columns, kMostQuantiles)) return false;
  with_columns(rows, columns, [&](auto c, const Sizes& sizes, unsigned grid, unsigned threads, size_t bytes) {
    gates::allow(quantile_columns_kernel<c()>, bytes);
    LAUNCH_CLUSTERS(kBlocks, stream, grid, threads, bytes, quantile_columns_kernel<c()>, sizes,
                    Excess{logits, margins, columns}, static_cast<uint32_t>(place), out);
  });
  return true;
}

}  // namespace hopper

bool run_on_hopper(const ChooseTokens& t, const Context& context) {
  using namespace hopper;
  if (!fits(t.tokens, t.experts, kMostChoosing)) return false;
  const Scores by{context.at<const float>(t.scores), context.at<const float>(t.logits), t.experts};
  with_columns(t.tokens, t.experts, [&](auto c, const hopper::Sizes& sizes, unsigned grid, unsigned threads, size_t bytes) {
    gates::allow(choose_columns_kernel<c()>, bytes);
    LAUNCH_CLUSTERS(kBlocks, context.stream, grid, threads, bytes, choose_columns_kernel<c()>, sizes, by,
                    static_cast<uint32_t>(t.count), context.at<int32_t>(t.choices));
  });
  return true;
}

bool run_on_hopper(const RoundChoices& r, const Context& context) {
  using namespace hopper;
  if (!fits(r.tokens, r.experts, kMostRounding)) return false;
  const Scores by{context.at<const float>(r.scores), context.at<const float>(r.logits), r.experts};
  with_columns(r.tokens, r.experts, [&](auto c, const hopper::Sizes& sizes, unsigned grid, unsigned threads, size_t bytes) {
    gates::allow(round_columns_kernel<c()>, bytes);
    LAUNCH_CLUSTERS(kBlocks, context.stream, grid, threads, bytes, round_columns_kernel<c()>, sizes, by,
                    static_cast<uint32_t>(r.k), r.tile, context.at<const int32_t>(r.best), context.at<int32_t>(r.choices),
                    context.report());
  });
  return true;
}

}  // namespace schemoe::cuda
