// The result is computed transposed: the tensor cores' 64 rows are columns of C, and its columns, of
// which an instruction takes any multiple of 8 up to 256, are the rows of a group, so that little is
// computed in vain where a group ends.
//
// Blocks in clusters of two stay on their multiprocessors and walk through tiles of 256 columns (128 for
// each block) by up to 256 rows. In a block one thread has tiles of the factors copied into a ring of stages;
// two warpgroups multiply what has arrived: in turn, a whole tile each, while the other one writes what it has
// multiplied before; or each tile together, 64 columns each, which they leave to other warps to write. Both blocks need
// the same rows, so that each copies half of them to both. Sums are turned over in shared memory, some rows at a time,
// and written as whole lines of 128 bytes. Of a gated activation a warpgroup has columns of the first product and the
// same ones of the second; where two products have their first factor in common and sum over the rows, columns of the
// second come after those of the first, so that what they share is read about once.
#include "cuda/hopper/grouped.h"

#include <algorithm>
#include <vector>

#include "cuda/hopper/grouped_consumer.cuh"
#include "cuda/hopper/grouped_writer.cuh"
#include "cuda/hopper/tensor_map.h"

namespace schemoe::cuda::hopper {

namespace {

template <Form kForm>
__global__ void __cluster_dims__(kBlocks, 1, 1) __launch_bounds__(Shape<kForm>::kThreads, 1)
    grouped_kernel(const __grid_constant__ Launch p) {
  DYNAMIC_SHARED(uint8_t, memory);
  constexpr uint32_t kAlign = Shared<kForm>::kAlign;
  const Shared<kForm> shared{(shared_address(memory) + kAlign - 1) / kAlign * kAlign};
  const uint32_t block = block_in_cluster(), cluster = blockIdx.x / kBlocks;
  if (threadIdx.x == 0) {
    for (uint32_t stage = 0; stage < Shape<kForm>::kStages; ++stage) {
      shared.full(stage).init(1);
      shared.empty(stage).init(kBlocks * (Shape<kForm>::kInTurn ? 1 : kConsumers));
    }
    for (uint32_t consumer = 0; consumer < kConsumers; ++consumer) shared.order(consumer).init(kWarps);
    if constexpr (Shape<kForm>::kHeld != 0) {
      for (uint32_t i = 0; i < Shape<kForm>::kHeld; ++i) {
        shared.held(i).init(1);
        shared.left(i).init(1);
      }
    }
    if constexpr (!Shape<kForm>::kInTurn) {
      shared.free().init(Shape<kForm>::kWriters);
      shared.ready().init(kConsumers * kWarps);
    }
    fence_barriers();
  }
  __syncthreads();
  meet_cluster();
  // Registers of each thread: those of the four warpgroups, or of three, are 512 at most together.
  constexpr bool kInTurn = Shape<kForm>::kInTurn, kMore = Shape<kForm>::kThreads > 384;
  if (threadIdx.x < 128 || threadIdx.x >= 128 * (1 + kConsumers)) {
    give_registers<kInTurn ? 40 : kMore ? 112 : 120>();
    if (threadIdx.x == 0) produce<kForm>(p, shared, cluster, block);
    if constexpr (!kInTurn) {
      if (threadIdx.x >= 32) Writer<kForm>(p, shared, block).write_all(Shape<kForm>{p}.tiles(cluster));
    }
  } else {
    take_registers<kInTurn ? 232 : kMore ? 144 : 192>();
    // The same for all threads of a warp, as the compiler may now know.
    const uint32_t number = __shfl_sync(kAllLanes, threadIdx.x / 128 - 1, 0);
    Consumer<kForm> consumer(p, shared, block, number);
    typename Shape<kForm>::Tiles walk = Shape<kForm>{p}.tiles(cluster);
    Tile tile;
    bool more = consumer.first(walk, tile);
    if constexpr (Shape<kForm>::kHeld != 0) {
      // Tiles of a group lie together, narrow ones too, which are computed as wide ones: that copies no more.
      for (; more; more = consumer.next(walk, tile)) consumer.template compute<192>(tile);
    } else {
      if constexpr (Shape<kForm>::kWidth >= 256) {
        for (; more && tile.width == 256; more = consumer.next(walk, tile)) consumer.template compute<256>(tile);
      }
      if constexpr (Shape<kForm>::kWidth >= 192) {
        for (; more && tile.width == 192; more = consumer.next(walk, tile)) consumer.template compute<192>(tile);
      }
      for (; more && tile.width == 128; more = consumer.next(walk, tile)) consumer.template compute<128>(tile);
      for (; more; more = consumer.next(walk, tile)) consumer.template compute<64>(tile);
    }
    consumer.finish();
  }
  __syncwarp();
  // The other block may still copy to this one, or tell it that a stage is free.
  meet_cluster();
}

/// A tile of 64 x 64 at a time.
CUtensorMap map_of(const void* data, int64_t columns, int64_t rows, int64_t slices, int64_t ld, int64_t stride) {
  return tensor_map({data, {columns, rows, slices}, {ld, slices > 1 ? stride : rows * ld}, {64, 64, 1}});
}

template <Form kForm>
Launch describe(const Grouped& g, const Groups& groups, uint32_t clusters) {
  Launch p{};
  std::copy(groups.first.begin(), groups.first.end(), p.first);
  std::copy(groups.rows.begin(), groups.rows.end(), p.count);
  std::copy(groups.number.begin(), groups.number.end(), p.number);
  p.m = static_cast<int32_t>(g.m);
  p.n = static_cast<int32_t>(g.n);
  p.k = static_cast<int32_t>(g.k);
  p.alpha = g.alpha;
  p.beta = g.beta;
  p.relu = g.relu;
  p.c = static_cast<bf16*>(g.c);
  p.ldc = g.ldc;
  p.stride = g.stride;
  p.bias = static_cast<const bf16*>(g.bias);
  p.bias_stride = g.bias_stride;
  p.other_c = static_cast<bf16*>(g.c2);
  int64_t end = 1;  // a matrix without rows has no description
  for (size_t group = 0; group < groups.rows.size(); ++group) {
    end = std::max<int64_t>(end, groups.first[group] + groups.rows[group]);
  }
  const auto columns = static_cast<uint32_t>(ceil_div(g.n, kBlocks * Shape<kForm>::kWide));
  constexpr uint32_t kWidth = Shape<kForm>::kWidth;
  if (g.trans_a) {
    p.columns[0] = map_of(g.b, g.n, end, 1, g.ldb, 0);
    if (g.b2) p.columns[1] = map_of(g.b2, g.n, end, 1, g.ldb, 0);
    p.across = columns;
    p.rows[0] = map_of(g.a, g.m, end, 1, g.lda, 0);
    const std::vector<int32_t> rows(groups.rows.size(), p.m);
    p.schedule = make_schedule(rows, kWidth, columns * (g.b2 ? 2 : 1), clusters);
    return p;
  }
  const int64_t slices = groups.number.back() + 1;
  const auto columns_of = [&](const void* b) {
    return g.trans_b ? map_of(b, g.k, g.n, slices, g.ldb, g.stride) : map_of(b, g.n, g.k, slices, g.ldb, g.stride);
  };
  p.columns[0] = columns_of(g.b);
  p.rows[0] = map_of(g.a, g.k, end, 1, g.lda, 0);
  if (g.b2) p.columns[1] = columns_of(g.b2);
  if (g.a2) p.rows[1] = map_of(g.a2, g.k, end, 1, g.lda, 0);
  p.pairs = g.a2 ? 2 : 1;
  p.gated = static_cast<bf16*>(g.gated);
  p.ld_gated = g.ld_gated;
  p.of = {static_cast<const bf16*>(g.x1), static_cast<const bf16*>(g.x3), g.ld_x1, g.ld_x3};
  p.second = static_cast<bf16*>(g.d3);
  p.ld_second = g.ld_d3;
  if constexpr (Shape<kForm>::kHeld != 0) p.runs = make_runs(groups.rows, kWidth, columns, clusters_of_runs(columns, clusters));
  else p.schedule = make_schedule(groups.rows, kWidth, columns, clusters);
  return p;
}

template <Form kForm>
void launch(const Grouped& g, const Groups& groups, uint32_t clusters, cudaStream_t stream) {
  constexpr int kBytes = Shared<kForm>::kBytes + Shared<kForm>::kAlign;
  const Launch p = describe<kForm>(g, groups, clusters);
  constexpr auto kernel = grouped_kernel<kForm>;
  CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes));
  const uint32_t launched = Shape<kForm>::kHeld != 0 ? p.runs.clusters : p.schedule.clusters;
  LAUNCH_CLUSTERS(kBlocks, stream, launched * kBlocks, Shape<kForm>::kThreads, kBytes, kernel, p);
}

