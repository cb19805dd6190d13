// Copies that copy engines make.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace schemoe::cuda {

struct Span {
  std::byte* to;
  const std::byte* from;
  uint64_t bytes;
};

/// Enqueues copies of one stream that may be made in any order. In one call where that is possible: copies of experts'
/// rows are many and small, and one by one the host would take longer than the links.
/// @param capturing into a graph, for which there is no such call.
void copy_spans(std::span<const Span> spans, cudaStream_t stream, bool capturing);

}  // namespace schemoe::cuda
