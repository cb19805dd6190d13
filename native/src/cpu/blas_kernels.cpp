#include <cblas.h>

#include <cstdlib>
#include <string_view>

// Of OpenBLAS where it holds kernels for several processors (DYNAMIC_ARCH); absent where it was built for one.
extern "C" {
[[gnu::weak]] void gotoblas_dynamic_init();
[[gnu::weak]] void gotoblas_dynamic_quit();
}

namespace schemoe {

namespace {

/// Kernels that this processor can run and that are wider than those for any of 64 bits; null where there are none.
const char* wider() {
#ifdef __x86_64__
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512) return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return nullptr;
}

/// OpenBLAS chooses its kernels by the processor's model when it is loaded, before this. For an Intel model newer than
/// itself it takes those of a Prescott (SSE3, 2004), a third to a fifth as fast; then it is told what the processor can.
/// A choice of the user (OPENBLAS_CORETYPE) stays.
[[gnu::constructor]] void choose_kernels() {
  if (std::getenv("OPENBLAS_CORETYPE") || !gotoblas_dynamic_init || !gotoblas_dynamic_quit) return;
  if (std::string_view(openblas_get_corename()) != "Prescott") return;
  const char* core = wider();
  if (!core) return;
  ::setenv("OPENBLAS_CORETYPE", core, 1);
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  ::unsetenv("OPENBLAS_CORETYPE");
}

}  // namespace

}  // namespace schemoe