/// Which of the forms for rows, by the stages that B has along k.
Form form_of_rows(const Grouped& g, uint32_t clusters) {
  const int64_t stages = ceil_div(g.k, kDepth) * (g.a2 ? 2 : 1);
  const auto columns = static_cast<uint32_t>(ceil_div(g.n, kBlocks * kColumns));
  const bool held = clusters_of_runs(columns, clusters) > 0;
  if (g.trans_b) return held && stages <= Shape<Form::kHeldTransposed>::kHeld ? Form::kHeldTransposed : Form::kRowsTransposed;
  if (held && stages <= Shape<Form::kHeld256>::kHeld) return Form::kHeld256;
  return held && stages <= Shape<Form::kHeld512>::kHeld ? Form::kHeld512 : Form::kRows;
}

void launch_rows(Form form, const Grouped& g, const Groups& groups, uint32_t clusters, cudaStream_t stream) {
  switch (form) {
    case Form::kHeld256: return launch<Form::kHeld256>(g, groups, clusters, stream);
    case Form::kHeld512: return launch<Form::kHeld512>(g, groups, clusters, stream);
    case Form::kHeldTransposed: return launch<Form::kHeldTransposed>(g, groups, clusters, stream);
    case Form::kRowsTransposed: return launch<Form::kRowsTransposed>(g, groups, clusters, stream);
    default: return launch<Form::kRows>(g, groups, clusters, stream);
  }
}

