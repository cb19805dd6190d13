// The few entries of cuBLASLt that products need, declared here (cublaslt_header.cpp compares them with the
// vendor's headers where these are installed) and found at run time, so that the
// library builds without its headers and loads on machines without it.
#pragma once

#include <cuda_runtime_api.h>
#include <library_types.h>

#include <cstddef>
#include <cstdint>

namespace schemoe::cuda::lt {

using Status = int;
using Handle = void*;
using MatmulDesc = void*;
using MatrixLayout = void*;
using Preference = void*;

// Values of the library's enumerations (cublas_api.h, cublasLt.h; unchanged since CUDA 11).
inline constexpr Status kSuccess = 0;
inline constexpr Status kInvalidValue = 7;
inline constexpr Status kNotSupported = 15;
inline constexpr int kCompute32F = 68;
inline constexpr int kCompute32FFastTF32 = 77;
inline constexpr int32_t kOpN = 0;
inline constexpr int32_t kOpT = 1;
inline constexpr int kDescTransA = 3;
inline constexpr int kDescTransB = 4;
inline constexpr int kDescEpilogue = 7;
inline constexpr int kDescBias = 8;
inline constexpr int kDescBiasStride = 10;
inline constexpr uint32_t kEpilogueBias = 4;
inline constexpr int kLayoutColumns = 3;
inline constexpr int kLayoutBatchCount = 5;
inline constexpr int kLayoutBatchStride = 6;
inline constexpr int kPreferenceWorkspace = 1;
inline constexpr int kPreferenceAlignmentA = 5;  // then B, C, D
inline constexpr int kConfigId = 0;
inline constexpr int kConfigTile = 1;
inline constexpr int kConfigSplit = 2;
inline constexpr int kConfigReduction = 3;
inline constexpr int kConfigCustom = 5;
inline constexpr int kConfigStages = 6;
inline constexpr int kConfigCluster = 8;

struct Algorithm {
  uint64_t data[8];
};

struct Heuristic {
  Algorithm algorithm;
  size_t workspace_bytes;
  Status state;
  float waves;
  int reserved[4];
};

/// Attributes of an algorithm.
struct Config {
  int32_t id = 0;
  uint32_t tile = 0;
  int32_t split = 0;       // parts of k that are summed by themselves
  uint32_t reduction = 0;  // how those are added up
  uint32_t stages = 0;
  uint32_t custom = 0;
  uint16_t cluster = 0;
  bool operator==(const Config&) const = default;
};
Config config_of(const Algorithm& algorithm);

struct Library {
  Status (*create)(Handle*);
  Status (*destroy)(Handle);
  Status (*desc_create)(MatmulDesc*, int compute, cudaDataType_t scale);
  Status (*desc_destroy)(MatmulDesc);
  Status (*desc_set)(MatmulDesc, int attribute, const void*, size_t);
  Status (*layout_create)(MatrixLayout*, cudaDataType_t, uint64_t rows, uint64_t columns, int64_t ld);
  Status (*layout_destroy)(MatrixLayout);
  Status (*layout_set)(MatrixLayout, int attribute, const void*, size_t);
  Status (*preference_create)(Preference*);
  Status (*preference_destroy)(Preference);
  Status (*preference_set)(Preference, int attribute, const void*, size_t);
  Status (*heuristic)(Handle, MatmulDesc, MatrixLayout a, MatrixLayout b, MatrixLayout c, MatrixLayout d, Preference,
                      int requested, Heuristic*, int* found);
  Status (*matmul)(Handle, MatmulDesc, const void* alpha, const void* a, MatrixLayout, const void* b, MatrixLayout,
                   const void* beta, const void* c, MatrixLayout, void* d, MatrixLayout, const Algorithm*,
                   void* workspace, size_t workspace_bytes, cudaStream_t);
  Status (*config)(const Algorithm*, int attribute, void*, size_t, size_t* written);
  const char* (*status_name)(Status);
};

/// Loads the library on first use. Throws UNSUPPORTED where it is missing.
const Library& library();

/// Throws DEVICE unless the call succeeded.
void check(Status status, const char* call, const char* file, int line);

}  // namespace schemoe::cuda::lt

#define LT_CHECK(call) ::schemoe::cuda::lt::check((call), #call, __FILE__, __LINE__)
