// Words in the host's memory that kernels and the host both see.
#pragma once

#include <atomic>
#include <cstdint>

#include "cuda/check.h"

namespace schemoe::cuda {

/// A flag to stop, and two per host kernel: the stream has arrived, and it may continue.
class Signals {
 public:
  ~Signals() { cudaFreeHost(words_); }

  /// Room for `hosts` host kernels, all flags clear. Only while nothing runs.
  void reset(uint32_t hosts) {
    if (!words_ || room_ < hosts) {
      cudaFreeHost(words_);
      words_ = nullptr;
      CUDA_CHECK(cudaHostAlloc(reinterpret_cast<void**>(&words_), (size_t{2} * hosts + 1) * sizeof(uint32_t),
                               cudaHostAllocPortable | cudaHostAllocMapped));
      room_ = hosts;
    }
    for (size_t i = 0; i < size_t{2} * room_ + 1; ++i) words_[i] = 0;
  }

  uint32_t* stop() { return words_; }
  uint32_t* arrived(uint32_t slot) { return words_ + 1 + 2 * slot; }
  uint32_t* go(uint32_t slot) { return words_ + 2 + 2 * slot; }

  static bool is_set(uint32_t* flag) { return std::atomic_ref(*flag).load(std::memory_order_acquire) != 0; }
  static void set(uint32_t* flag) { std::atomic_ref(*flag).store(1, std::memory_order_release); }

 private:
  uint32_t* words_ = nullptr;
  uint32_t room_ = 0;
};

}  // namespace schemoe::cuda
