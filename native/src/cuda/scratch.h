// Memory that a lane's kernels use for themselves, kept so that later runs allocate nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/check.h"

namespace schemoe::cuda {

/// Kernels of one stream run one after another, so they can all use the same bytes.
class Scratch {
 public:
  Scratch() = default;
  ~Scratch() { cudaFree(data_); }
  Scratch(const Scratch&) = delete;

  /// At least that many bytes on the current GPU.
  template <class T>
  T* get(size_t count, cudaStream_t stream) {
    const size_t bytes = count * sizeof(T);
    if (bytes > bytes_) grow(bytes, stream);
    return static_cast<T*>(data_);
  }
  /// How often the bytes have moved.
  uint64_t grown() const { return grown_; }

 private:
  void grow(size_t bytes, cudaStream_t stream) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    CUDA_CHECK(cudaStreamIsCapturing(stream, &status));
    // Kernels may still use the old ones; those that are only being captured do not.
    if (status == cudaStreamCaptureStatusNone) CUDA_CHECK(cudaStreamSynchronize(stream));
    cudaFree(data_);
    data_ = nullptr;
    bytes_ = 0;
    ++grown_;
    CUDA_CHECK(cudaMalloc(&data_, bytes));
    bytes_ = bytes;
  }

  void* data_ = nullptr;
  size_t bytes_ = 0;
  uint64_t grown_ = 0;
};

}  // namespace schemoe::cuda
