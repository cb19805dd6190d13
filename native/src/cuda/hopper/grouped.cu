// The result is computed transposed: the tensor cores' 64 rows are columns of C, and its columns, of
// which an instruction takes any multiple of 8 up to 256, are the rows of a group, so that little is
// computed in vain where a group ends.
//
// Blocks in clusters of two stay on their multiprocessors and walk through tiles of 256 columns (128 for
// each block) by 256 rows. In a block one thread has tiles of the factors copied into a ring of stages;
// two warpgroups of 64 columns each multiply what has arrived. Both blocks need the same rows, so that
// each copies half of them to both. A warpgroup turns its sums over in shared memory, 64 rows at a time, and
// writes whole lines of 128 bytes. Of a gated activation one warpgroup has columns of the first product and the other
// the same columns of the second; what both have turned over they read for the activation.
#include "cuda/hopper/grouped.h"

#include <cuda_bf16.h>

#include <algorithm>
#include <vector>

#include "cuda/hopper/ptx.cuh"
#include "cuda/hopper/schedule.h"
#include "cuda/hopper/tensor_map.h"
#include "cuda/hopper/wgmma.cuh"
#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/silu.cuh"

namespace schemoe::cuda::hopper {

namespace {

constexpr uint32_t kBlocks = 2;            // of a cluster
constexpr uint32_t kDepth = 64;            // of a stage, along k
constexpr uint32_t kColumns = 128;         // of C, a block's
constexpr uint32_t kTile = 64 * 128;       // bytes of a copied tile: 64 x 64 elements
constexpr uint32_t kStageBytes = (kColumns / 64 + kWidth / 64) * kTile;
constexpr uint32_t kStages = 4;
constexpr uint32_t kConsumers = 2;         // warpgroups
constexpr uint32_t kTurned = 64;           // rows of C that a warpgroup turns over at once
constexpr uint32_t kThreads = 128 * (1 + kConsumers);

/// Tiles begin at multiples of 1024 bytes, which the beginning of dynamic shared memory need not be.
struct Shared {
  static constexpr uint32_t kTurn = kStages * kStageBytes;
  static constexpr uint32_t kFull = kTurn + kConsumers * 2 * kTile;
  static constexpr uint32_t kEmpty = kFull + kStages * 8;
  static constexpr uint32_t kBytes = kEmpty + kStages * 8;
  static constexpr uint32_t kAlign = 1024;

  uint32_t base;
  __device__ uint32_t columns(uint32_t stage) const { return base + stage * kStageBytes; }
  __device__ uint32_t rows(uint32_t stage) const { return columns(stage) + kColumns / 64 * kTile; }
  /// Two areas of a consumer.
  __device__ uint32_t turn(uint32_t consumer) const { return base + kTurn + consumer * 2 * kTile; }
  __device__ Barrier full(uint32_t stage) const { return {base + kFull + stage * 8}; }
  __device__ Barrier empty(uint32_t stage) const { return {base + kEmpty + stage * 8}; }
};

/// What is multiplied: the rows of a group by its B or that transposed, or by two B for a gated activation; or two
/// matrices that are summed over the rows.
enum class Form { kRows, kRowsTransposed, kGated, kSums };

/// Arguments of a launch.
struct Launch {
  CUtensorMap columns[2];  // B, whose columns are those of C
  CUtensorMap rows[2];     // A, whose rows, or of sums columns, are the rows of C
  Schedule schedule;
  int32_t first[kMaxGroups];
  int32_t count[kMaxGroups];
  int32_t number[kMaxGroups];
  int32_t m, n, k;
  int32_t pairs;  // of A and B, whose products are added
  float alpha, beta;
  bool relu;
  bf16* c;
  int64_t ldc, stride;
  const bf16* bias;
  int64_t bias_stride;
  bf16* gate_c;  // of the second B
  bf16* gated;
  int64_t ld_gated;
};

/// What depends on the form: where a group's products lie and how long they are.
template <Form kForm>
struct Shape {
  static constexpr bool kSummed = kForm == Form::kSums;
  static constexpr bool kGated = kForm == Form::kGated;
  /// Columns of C that a block has.
  static constexpr uint32_t kWide = kGated ? kColumns / 2 : kColumns;
  /// Whether columns of C are across k.
  static constexpr bool kAcross = kForm != Form::kRowsTransposed;

