#include "cpu/buffers.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "cpu/available_memory.h"
#include "runtime/failure.h"

namespace schemoe {

namespace {

// A cache line, and enough for any vector instruction.
constexpr uint64_t kAlignment = 64;
constexpr uint64_t kMostBytes = uint64_t{1} << 46;
// The system is asked before every so many bytes: where it promises more than it has, it ends a process to get it back.
constexpr uint64_t kAskedEvery = uint64_t{1} << 26;
// What is left to others, and to the rest of this process.
constexpr uint64_t kLeft = uint64_t{1} << 27;
// What was freed is given back to the system every so many bytes: the allocator keeps it for later, which others lack.
constexpr uint64_t kGivenBackEvery = uint64_t{1} << 28;

void give_back() noexcept {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

bool system_has(uint64_t bytes) noexcept { return bytes + kLeft <= available_memory(); }

uint64_t sum_of(const auto& pieces) noexcept {
  uint64_t sum = 0;
  for (const auto& piece : pieces) sum += piece.bytes;
  return sum;
}

}  // namespace

Buffers::Piece Buffers::make(uint64_t bytes) {
  if (bytes > kMostBytes) throw std::bad_alloc();
  // Never empty, so that every pointer into it is valid.
  const uint64_t rounded = (std::max<uint64_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  Piece piece;
  piece.data.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)));
  if (!piece.data) throw std::bad_alloc();
  piece.bytes = bytes;
  std::memset(piece.data.get(), 0xff, rounded);
  return piece;
}

void Buffers::ask_for(uint64_t bytes) {
  if (unasked_ + bytes >= kAskedEvery) {
    if (!system_has(bytes)) {
      give_back();
      if (!system_has(bytes)) throw std::bad_alloc();
    }
    unasked_ = 0;
  } else {
    unasked_ += bytes;
  }
}

void Buffers::check_idle(const char* what) const {
  if (held_) fail(SCHEMOE_BUSY, "Cannot ", what, " a buffer: a run is in progress");
}

uint32_t Buffers::allocate(uint32_t id, std::span<const uint64_t> bytes) {
  const std::unique_lock lock(mutex_);
  check_idle("allocate");
  if (id != UINT32_MAX && (id >= buffers_.size() || buffers_[id].empty())) {
    fail_at({.buffer = id}, SCHEMOE_INVALID, "Cannot allocate: there is no such buffer");
  }
  try {
    const Buffer none(ranks_);
    const Buffer& old = id == UINT32_MAX ? none : buffers_[id];
    Buffer fresh(ranks_);
    const auto changes = [&](uint32_t rank) { return !old[rank].data || old[rank].bytes != bytes[rank]; };
    uint64_t needed = 0;
    for (uint32_t rank = 0; rank < ranks_; ++rank) needed += changes(rank) ? std::min(bytes[rank], kMostBytes) : 0;
    ask_for(needed);
    for (uint32_t rank = 0; rank < ranks_; ++rank) {
      if (changes(rank)) fresh[rank] = make(bytes[rank]);
    }
    // Nothing fails from here on, so that a failure leaves the buffer as it was.
    if (id == UINT32_MAX) {
      const auto freed = std::find_if(buffers_.begin(), buffers_.end(), [](const Buffer& b) { return b.empty(); });
      id = static_cast<uint32_t>(freed - buffers_.begin());
      if (freed == buffers_.end()) buffers_.push_back(std::move(fresh));
      else *freed = std::move(fresh);
    } else {
      for (uint32_t rank = 0; rank < ranks_; ++rank) {
        if (fresh[rank].data) buffers_[id][rank] = std::move(fresh[rank]);
      }
    }
  } catch (const std::bad_alloc&) {
    uint64_t total = 0;
    for (uint64_t size : bytes) total += std::min(size, kMostBytes);
    fail_at({.buffer = id}, SCHEMOE_OUT_OF_MEMORY, "Cannot allocate ", total, " bytes over ", ranks_, " ranks: no memory");
  }
  return id;
}

void Buffers::free(uint32_t id) {
  const std::unique_lock lock(mutex_);
  check_idle("free");
  if (id >= buffers_.size() || buffers_[id].empty()) {
    fail_at({.buffer = id}, SCHEMOE_INVALID, "Cannot free: there is no such buffer");
  }
  static std::atomic<uint64_t> freed = 0;
  const uint64_t bytes = sum_of(buffers_[id]);
  buffers_[id].clear();
  if (freed.fetch_add(bytes) + bytes < kGivenBackEvery) return;
  freed = 0;
  give_back();
}

const Buffers::Piece& Buffers::find(const char* what, uint32_t id, uint32_t rank, uint64_t offset,
                                    uint64_t bytes) const {
  if (id >= buffers_.size() || buffers_[id].empty()) {
    fail_at({.buffer = id}, SCHEMOE_INVALID, "Cannot ", what, ": there is no such buffer");
  }
  if (rank >= ranks_) fail_at({.rank = rank, .buffer = id}, SCHEMOE_INVALID, "Cannot ", what, ": there are ", ranks_, " ranks");
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
  if (!data.empty()) std::memcpy(piece.data.get() + offset, data.data(), data.size());
}

void Buffers::read(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data) {
  const std::shared_lock lock(mutex_);
  const Piece& piece = find("read", id, rank, offset, data.size());
  if (!data.empty()) std::memcpy(data.data(), piece.data.get() + offset, data.size());
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

void Buffers::check(const Program& program, uint32_t first_rank, uint32_t ranks) const {
  for (const Requirement& need : program.requirements) {
    if (need.rank < first_rank || need.rank - first_rank >= ranks) continue;
    const auto refuse = [&](const auto&... problem) {
      fail_at({program.operations[need.operation].task, need.rank, need.buffer}, SCHEMOE_INVALID, "Cannot run kernel ",
              need.kernel->name, ": ", problem...);
    };
    if (need.buffer >= buffers_.size() || buffers_[need.buffer].empty()) refuse("there is no such buffer");
    const uint64_t bytes = buffers_[need.buffer][need.rank].bytes;
    if (need.bytes > bytes) refuse(need.bytes, " bytes are needed, the buffer has ", bytes);
  }
}

}  // namespace schemoe
