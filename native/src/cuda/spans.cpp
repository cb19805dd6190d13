#include "cuda/spans.h"

#include <vector>

#include "cuda/check.h"

namespace schemoe::cuda {

namespace {

void one_by_one(std::span<const Span> spans, cudaStream_t stream) {
  for (const Span& s : spans) CUDA_CHECK(cudaMemcpyAsync(s.to, s.from, s.bytes, cudaMemcpyDefault, stream));
}

#if CUDART_VERSION >= 13000
void together(std::span<const Span> spans, cudaStream_t stream) {
  std::vector<void*> to;
  std::vector<const void*> from;
  std::vector<size_t> bytes;
  for (const Span& s : spans) {
    to.push_back(s.to);
    from.push_back(s.from);
    bytes.push_back(s.bytes);
  }
  cudaMemcpyAttributes attributes{};
  attributes.srcAccessOrder = cudaMemcpySrcAccessOrderStream;
  attributes.flags = cudaMemcpyFlagPreferOverlapWithCompute;
  size_t first = 0;
  CUDA_CHECK(cudaMemcpyBatchAsync(to.data(), from.data(), bytes.data(), bytes.size(), &attributes, &first, 1, stream));
}
#endif

}  // namespace

void copy_spans(std::span<const Span> spans, cudaStream_t stream, [[maybe_unused]] bool capturing) {
#if CUDART_VERSION >= 13000
  if (spans.size() > 1 && !capturing) return together(spans, stream);
#endif
  one_by_one(spans, stream);
}

}  // namespace schemoe::cuda
