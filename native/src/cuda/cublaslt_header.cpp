// What cublaslt.h copies from the vendor's headers, compared with them where they are installed.
#include "cuda/cublaslt.h"

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>

#include "runtime/same_abi.h"

namespace schemoe::cuda::lt {

#define SAME(own, vendors) static_assert(static_cast<long>(own) == static_cast<long>(vendors))
SAME(kSuccess, CUBLAS_STATUS_SUCCESS);
SAME(kInvalidValue, CUBLAS_STATUS_INVALID_VALUE);
SAME(kNotSupported, CUBLAS_STATUS_NOT_SUPPORTED);
SAME(kCompute32F, CUBLAS_COMPUTE_32F);
SAME(kCompute32FFastTF32, CUBLAS_COMPUTE_32F_FAST_TF32);
SAME(kOpN, CUBLAS_OP_N);
SAME(kOpT, CUBLAS_OP_T);
SAME(kDescTransA, CUBLASLT_MATMUL_DESC_TRANSA);
SAME(kDescTransB, CUBLASLT_MATMUL_DESC_TRANSB);
SAME(kDescEpilogue, CUBLASLT_MATMUL_DESC_EPILOGUE);
SAME(kDescBias, CUBLASLT_MATMUL_DESC_BIAS_POINTER);
SAME(kDescBiasStride, CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE);
SAME(kEpilogueBias, CUBLASLT_EPILOGUE_BIAS);
SAME(kLayoutColumns, CUBLASLT_MATRIX_LAYOUT_COLS);
SAME(kLayoutBatchCount, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
SAME(kLayoutBatchStride, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
SAME(kPreferenceWorkspace, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
SAME(kPreferenceAlignmentA, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
SAME(kPreferenceAlignmentA + 1, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
SAME(kPreferenceAlignmentA + 2, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
SAME(kPreferenceAlignmentA + 3, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
SAME(kConfigId, CUBLASLT_ALGO_CONFIG_ID);
SAME(kConfigTile, CUBLASLT_ALGO_CONFIG_TILE_ID);
SAME(kConfigSplit, CUBLASLT_ALGO_CONFIG_SPLITK_NUM);
SAME(kConfigReduction, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME);
SAME(kConfigCustom, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION);
SAME(kConfigStages, CUBLASLT_ALGO_CONFIG_STAGES_ID);
SAME(kConfigCluster, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID);

static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(Heuristic) == sizeof(cublasLtMatmulHeuristicResult_t));
SAME(offsetof(Heuristic, workspace_bytes), offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
SAME(offsetof(Heuristic, state), offsetof(cublasLtMatmulHeuristicResult_t, state));
SAME(offsetof(Heuristic, waves), offsetof(cublasLtMatmulHeuristicResult_t, wavesCount));
#undef SAME

#define CALLED_LIKE(member, function) static_assert(kSameAbi<decltype(Library::member), decltype(&function)>)
CALLED_LIKE(create, cublasLtCreate);
CALLED_LIKE(destroy, cublasLtDestroy);
CALLED_LIKE(desc_create, cublasLtMatmulDescCreate);
CALLED_LIKE(desc_destroy, cublasLtMatmulDescDestroy);
CALLED_LIKE(desc_set, cublasLtMatmulDescSetAttribute);
CALLED_LIKE(layout_create, cublasLtMatrixLayoutCreate);
CALLED_LIKE(layout_destroy, cublasLtMatrixLayoutDestroy);
CALLED_LIKE(layout_set, cublasLtMatrixLayoutSetAttribute);
CALLED_LIKE(preference_create, cublasLtMatmulPreferenceCreate);
CALLED_LIKE(preference_destroy, cublasLtMatmulPreferenceDestroy);
CALLED_LIKE(preference_set, cublasLtMatmulPreferenceSetAttribute);
CALLED_LIKE(heuristic, cublasLtMatmulAlgoGetHeuristic);
CALLED_LIKE(matmul, cublasLtMatmul);
CALLED_LIKE(config, cublasLtMatmulAlgoConfigGetAttribute);
CALLED_LIKE(status_name, cublasLtGetStatusName);
#undef CALLED_LIKE

}  // namespace schemoe::cuda::lt
#endif