  const Launch& p;
  __device__ uint32_t depth(uint32_t group) const { return static_cast<uint32_t>(kSummed ? p.count[group] : p.k); }
  /// Of one pair of factors, and of all.
  __device__ uint32_t pair_stages(uint32_t group) const { return (depth(group) + kDepth - 1) / kDepth; }
  __device__ uint32_t stages(uint32_t group) const {
    return pair_stages(group) * (kSummed || kGated ? 1 : static_cast<uint32_t>(p.pairs));
  }
  __device__ uint32_t rows(uint32_t group) const { return static_cast<uint32_t>(kSummed ? p.m : p.count[group]); }
  __device__ bf16* result(uint32_t group, uint32_t consumer) const {
    if constexpr (kSummed) return p.c + p.number[group] * p.stride;
    return (kGated && consumer == 1 ? p.gate_c : p.c) + p.first[group] * p.ldc;
  }
  __device__ Place column_tile(uint32_t group, int32_t column, int32_t k) const {
    if constexpr (kSummed) return {column, p.first[group] + k, 0};
    return kAcross ? Place{column, k, p.number[group]} : Place{k, column, p.number[group]};
  }
  __device__ Place row_tile(uint32_t group, int32_t row, int32_t k) const {
    return kSummed ? Place{row, p.first[group] + k, 0} : Place{k, p.first[group] + row, 0};
  }
};

/// Where in the ring of stages.
struct Turn {
  uint32_t stage = 0, parity = 0;
  __device__ void advance() {
    if (++stage < kStages) return;
    stage = 0;
    parity ^= 1;
  }
};

/// Has all tiles of the factors copied, as stages become free.
template <Form kForm>
__device__ void produce(const Launch& p, const Shared& shared, uint32_t cluster, uint32_t block) {
  const Shape<kForm> shape{p};
  Walk walk(p.schedule, cluster);
  Tile tile;
  Turn turn;
  while (walk.next(tile)) {
    const uint32_t stages = shape.stages(tile.group), pair_stages = shape.pair_stages(tile.group);
    const uint32_t tiles = tile.width / 64;
    const auto column = static_cast<int32_t>((tile.column * kBlocks + block) * Shape<kForm>::kWide);
    for (uint32_t i = 0; i < stages; ++i) {
      const uint32_t pair = i < pair_stages ? 0 : 1;
      const auto k = static_cast<int32_t>((i - pair * pair_stages) * kDepth);
      shared.empty(turn.stage).wait(turn.parity ^ 1);
      const Barrier full = shared.full(turn.stage);
      full.expect((kColumns / 64 + tiles) * kTile);
      for (uint32_t t = 0; t < kColumns / 64; ++t) {
        const CUtensorMap* map = &p.columns[Shape<kForm>::kGated ? t : pair];
        const int32_t at = column + (Shape<kForm>::kGated ? 0 : static_cast<int32_t>(64 * t));
        load_tile(shared.columns(turn.stage) + t * kTile, map, shape.column_tile(tile.group, at, k), full);
      }
      for (uint32_t t = block; t < tiles; t += kBlocks) {
        load_tile_for_both(shared.rows(turn.stage) + t * kTile, &p.rows[pair],
                           shape.row_tile(tile.group, static_cast<int32_t>(tile.row + 64 * t), k), full);
      }
      turn.advance();
    }
  }
}

/// One warpgroup's share of the tiles.
template <Form kForm>
class Consumer {
 public:
  __device__ Consumer(const Launch& p, const Shared& shared, uint32_t block, uint32_t number)
      : p_(p), shape_{p}, shared_(shared), block_(block), number_(number), thread_(threadIdx.x % 128) {}

