// A run that is launched as one graph.
#pragma once

#include <utility>

#include "cuda/check.h"

namespace schemoe::cuda {

class Graph {
 public:
  Graph() = default;
  ~Graph() { reset(); }
  Graph(const Graph&) = delete;

  void reset() {
    if (exec_) cudaGraphExecDestroy(std::exchange(exec_, nullptr));
  }
  /// From what was captured, which stays the caller's.
  void make(cudaGraph_t captured, cudaStream_t stream) {
    reset();
    CUDA_CHECK(cudaGraphInstantiateWithFlags(&exec_, captured, 0));
    CUDA_CHECK(cudaGraphUpload(exec_, stream));
  }
  explicit operator bool() const { return exec_ != nullptr; }
  void launch(cudaStream_t stream) const { CUDA_CHECK(cudaGraphLaunch(exec_, stream)); }

 private:
  cudaGraphExec_t exec_ = nullptr;
};

}  // namespace schemoe::cuda
