#include "cuda/buffers.h"

#include <algorithm>
#include <cstring>
#include <ranges>
#include <utility>

namespace schemoe::cuda {

namespace {

constexpr uint64_t kMostBytes = uint64_t{1} << 46;
constexpr uint64_t kStaged = uint64_t{1} << 20;

/// Copies on a stream of its own, since a run may occupy all others.
void copy(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return;
  CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, cudaStreamPerThread));
  CUDA_CHECK(cudaStreamSynchronize(cudaStreamPerThread));
}

}  // namespace

Buffers::Buffers(const World& world) : world_(world) {}

Buffers::~Buffers() {
  for (Buffer& buffer : buffers_) {
    for (uint32_t rank = 0; rank < buffer.size(); ++rank) drop(buffer[rank], rank);
  }
  cudaFreeHost(staged_);
}

Buffers::Piece Buffers::make(uint32_t rank, uint64_t bytes) const {
  world_.enter(rank);
  // Never empty, so that every pointer into it is valid.
  const uint64_t size = std::max<uint64_t>(bytes, 16);
  Piece piece;
  const cudaError_t error = bytes > kMostBytes ? cudaErrorMemoryAllocation
                                               : cudaMalloc(reinterpret_cast<void**>(&piece.data), size);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    size_t free = 0, total = 0;
    CUDA_CHECK(cudaMemGetInfo(&free, &total));
    fail_at({.rank = rank}, SCHEMOE_OUT_OF_MEMORY, "Cannot allocate ", bytes, " bytes: ", free, " of ", total,
            " are free on the GPU");
  }
  CUDA_CHECK(error);
  piece.bytes = bytes;
  const cudaError_t filled = cudaMemset(piece.data, 0xff, size);
  if (filled != cudaSuccess) drop(piece, rank);
  CUDA_CHECK(filled);
  return piece;
}

void Buffers::drop(Piece& piece, uint32_t rank) const noexcept {
  if (!piece.data) return;
  world_.leave(rank);
  cudaFree(std::exchange(piece.data, nullptr));
}

void Buffers::check_idle(const char* what) const {
  if (held_) fail(SCHEMOE_BUSY, "Cannot ", what, " a buffer: a run is in progress");
}

uint32_t Buffers::allocate(uint32_t id, std::span<const uint64_t> bytes) {
  const std::unique_lock lock(mutex_);
  check_idle("allocate");
  const bool fresh = id == UINT32_MAX;
  if (!fresh && (id >= buffers_.size() || buffers_[id].empty())) {
    fail_at({.buffer = id}, SCHEMOE_INVALID, "Cannot allocate: there is no such buffer");
  }
  if (fresh) {
    const auto freed = std::find_if(buffers_.begin(), buffers_.end(), [](const Buffer& b) { return b.empty(); });
    id = static_cast<uint32_t>(freed - buffers_.begin());
    if (freed == buffers_.end()) buffers_.emplace_back();
    buffers_[id].resize(world_.ranks());
  }
  ++generation_;
  Buffer& buffer = buffers_[id];
  // Ranks of other processes have no memory here.
  const auto own = std::views::iota(world_.first(), world_.first() + world_.count());
  // Frees what is too small first: a GPU seldom has room for both.
  for (uint32_t rank : own) {
    if (buffer[rank].data && buffer[rank].bytes != bytes[rank]) {
      drop(buffer[rank], rank);
      buffer[rank].bytes = 0;
    }
  }
  try {
    for (uint32_t rank : own) {
      if (!buffer[rank].data) buffer[rank] = make(rank, bytes[rank]);
    }
  } catch (...) {
    for (uint32_t rank : own) drop(buffer[rank], rank);
    if (fresh) {
      buffer.clear();
    } else {
      // An id that its owner still has stays valid, with nothing in it.
      for (uint32_t rank : own) buffer[rank] = make(rank, 0);
    }
    throw;
  }
  return id;
}

