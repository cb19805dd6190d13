// Which algorithm a product gets, with a stand-in for cuBLASLt and for the few calls of CUDA that choosing one
// needs: no GPU.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "check.h"
#include "cuda/kernels/tuning.h"
#include "cuda/products.h"
#include "fake_cublaslt.h"
#include "packed.h"

namespace {

/// The algorithm whose results have other bits than all others', and whether memory is left.
int different = -1;
bool memory_left = true;
std::map<cudaEvent_t, double> marks;

}  // namespace

extern "C" {
cudaError_t cudaMalloc(void** to, size_t) {
  *to = memory_left ? std::malloc(4096) : nullptr;
  return memory_left ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFree(void* data) { return std::free(data), cudaSuccess; }
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t) { return std::memset(to, value, bytes), cudaSuccess; }
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  if (kind == cudaMemcpyDeviceToHost) std::memcpy(to, from, bytes);  // results are not there
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return *event = static_cast<cudaEvent_t>(std::malloc(1)), cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return std::free(event), cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) { return marks[event] = fake_cublaslt.clock, cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* to, cudaEvent_t from, cudaEvent_t until) {
  return *to = static_cast<float>(marks.at(until) - marks.at(from)), cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) { return *can = 1, cudaSuccess; }
cudaError_t cudaDeviceEnablePeerAccess(int, unsigned) { return cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t) { return "fake"; }
const char* cudaGetErrorString(cudaError_t) { return "fake"; }
}

namespace schemoe::cuda {

void numbers(void*, int64_t, schemoe_dtype, uint32_t, cudaStream_t) {}
void find_difference(const void*, const void*, int64_t, unsigned* found, cudaStream_t) {
  if (fake_cublaslt.last == different) *found = 1;
}
void Products::find_hopper(const World&) {}
void rectify(const Gemm&, void*, cudaStream_t) {}

}  // namespace schemoe::cuda

namespace {

using schemoe::Gemm;
using schemoe::cuda::Products;
using schemoe::cuda::World;

struct Shape {
  int64_t m, k;
  bool trans_a = true;
  schemoe_dtype dtype = SCHEMOE_BF16;
};

Gemm gemm_of(const Shape& s) {
  constexpr int64_t kGroups = 2, kColumns = 1024;
  Words words;
  words.i(s.dtype, s.dtype, s.trans_a, 0, kGroups, s.m, kColumns, s.k)
      .m(0, s.trans_a ? s.m : s.k, s.m * s.k).m(1, kColumns, s.k * kColumns).m(2, kColumns, s.m * kColumns)
      .f(1).f(0).none().i(0, 0);
  std::vector<schemoe::Extent> extents;
  schemoe::Reader reader("iiiiiiiiviiviiviiffvii", words.list, extents);
  return Gemm(reader);
}

/// Products of an engine, and how many a call runs.
class Tuned {
 public:
  explicit Tuned(bool tune = true) : world_(schemoe::CudaOptions{}), products_(world_, false, tune) {
    fake_cublaslt = {};
    different = -1;
    memory_left = true;
  }
  int tune(const Shape& shape) {
    const int before = fake_cublaslt.products;
    products_.tune(gemm_of(shape), operands_, {0, nullptr, nullptr});
    return fake_cublaslt.products - before;
  }
  /// The algorithm that a product then has.
  int algorithm(const Shape& shape) {
    fake_cublaslt.last = -1;
    CHECK(products_.run(gemm_of(shape), operands_, 0, nullptr, nullptr, false));
    return fake_cublaslt.last;
  }
  const auto& trials() const { return products_.trials(); }

