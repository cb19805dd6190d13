// Memory that a lane's kernels use for themselves, kept so that later runs allocate nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/check.h"

namespace schemoe::cuda {

/// Kernels of one stream run one after another, so they can all use the same bytes.
class Scratch {
 public:
  Scratch() = default;
  ~Scratch() {
    tidy();
    cudaFree(data_);
    cudaFree(zeros_);
  }
  Scratch(const Scratch&) = delete;

  /// At least that many bytes on the current GPU.
  template <class T>
  T* get(size_t count, cudaStream_t) {
    const size_t bytes = count * sizeof(T);
    if (bytes > bytes_) grow(bytes);
    return static_cast<T*>(data_);
  }
  /// kZeros words that are 0 when a kernel begins and that it leaves so.
  unsigned* zeros() const { return zeros_; }
  static constexpr int64_t kZeros = 4096;
  /// Makes them on the current GPU, before anything else is on the stream.
  void make_zeros(cudaStream_t stream) {
    CUDA_CHECK(cudaMalloc(reinterpret_cast<void**>(&zeros_), kZeros * sizeof(unsigned)));
    CUDA_CHECK(cudaMemsetAsync(zeros_, 0, kZeros * sizeof(unsigned), stream));
  }
  /// Frees what was outgrown; to be called when nothing runs.
  void tidy() {
    for (void* old : old_) cudaFree(old);
    old_.clear();
  }
  /// How often the bytes have moved.
  uint64_t grown() const { return grown_; }

 private:
  /// Kernels may still use the old bytes, and freeing them would wait for the GPU, where other threads'
  /// kernels may wait for what this one has not launched yet.
  void grow(size_t bytes) {
    void* data = nullptr;
    CUDA_CHECK(cudaMalloc(&data, bytes));
    if (data_) old_.push_back(data_);
    data_ = data;
    bytes_ = bytes;
    ++grown_;
  }

  void* data_ = nullptr;
  size_t bytes_ = 0;
  std::vector<void*> old_;
  uint64_t grown_ = 0;
  unsigned* zeros_ = nullptr;
};

}  // namespace schemoe::cuda