  template <uint32_t N>
  __device__ void compute(const Tile& tile) {
    Sums<N> sums;
    const uint32_t stages = shape_.stages(tile.group);
    if (Shape<kForm>::kSummed && stages == 0) clear<N>(sums);
    uint32_t before = 0;
    for (uint32_t i = 0; i < stages; ++i) {
      shared_.full(turn_.stage).wait(turn_.parity);
      if constexpr (Shape<kForm>::kSummed) {
        const uint32_t left = shape_.depth(tile.group) - i * kDepth;
        if (left < kDepth) blank<N>(turn_.stage, left);
      }
      const uint64_t columns = Columns::describe(shared_.columns(turn_.stage) + number_ * kTile);
      const uint64_t rows = Rows::describe(shared_.rows(turn_.stage));
      begin_products();
#pragma unroll
      for (uint32_t step = 0; step < kDepth / 16; ++step) add(sums, columns, rows, step, i + step);
      commit_products();
      if (i > 0) {
        await_products<1>();
        release(before);
      }
      before = turn_.stage;
      turn_.advance();
    }
    const Corner corner = corner_of(tile);
    Pieces old;
    if (p_.beta != 0) fetch(corner, 0, old);
    await_products<0>();
    if (!Shape<kForm>::kSummed || stages > 0) release(before);
    put<N>(tile, corner, old, sums);
  }

 private:
  using Columns = Factor<Shape<kForm>::kAcross>;
  using Rows = Factor<Shape<kForm>::kSummed>;

  template <int N>
  __device__ static void add(float (&sums)[N][4], uint64_t columns, uint64_t rows, uint32_t step, uint32_t any) {
    multiply<8 * N, Shape<kForm>::kAcross, Shape<kForm>::kSummed>(sums, columns + step * (Columns::kStep >> 4),
                                                                  rows + step * (Rows::kStep >> 4), any != 0);
  }

  /// A group without rows has sums of nothing.
  template <uint32_t N>
  __device__ static void clear(Sums<N>& sums) {
#pragma unroll
    for (uint32_t j = 0; j < N / 8; ++j) {
#pragma unroll
      for (uint32_t q = 0; q < 4; ++q) sums[j][q] = 0;
    }
  }

  /// The rows behind a group's last are another's: zeros in both factors, since 0 times infinity is none.
  template <uint32_t N>
  __device__ void blank(uint32_t stage, uint32_t left) const {
    const uint4 zero = make_uint4(0, 0, 0, 0);
    const uint32_t bytes = (kDepth - left) * 128;
    const auto end_of = [&](uint32_t tile) {
      for (uint32_t at = thread_ * 16; at < bytes; at += 128 * 16) store_shared(tile + left * 128 + at, zero);
    };
    end_of(shared_.columns(stage) + number_ * kTile);
    for (uint32_t t = number_; t < N / 64; t += kConsumers) end_of(shared_.rows(stage) + t * kTile);
    fence_stores();
    meet_consumers<128 * kConsumers>(1 + kConsumers);
  }

  /// Both blocks may copy into the stage again.
  __device__ void release(uint32_t stage) const {
    if (thread_ < kBlocks) shared_.empty(stage).arrive_at(thread_);
  }

  /// Where this thread's pieces of C begin: its warp has sixteen of each 64 rows, eight lanes one row.
  struct Corner {
    bf16* c;
    uint32_t row, rows;
    bool inside;  // of the columns
  };
  static constexpr uint32_t kPieces = kTurned / 16, kApart = 4;  // rows from one to the next
  using Pieces = uint4[kPieces];