void Buffers::free(uint32_t id) {
  const std::unique_lock lock(mutex_);
  check_idle("free");
  if (id >= buffers_.size() || buffers_[id].empty()) {
    fail_at({.buffer = id}, SCHEMOE_INVALID, "Cannot free: there is no such buffer");
  }
  ++generation_;
  for (uint32_t rank = 0; rank < buffers_[id].size(); ++rank) drop(buffers_[id][rank], rank);
  buffers_[id].clear();
}

const Buffers::Piece& Buffers::find(const char* what, uint32_t id, uint32_t rank, uint64_t offset,
                                    uint64_t bytes) const {
  if (id >= buffers_.size() || buffers_[id].empty()) {
    fail_at({.buffer = id}, SCHEMOE_INVALID, "Cannot ", what, ": there is no such buffer");
  }
  if (!world_.holds(rank)) {
    fail_at({.rank = rank, .buffer = id}, SCHEMOE_INVALID, "Cannot ", what, ": there are ", world_.ranks(), " ranks");
  }
  const Piece& piece = buffers_[id][rank];
  if (offset > piece.bytes || bytes > piece.bytes - offset) {
    fail_at({.rank = rank, .buffer = id}, SCHEMOE_INVALID, "Cannot ", what, " bytes ", offset, " + ", bytes, " of ",
            piece.bytes);
  }
  return piece;
}

void Buffers::write(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data) {
  const std::shared_lock lock(mutex_);
  const Piece& piece = find("write", id, rank, offset, data.size());
  world_.enter(rank);
  copy(piece.data + offset, data.data(), data.size());
}

void Buffers::read(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data) {
  const std::shared_lock lock(mutex_);
  const Piece& piece = find("read", id, rank, offset, data.size());
  world_.enter(rank);
  copy(data.data(), piece.data + offset, data.size());
}

void Buffers::read_all(uint32_t id, uint64_t offset, uint64_t bytes, uint8_t* data) {
  const uint32_t ranks = world_.ranks();
  if (bytes > kStaged / ranks) {
    for (uint32_t rank = 0; rank < ranks; ++rank) read(id, rank, offset, {data + rank * bytes, bytes});
    return;
  }
  const std::shared_lock lock(mutex_);
  const std::lock_guard staging(staging_);
  if (!staged_) CUDA_CHECK(cudaHostAlloc(reinterpret_cast<void**>(&staged_), kStaged, cudaHostAllocPortable));
  for (uint32_t rank = 0; rank < ranks; ++rank) find("read", id, rank, offset, bytes);
  for (uint32_t rank = 0; rank < ranks && bytes > 0; ++rank) {
    world_.enter(rank);
    CUDA_CHECK(cudaMemcpyAsync(staged_ + rank * bytes, buffers_[id][rank].data + offset, bytes, cudaMemcpyDefault,
                               cudaStreamPerThread));
  }
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    if (rank > 0 && world_.device(rank) == world_.device(rank - 1)) continue;
    world_.enter(rank);
    CUDA_CHECK(cudaStreamSynchronize(cudaStreamPerThread));
  }
  std::memcpy(data, staged_, ranks * bytes);
}

void Buffers::hold() {
  const std::unique_lock lock(mutex_);
  if (held_) fail(SCHEMOE_BUSY, "Cannot run the Program: a run is in progress");
  held_ = true;
}

void Buffers::release() {
  const std::unique_lock lock(mutex_);
  held_ = false;
}

void Buffers::check(const Program& program) const {
  for (const Requirement& need : program.requirements) {
    if (!world_.holds(need.rank)) continue;
    const auto refuse = [&](const auto&... problem) {
      fail_at({program.operations[need.operation].task, need.rank, need.buffer}, SCHEMOE_INVALID, "Cannot run kernel ",
              need.kernel->name, ": ", problem...);
    };
    if (need.buffer >= buffers_.size() || buffers_[need.buffer].empty()) refuse("there is no such buffer");
    const uint64_t bytes = buffers_[need.buffer][need.rank].bytes;
    if (need.bytes > bytes) refuse(need.bytes, " bytes are needed, the buffer has ", bytes);
  }
}

}  // namespace schemoe::cuda