bool lies_well(const void* data, int64_t ld, int64_t stride) {
  return aligned(data) && ld % 8 == 0 && stride % 8 == 0;
}

}  // namespace

bool fits(const Grouped& g) {
  constexpr int64_t kMost = int64_t{1} << 30;
  const bool sizes = g.n % 8 == 0 && g.n > 0 && g.n < kMost && g.k < kMost && g.m < kMost &&
                     (g.trans_a ? !g.trans_b && g.m % 8 == 0 && g.m > 0 : g.k > 0);
  const bool sums = !g.trans_a || !g.b2 || (lies_well(g.b2, g.ldb, 0) && lies_well(g.c2, g.ldc, g.stride));
  const bool second = sums && (!g.a2 || (lies_well(g.a2, g.lda, 0) && lies_well(g.b2, g.ldb, g.stride))) &&
                      (!g.gated || (lies_well(g.b2, g.ldb, g.stride) && lies_well(g.c2, g.ldc, 0) &&
                                    lies_well(g.gated, g.ld_gated, 0))) &&
                      (!g.d3 || (lies_well(g.x1, g.ld_x1, 0) && lies_well(g.x3, g.ld_x3, 0) && lies_well(g.d3, g.ld_d3, 0)));
  return sizes && second && lies_well(g.a, g.lda, 0) && lies_well(g.b, g.ldb, g.trans_a ? 0 : g.stride) &&
         lies_well(g.c, g.ldc, g.trans_a ? g.stride : 0);
}

void run(const Grouped& g, const Groups& groups, int multiprocessors, cudaStream_t stream) {
  const auto clusters = std::clamp<uint32_t>(static_cast<uint32_t>(multiprocessors) / kBlocks, 1, kMaxClusters);
  const size_t most = is_fine((g.trans_a ? g.m : g.k) * g.n) ? kMaxGroups : kMaxGroups / 2;
  for (size_t at = 0; at < groups.rows.size(); at += most) {
    const size_t count = std::min(most, groups.rows.size() - at);
    const Groups some{groups.first.subspan(at, count), groups.rows.subspan(at, count), groups.number.subspan(at, count)};
    if (g.trans_a) launch<Form::kSums>(g, some, clusters, stream);
    else if (g.d3) launch<Form::kGatedGradients>(g, some, clusters, stream);
    else if (g.gated) launch<Form::kGated>(g, some, clusters, stream);
    else launch_rows(form_of_rows(g, clusters), g, some, clusters, stream);
  }
}

}  // namespace schemoe::cuda::hopper