  __device__ uint32_t column_of(const Tile& tile) const {
    return (tile.column * kBlocks + block_) * Shape<kForm>::kWide + (Shape<kForm>::kGated ? 0 : number_ * 64);
  }
  __device__ uint32_t line() const { return thread_ / 32 * 16 + thread_ % 32 / 8; }
  __device__ Corner corner_of(const Tile& tile) const {
    const uint32_t column = column_of(tile) + thread_ % 8 * 8, row = tile.row + line();
    return {shape_.result(tile.group, number_) + row * p_.ldc + column, row, shape_.rows(tile.group),
            column < static_cast<uint32_t>(p_.n)};
  }
  __device__ void fetch(const Corner& corner, uint32_t first, Pieces& to) const {
#pragma unroll
    for (uint32_t i = 0; i < kPieces; ++i) {
      const uint32_t down = first + i * kApart;
      to[i] = make_uint4(0, 0, 0, 0);
      if (corner.inside && corner.row + down < corner.rows) {
        to[i] = *reinterpret_cast<const uint4*>(corner.c + down * p_.ldc);
      }
    }
  }
  /// All threads that write what will be read next are here: this warpgroup's, or both's.
  __device__ void meet() const {
    if constexpr (Shape<kForm>::kGated) meet_consumers<128 * kConsumers>(1 + kConsumers);
    else meet_consumers<128>(1 + number_);
  }

  /// The activation of half of the rows that both warpgroups have turned over.
  __device__ void activate(const Tile& tile, uint32_t first, uint32_t area, uint32_t step) const {
    const uint32_t column = column_of(tile) + thread_ % 8 * 8;
    bf16* to = p_.gated + p_.first[tile.group] * p_.ld_gated + column;
#pragma unroll
    for (uint32_t i = 0; i < kPieces / kConsumers; ++i) {
      const uint32_t down = line() + (i * kConsumers + number_) * kApart, row = tile.row + first + down;
      const uint32_t at = down * 128 + ((thread_ % 8 ^ down % 8) << 4);
      if (column >= static_cast<uint32_t>(p_.n) || row >= shape_.rows(tile.group)) continue;
      const uint4 a = load_shared(area + at), b = load_shared(area + step + at);
      uint4 y;
      y.x = gate(a.x, b.x), y.y = gate(a.y, b.y), y.z = gate(a.z, b.z), y.w = gate(a.w, b.w);
      *reinterpret_cast<uint4*>(to + row * p_.ld_gated) = y;
    }
  }
  __device__ static uint32_t gate(uint32_t a, uint32_t b) {
    const float2 x = halves_of(a), y = halves_of(b);
    return pack(Silu<true>::value(x.x) * y.x, Silu<true>::value(x.y) * y.y);
  }

