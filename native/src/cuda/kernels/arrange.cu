// Unpadded rows between wire and experts: a warp moves a row.
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kWarps = 8;

struct Arrangement {
  const int32_t* loads;   // [ranks][experts]
  const int32_t* wired;   // rows of the wire before each (source, expert), and all of them
  const int32_t* bases;   // first row of each expert
  int ranks, experts, first_source, pairs, begin;
  bool by_source;

  /// Row of the experts for a row of the wire; called by all lanes of a warp.
  __device__ int64_t row_of(int64_t line) const {
    int low = 0, high = pairs;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (wired[middle] <= line ? low : high) = middle;
    }
    const int source = first_source + low / experts, expert = low % experts;
    const int place = begin + static_cast<int>(line - wired[low]);
    // Rows of the expert before this one: whole places, and sources before this one in its place.
    int before = 0;
    for (int rank = static_cast<int>(threadIdx.x % 32); rank < ranks; rank += 32) {
      const int load = loads[rank * experts + expert];
      if (by_source) before += rank < source ? load : 0;
      else before += min(load, place) + (rank < source && load > place);
    }
    before = warp_sum(before);
    return int64_t{bases[expert]} + before + (by_source ? place : 0);
  }
};

template <class Unit, bool kGroup>
__global__ void __launch_bounds__(32 * kWarps)
    arrange_kernel(Unit* wire, Unit* rows, Arrangement a, int64_t lines, int64_t units) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t line = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; line < lines; line += int64_t{gridDim.x} * kWarps) {
    Unit* here = wire + line * units;
    Unit* there = rows + a.row_of(line) * units;
    const Unit* from = kGroup ? here : there;
    Unit* to = kGroup ? there : here;
    constexpr int kUnroll = 4;
    int64_t j = lane;
    for (; j + (kUnroll - 1) * 32 < units; j += kUnroll * 32) {
      Unit values[kUnroll];
#pragma unroll
      for (int u = 0; u < kUnroll; ++u) values[u] = from[j + u * 32];
#pragma unroll
      for (int u = 0; u < kUnroll; ++u) to[j + u * 32] = values[u];
    }
    for (; j < units; j += 32) to[j] = from[j];
  }
}

template <class Unit, bool kGroup>
void arrange(const ArrangeRows& a, const Context& context, int64_t bytes) {
  const auto pairs = static_cast<int>(a.sources * a.experts);
  int64_t lines = 0;
  for (int64_t source = a.first_source; source < a.first_source + a.sources; ++source) {
    for (int64_t expert = 0; expert < a.experts; ++expert) lines += a.here(source, expert);
  }
  if (lines == 0) return;
  const int32_t* wired = context.bounds + a.loads.size();
  const Arrangement arrangement{context.bounds,
                                wired,
                                wired + pairs + 1,
                                static_cast<int>(a.ranks),
                                static_cast<int>(a.experts),
                                static_cast<int>(a.first_source),
                                pairs,
                                static_cast<int>(a.begin),
                                a.by_source};
  LAUNCH(context.stream, grid_of(ceil_div(lines, kWarps)), 32 * kWarps, 0, (arrange_kernel<Unit, kGroup>),
         context.at<Unit>(a.wire), context.at<Unit>(a.rows), arrangement, lines,
         bytes / static_cast<int64_t>(sizeof(Unit)));
}

/// In units as large as rows and addresses allow.
template <bool kGroup>
void run_rows(const ArrangeRows& a, const Context& context) {
  const int64_t bytes = a.columns * element_bytes(a.dtype);
  if (bytes == 0) return;
  const bool wide = bytes % 16 == 0 && aligned(context.at<void>(a.wire)) && aligned(context.at<void>(a.rows));
  if (wide) arrange<uint4, kGroup>(a, context, bytes);
  else if (a.dtype == SCHEMOE_BF16) arrange<uint16_t, kGroup>(a, context, bytes);
  else arrange<uint32_t, kGroup>(a, context, bytes);
}

}  // namespace

void run(const GroupRows& g, const Context& context) { run_rows<true>(g, context); }

void run(const UngroupRows& u, const Context& context) { run_rows<false>(u, context); }

}  // namespace schemoe::cuda