 private:
  World world_;
  Products products_;
  // Nothing reads or writes there.
  const schemoe::cuda::Operands operands_{reinterpret_cast<void*>(4096), reinterpret_cast<void*>(4096),
                                          reinterpret_cast<void*>(4096), nullptr};
};

void fastest() {
  Tuned tuned;
  CHECK(tuned.tune({1024, 1024}) > FakeCublasLt::kAlgorithms);
  CHECK_EQUAL(tuned.algorithm({1024, 1024}), 2);
  CHECK_EQUAL(tuned.tune({1024, 1024}), 0);  // known
  CHECK_EQUAL(tuned.trials().size(), size_t{1});
}

void of_equal_bits() {
  Tuned tuned;
  different = 2;
  tuned.tune({1024, 1024});
  CHECK_EQUAL(tuned.algorithm({1024, 1024}), 1);
  CHECK(!tuned.trials().front().candidates.at(2).equal);
  Tuned split;
  fake_cublaslt.split[2] = fake_cublaslt.split[1] = 4;  // other sums, even if these came out the same
  split.tune({1024, 1024});
  CHECK_EQUAL(split.algorithm({1024, 1024}), 3);
}

void nearly_as_fast() {
  Tuned tuned;
  fake_cublaslt.milliseconds[0] = 2.01;  // by half a percent
  tuned.tune({1024, 1024});
  CHECK_EQUAL(tuned.algorithm({1024, 1024}), 0);  // the library's own
}

void left_alone() {
  Tuned plain(false), tuned;
  CHECK_EQUAL(plain.tune({1024, 1024}), 0);
  CHECK_EQUAL(plain.algorithm({1024, 1024}), 0);
  CHECK_EQUAL(tuned.tune({64, 64}), 0);
  CHECK_EQUAL(tuned.tune({1024, 1024, true, SCHEMOE_F32}), 0);
  memory_left = false;
  CHECK_EQUAL(tuned.tune({1024, 1024}), 0);
  CHECK_EQUAL(tuned.algorithm({1024, 1024}), 0);
  CHECK_EQUAL(tuned.trials().size(), size_t{0});
}

void nearly_as_many_rows() {
  for (bool trans_a : {true, false}) {
    const auto rows = [&](int64_t count) { return trans_a ? Shape{1024, count, true} : Shape{count, 1024, false}; };
    Tuned tuned;
    tuned.tune(rows(1024));
    CHECK_EQUAL(tuned.tune(rows(1032)), 2);  // its own first and the one that was measured
    CHECK_EQUAL(tuned.algorithm(rows(1032)), 2);
    CHECK(!tuned.trials().back().measured);
    CHECK_EQUAL(tuned.tune(rows(1280)), 2);
    CHECK(tuned.tune(rows(1288)) > 2);  // too far
    // What comes first for it is the same one: nothing to compare.
    fake_cublaslt.offered[0] = 2, fake_cublaslt.offered[2] = 0;
    CHECK_EQUAL(tuned.tune(rows(1040)), 0);
    CHECK_EQUAL(tuned.algorithm(rows(1040)), 2);
    // It has other bits there.
    fake_cublaslt.offered[0] = 0, fake_cublaslt.offered[2] = 2;
    different = 2;
    CHECK_EQUAL(tuned.tune(rows(1048)), 2);
    CHECK_EQUAL(tuned.algorithm(rows(1048)), 0);
    // It is not offered: measured anew.
    different = -1;
    fake_cublaslt.offered[2] = 1;
    CHECK(tuned.tune(rows(1056)) > 2);
    CHECK_EQUAL(tuned.algorithm(rows(1056)), 1);
  }
}

void other_products() {
  Tuned tuned;
  tuned.tune({1024, 1024, true});
  CHECK(tuned.tune({1032, 1024, true}) > 2);  // those are no rows
  CHECK(tuned.tune({1024, 1024, false}) > 2);
}

void older_library() {
  Tuned tuned;
  fake_cublaslt.knows_all = false;
  tuned.tune({1024, 1024});
  CHECK_EQUAL(tuned.algorithm({1024, 1024}), 2);
  CHECK_EQUAL(tuned.tune({1024, 1032}), 2);
  CHECK_EQUAL(tuned.algorithm({1024, 1032}), 2);
}

}  // namespace

int main() {
  fastest();
  of_equal_bits();
  nearly_as_fast();
  left_alone();
  nearly_as_many_rows();
  other_products();
  older_library();
  return check::result();
}