  template <uint32_t N>
  __device__ void put(const Tile& tile, const Corner& corner, Pieces& old, const Sums<N>& sums) const {
    const uint32_t warp = thread_ / 32, lane = thread_ % 32;
    // Of the two columns whose sums this thread has.
    float bias[2] = {0, 0};
    if (p_.bias) {
      const bf16* from = p_.bias + p_.number[tile.group] * p_.bias_stride;
#pragma unroll
      for (uint32_t i = 0; i < 2; ++i) {
        const uint32_t at = column_of(tile) + 16 * warp + lane / 4 + 8 * i;
        if (at < static_cast<uint32_t>(p_.n)) bias[i] = to_float(from[at]);
      }
    }
    // A line of 128 bytes is a row of C; its pieces change places from line to line, which keeps banks apart.
    const auto piece = [](uint32_t line, uint32_t number) { return line * 128 + ((number ^ line % 8) << 4); };
    // Of four matrices of 8 x 8 a lane gives the address of a row: two side by side, two of the next rows.
    const uint32_t turned = piece(lane % 8 + lane / 16 * 8, 2 * warp + lane / 8 % 2);
#pragma unroll
    for (uint32_t first = 0; first < N; first += kTurned) {
      // Nobody still reads this area: all met since it was read, where the other one was written.
      const uint32_t here = shared_.turn(number_) + first / kTurned % 2 * kTile;
      if (p_.beta != 0) {
#pragma unroll
        for (uint32_t i = 0; i < kPieces; ++i) store_shared(here + piece(line() + i * kApart, lane % 8), old[i]);
        meet();
        if (first + kTurned < N) fetch(corner, first + kTurned, old);
      }
#pragma unroll
      for (uint32_t j = 0; j < kTurned / 8; j += 2) {
        const uint32_t at = here + turned + j * 8 * 128;
        uint32_t was[4] = {}, now[4];
        if (p_.beta != 0) load_transposed(was, at);
#pragma unroll
        for (uint32_t q = 0; q < 4; ++q) {
          const auto& two = sums[first / 8 + j + q / 2];
          const float2 before = halves_of(was[q]);
          now[q] = pack(finish(two[2 * (q % 2)], before.x, bias[q % 2]),
                        finish(two[2 * (q % 2) + 1], before.y, bias[q % 2]));
        }
        store_transposed(at, now);
      }
      meet();
#pragma unroll
      for (uint32_t i = 0; i < kPieces; ++i) {
        const uint4 now = load_shared(here + piece(line() + i * kApart, lane % 8));
        const uint32_t down = first + i * kApart;
        if (corner.inside && corner.row + down < corner.rows) {
          *reinterpret_cast<uint4*>(corner.c + down * p_.ldc) = now;
        }
      }
      if constexpr (Shape<kForm>::kGated) {
        activate(tile, first, shared_.turn(0) + first / kTurned % 2 * kTile, shared_.turn(1) - shared_.turn(0));
      }
    }
    // The next tile's come to the same areas; of two or four parts the last was in the second.
    if constexpr (N / kTurned % 2 == 1) meet();
  }

  __device__ float finish(float sum, float before, float bias) const {
    float x = p_.alpha * sum;
    if (p_.beta != 0) x += p_.beta * before;
    x += bias;
    return p_.relu && x <= 0 ? 0.0f : x;
  }

