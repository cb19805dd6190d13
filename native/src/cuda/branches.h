// Streams beside one.
#pragma once

#include "cuda/products.h"

namespace schemoe::cuda {

/// Streams forked from one and joined by it.
struct Products::Branches {
  static constexpr int kCount = 3;
  cudaStream_t streams[kCount] = {};
  cudaEvent_t begun = nullptr, ended[kCount] = {};

  Branches() {
    CUDA_CHECK(cudaEventCreateWithFlags(&begun, cudaEventDisableTiming));
    for (int i = 0; i < kCount; ++i) {
      CUDA_CHECK(cudaStreamCreateWithFlags(&streams[i], cudaStreamNonBlocking));
      CUDA_CHECK(cudaEventCreateWithFlags(&ended[i], cudaEventDisableTiming));
    }
  }
  ~Branches() {
    for (cudaStream_t stream : streams) {
      if (stream) cudaStreamDestroy(stream);
    }
    for (cudaEvent_t event : {begun, ended[0], ended[1], ended[2]}) {
      if (event) cudaEventDestroy(event);
    }
  }
  void begin(cudaStream_t from) const {
    CUDA_CHECK(cudaEventRecord(begun, from));
    for (cudaStream_t stream : streams) CUDA_CHECK(cudaStreamWaitEvent(stream, begun, 0));
  }
  void end(cudaStream_t to) const {
    for (int i = 0; i < kCount; ++i) {
      CUDA_CHECK(cudaEventRecord(ended[i], streams[i]));
      CUDA_CHECK(cudaStreamWaitEvent(to, ended[i], 0));
    }
  }
};

}  // namespace schemoe::cuda
