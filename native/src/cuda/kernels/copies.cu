// Plain memory: all copies of a phase in one launch, and copies in a rank.
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256;

__device__ void copy_tile(const Tile& tile) {
  const auto both = reinterpret_cast<uintptr_t>(tile.from) | reinterpret_cast<uintptr_t>(tile.to);
  const auto thread = threadIdx.x;
  uint64_t done = 0;
  if (both % 16 == 0) {
    const auto* from = reinterpret_cast<const uint4*>(tile.from);
    auto* to = reinterpret_cast<uint4*>(tile.to);
    const auto count = static_cast<uint32_t>(tile.bytes / 16);
    uint32_t i = thread;
    for (; i + 3 * kThreads < count; i += 4 * kThreads) {
      const uint4 a = from[i], b = from[i + kThreads], c = from[i + 2 * kThreads], d = from[i + 3 * kThreads];
      to[i] = a, to[i + kThreads] = b, to[i + 2 * kThreads] = c, to[i + 3 * kThreads] = d;
    }
    for (; i < count; i += kThreads) to[i] = from[i];
    done = uint64_t{count} * 16;
  } else if (both % 4 == 0) {
    const auto* from = reinterpret_cast<const uint32_t*>(tile.from);
    auto* to = reinterpret_cast<uint32_t*>(tile.to);
    const auto count = static_cast<uint32_t>(tile.bytes / 4);
    for (uint32_t i = thread; i < count; i += kThreads) to[i] = from[i];
    done = uint64_t{count} * 4;
  }
  for (uint64_t i = done + thread; i < tile.bytes; i += kThreads) tile.to[i] = tile.from[i];
}

__global__ void __launch_bounds__(kThreads) tiles_kernel(const Tile* tiles) { copy_tile(tiles[blockIdx.x]); }

/// Tiles of one copy, none listed.
__global__ void __launch_bounds__(kThreads) copy_kernel(const std::byte* from, std::byte* to, uint64_t bytes) {
  const uint64_t begin = uint64_t{blockIdx.x} * kTileBytes;
  copy_tile({from + begin, to + begin, bytes - begin < kTileBytes ? bytes - begin : kTileBytes});
}

void copy(std::byte* to, const std::byte* from, uint64_t bytes, cudaStream_t stream) {
  LAUNCH(stream, grid_of(ceil_div(static_cast<int64_t>(bytes), kTileBytes)), kThreads, 0, copy_kernel, from, to, bytes);
}

}  // namespace

void copy_tiles(const Tile* tiles, uint32_t count, cudaStream_t stream) {
  if (count > 0) LAUNCH(stream, count, kThreads, 0, tiles_kernel, tiles);
}

void run(const CopyBytes& c, const Context& context) {
  if (c.bytes == 0) return;
  const auto bytes = static_cast<uint64_t>(c.bytes);
  const auto* from = context.at<const std::byte>(c.from);
  auto* to = context.at<std::byte>(c.to);
  if (from == to) return;
  if (from + bytes <= to || to + bytes <= from) return copy(to, from, bytes, context.stream);
  // Overlapping bytes move as a whole, so they go through memory of their own.
  auto* between = context.scratch.get<std::byte>(bytes, context.stream);
  copy(between, from, bytes, context.stream);
  copy(to, between, bytes, context.stream);
}

}  // namespace schemoe::cuda
