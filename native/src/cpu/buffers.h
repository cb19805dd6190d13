// Memory of the ranks: numbered buffers, each with bytes on every rank.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <vector>

#include "runtime/program.h"

namespace schemoe {

class Buffers {
 public:
  explicit Buffers(uint32_t ranks) : ranks_(ranks) {}

  uint32_t allocate(uint32_t id, std::span<const uint64_t> bytes);
  void free(uint32_t id);
  void write(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data);
  void read(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data);

  /// Between the two nothing can be allocated or freed. `hold` throws BUSY when already held.
  void hold();
  void release();

  /// Throws INVALID, naming task, rank and kernel, where a buffer of those ranks is missing or too small.
  void check(const Program& program, uint32_t first_rank = 0, uint32_t ranks = UINT32_MAX) const;

  /// Valid while held, for a view that `check` allowed.
  std::byte* at(const View& view, uint32_t rank) const {
    return buffers_[view.buffer][rank].data.get() + view.offset;
  }
  /// Bytes from there to the buffer's end.
  uint64_t bytes_from(const View& view, uint32_t rank) const { return buffers_[view.buffer][rank].bytes - view.offset; }

 private:
  struct Release {
    void operator()(std::byte* data) const { std::free(data); }
  };
  struct Piece {
    std::unique_ptr<std::byte, Release> data;
    uint64_t bytes = 0;
  };
  /// One piece a rank; empty where the buffer was freed.
  using Buffer = std::vector<Piece>;

  static Piece make(uint64_t bytes);
  const Piece& find(const char* what, uint32_t id, uint32_t rank, uint64_t offset, uint64_t bytes) const;
  void check_idle(const char* what) const;
  /// Throws bad_alloc where the system cannot give so many bytes.
  void ask_for(uint64_t bytes);

  const uint32_t ranks_;
  // Shared by reads and writes of contents, exclusive for changes of the list.
  mutable std::shared_mutex mutex_;
  std::vector<Buffer> buffers_;
  bool held_ = false;
  /// Bytes that were allocated since the system was asked whether it has them.
  uint64_t unasked_ = 0;
};

}  // namespace schemoe