  const Launch& p_;
  const Shape<kForm> shape_;
  const Shared shared_;
  const uint32_t block_, number_, thread_;
  Turn turn_;
};

template <Form kForm>
__global__ void __cluster_dims__(kBlocks, 1, 1) __launch_bounds__(kThreads, 1)
    grouped_kernel(const __grid_constant__ Launch p) {
  extern __shared__ uint8_t memory[];
  const Shared shared{(shared_address(memory) + Shared::kAlign - 1) / Shared::kAlign * Shared::kAlign};
  const uint32_t block = block_in_cluster(), cluster = blockIdx.x / kBlocks;
  if (threadIdx.x == 0) {
    for (uint32_t stage = 0; stage < kStages; ++stage) {
      shared.full(stage).init(1);
      shared.empty(stage).init(kBlocks * kConsumers);
    }
    fence_barriers();
  }
  __syncthreads();
  meet_cluster();
  if (threadIdx.x < 128) {
    give_registers<40>();
    if (threadIdx.x == 0) produce<kForm>(p, shared, cluster, block);
  } else {
    take_registers<232>();
    // The same for all threads of a warp, as the compiler may now know.
    const uint32_t number = __shfl_sync(kAllLanes, threadIdx.x / 128 - 1, 0);
    Consumer<kForm> consumer(p, shared, block, number);
    Walk walk(p.schedule, cluster);
    Tile tile;
    bool more = walk.next(tile);
    for (; more && tile.width == 256; more = walk.next(tile)) consumer.template compute<256>(tile);
    for (; more && tile.width == 192; more = walk.next(tile)) consumer.template compute<192>(tile);
    for (; more && tile.width == 128; more = walk.next(tile)) consumer.template compute<128>(tile);
    for (; more; more = walk.next(tile)) consumer.template compute<64>(tile);
  }
  __syncwarp();
  // The other block may still copy to this one, or tell it that a stage is free.
  meet_cluster();
}

/// A tile of 64 x 64 at a time.
CUtensorMap map_of(const void* data, int64_t columns, int64_t rows, int64_t slices, int64_t ld, int64_t stride) {
  return tensor_map({data, {columns, rows, slices}, {ld, slices > 1 ? stride : rows * ld}, {64, 64, 1}});
}

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
  int64_t end = 1;  // a matrix without rows has no description
  for (size_t group = 0; group < groups.rows.size(); ++group) {
    end = std::max<int64_t>(end, groups.first[group] + groups.rows[group]);
  }
  const auto columns = static_cast<uint32_t>(ceil_div(g.n, kBlocks * kColumns / (g.gated ? 2 : 1)));
  if (g.trans_a) {
    p.columns[0] = map_of(g.b, g.n, end, 1, g.ldb, 0);
    p.rows[0] = map_of(g.a, g.m, end, 1, g.lda, 0);
    const std::vector<int32_t> rows(groups.rows.size(), p.m);
    p.schedule = make_schedule(rows, columns, clusters);
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
  p.gate_c = static_cast<bf16*>(g.c2);
  p.gated = static_cast<bf16*>(g.gated);
  p.ld_gated = g.ld_gated;
  p.schedule = make_schedule(groups.rows, columns, clusters);
  return p;
}

template <Form kForm>
void launch(const Launch& p, cudaStream_t stream) {
  constexpr int kBytes = Shared::kBytes + Shared::kAlign;
  const auto kernel = grouped_kernel<kForm>;
  CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes));
  LAUNCH(stream, p.schedule.clusters * kBlocks, kThreads, kBytes, kernel, p);
}

bool lies_well(const void* data, int64_t ld, int64_t stride) {
  return aligned(data) && ld % 8 == 0 && stride % 8 == 0;
}

}  // namespace

bool fits(const Grouped& g) {
  constexpr int64_t kMost = int64_t{1} << 30;
  const bool sizes = g.n % 8 == 0 && g.n > 0 && g.n < kMost && g.k < kMost && g.m < kMost &&
                     (g.trans_a ? !g.trans_b && g.m % 8 == 0 && g.m > 0 : g.k > 0);
  const bool second = (!g.a2 || (lies_well(g.a2, g.lda, 0) && lies_well(g.b2, g.ldb, g.stride))) &&
                      (!g.gated || (lies_well(g.b2, g.ldb, g.stride) && lies_well(g.c2, g.ldc, 0) &&
                                    lies_well(g.gated, g.ld_gated, 0)));
  return sizes && second && lies_well(g.a, g.lda, 0) && lies_well(g.b, g.ldb, g.trans_a ? 0 : g.stride) &&
         lies_well(g.c, g.ldc, g.trans_a ? g.stride : 0);
}

void run(const Grouped& g, const Groups& groups, int multiprocessors, cudaStream_t stream) {
  const auto clusters = std::clamp<uint32_t>(static_cast<uint32_t>(multiprocessors) / kBlocks, 1, kMaxClusters);
  for (size_t at = 0; at < groups.rows.size(); at += kMaxGroups) {
    const size_t count = std::min<size_t>(kMaxGroups, groups.rows.size() - at);
    const Groups some{groups.first.subspan(at, count), groups.rows.subspan(at, count), groups.number.subspan(at, count)};
    const Launch p = describe(g, some, clusters);
    if (g.trans_a) launch<Form::kSums>(p, stream);
    else if (g.gated) launch<Form::kGated>(p, stream);
    else if (g.trans_b) launch<Form::kRowsTransposed>(p, stream);
    else launch<Form::kRows>(p, stream);
  }
}

}  // namespace schemoe::cuda::hopper
