#include "fake_cublaslt.h"

#include <cstdint>
#include <cstring>

#include "cuda/cublaslt.h"

#define ENTRY extern "C" __attribute__((visibility("default")))

using namespace schemoe::cuda::lt;

FakeCublasLt fake_cublaslt;

namespace {

template <class Pointer>
Status make(Pointer* made) {
  *made = reinterpret_cast<Pointer>(&fake_cublaslt);
  return kSuccess;
}

}  // namespace

ENTRY Status cublasLtCreate(Handle* made) { return make(made); }
ENTRY Status cublasLtMatmulDescCreate(MatmulDesc* made, int, cudaDataType_t) { return make(made); }
ENTRY Status cublasLtMatrixLayoutCreate(MatrixLayout* made, cudaDataType_t, uint64_t, uint64_t, int64_t) { return make(made); }
ENTRY Status cublasLtMatmulPreferenceCreate(Preference* made) { return make(made); }
ENTRY Status cublasLtDestroy(Handle) { return kSuccess; }
ENTRY Status cublasLtMatmulDescDestroy(MatmulDesc) { return kSuccess; }
ENTRY Status cublasLtMatrixLayoutDestroy(MatrixLayout) { return kSuccess; }
ENTRY Status cublasLtMatmulPreferenceDestroy(Preference) { return kSuccess; }
ENTRY Status cublasLtMatmulDescSetAttribute(MatmulDesc, int, const void*, size_t) { return kSuccess; }
ENTRY Status cublasLtMatrixLayoutSetAttribute(MatrixLayout, int, const void*, size_t) { return kSuccess; }
ENTRY Status cublasLtMatmulPreferenceSetAttribute(Preference, int, const void*, size_t) { return kSuccess; }
ENTRY const char* cublasLtGetStatusName(Status) { return "FAKE"; }

ENTRY Status cublasLtMatmulAlgoGetHeuristic(Handle, MatmulDesc, MatrixLayout, MatrixLayout, MatrixLayout, MatrixLayout,
                                            Preference, int requested, Heuristic* to, int* found) {
  *found = requested < FakeCublasLt::kAlgorithms ? requested : FakeCublasLt::kAlgorithms;
  for (int i = 0; i < *found; ++i) {
    to[i] = {};
    to[i].algorithm.data[0] = static_cast<uint64_t>(fake_cublaslt.offered[i]);
    to[i].state = kSuccess;
  }
  return kSuccess;
}

ENTRY Status cublasLtMatmul(Handle, MatmulDesc, const void*, const void*, MatrixLayout, const void*, MatrixLayout,
                            const void*, const void*, MatrixLayout, void*, MatrixLayout, const Algorithm* algorithm, void*,
                            size_t, cudaStream_t) {
  fake_cublaslt.last = static_cast<int>(algorithm->data[0]);
  fake_cublaslt.clock += fake_cublaslt.milliseconds[fake_cublaslt.last];
  ++fake_cublaslt.products;
  return kSuccess;
}

ENTRY Status cublasLtMatmulAlgoConfigGetAttribute(const Algorithm* algorithm, int attribute, void* value, size_t size,
                                                  size_t* written) {
  if (!fake_cublaslt.knows_all && attribute > kConfigReduction && attribute != kConfigStages) return kInvalidValue;
  const auto number = static_cast<uint32_t>(algorithm->data[0]);
  uint32_t answer = 0;
  if (attribute == kConfigTile) answer = 100 + number;
  if (attribute == kConfigSplit) answer = static_cast<uint32_t>(fake_cublaslt.split[number]);
  std::memset(value, 0, size);
  std::memcpy(value, &answer, size < sizeof answer ? size : sizeof answer);
  *written = size;
  return kSuccess;
}
