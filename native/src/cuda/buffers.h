// Memory of the ranks on their GPUs: numbered buffers, each with bytes on every rank.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <vector>

#include "cuda/world.h"
#include "runtime/program.h"

namespace schemoe::cuda {

class Buffers {
 public:
  explicit Buffers(const World& world);
  ~Buffers();
  Buffers(const Buffers&) = delete;

  uint32_t allocate(uint32_t id, std::span<const uint64_t> bytes);
  void free(uint32_t id);
  void write(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data);
  void read(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data);
  /// As many bytes of each rank, one after another: few ones with one wait for all.
  void read_all(uint32_t id, uint64_t offset, uint64_t bytes, uint8_t* data);

  /// Between the two nothing can be allocated or freed. `hold` throws BUSY when already held.
  void hold();
  void release();

  /// Throws INVALID, naming task, rank and kernel, where a buffer is missing or too small.
  void check(const Program& program) const;

  /// Valid while held, for a view that `check` allowed.
  std::byte* at(const View& view, uint32_t rank) const { return buffers_[view.buffer][rank].data + view.offset; }
  /// Changes whenever an address may have changed.
  uint64_t generation() const { return generation_; }

 private:
  struct Piece {
    std::byte* data = nullptr;
    uint64_t bytes = 0;
  };
  /// One piece a rank; empty where the buffer was freed.
  using Buffer = std::vector<Piece>;

  Piece make(uint32_t rank, uint64_t bytes) const;
  void drop(Piece& piece, uint32_t rank) const noexcept;
  const Piece& find(const char* what, uint32_t id, uint32_t rank, uint64_t offset, uint64_t bytes) const;
  void check_idle(const char* what) const;

  const World& world_;
  // Shared by reads and writes of contents, exclusive for changes of the list.
  mutable std::shared_mutex mutex_;
  std::vector<Buffer> buffers_;
  uint64_t generation_ = 1;
  bool held_ = false;
  // Memory of the host that GPUs write without help, for `read_all`.
  std::mutex staging_;
  std::byte* staged_ = nullptr;
};

}  // namespace schemoe::cuda
