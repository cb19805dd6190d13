#include <cblas.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <vector>

// Of OpenBLAS where it holds kernels for several processors (DYNAMIC_ARCH); absent where it was built for one.
extern "C" {
[[gnu::weak]] void gotoblas_dynamic_init();
[[gnu::weak]] void gotoblas_dynamic_quit();
}

namespace schemoe {

namespace {

/// Asks for kernels that this processor can run and that are wider than those for any of 64 bits; null where there
/// are none.
const char* wider() {
#ifdef __x86_64__
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512) return "OPENBLAS_CORETYPE=SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "OPENBLAS_CORETYPE=Haswell";
#endif
  return nullptr;
}

/// Loads the kernels of `setting`, by the only way that OpenBLAS offers: a variable. Other threads may read variables
/// meanwhile, so none is set: they find the old list or a longer one, each whole and never freed.
void load_kernels(const char* setting) {
  static std::vector<char*> longer;
  char** const before = environ;
  for (char** variable = before; variable && *variable; ++variable) longer.push_back(*variable);
  longer.push_back(const_cast<char*>(setting));
  longer.push_back(nullptr);
  __atomic_store_n(&environ, longer.data(), __ATOMIC_SEQ_CST);
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  char** ours = longer.data();
  __atomic_compare_exchange_n(&environ, &ours, before, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/// OpenBLAS chooses its kernels by the processor's model when it is loaded, before this. For an Intel model newer than
/// itself it takes those of a Prescott (SSE3, 2004), a third to a fifth as fast; then it is told what the processor can.
/// A choice of the user (OPENBLAS_CORETYPE) stays.
[[gnu::constructor]] void choose_kernels() {
  if (std::getenv("OPENBLAS_CORETYPE") || !gotoblas_dynamic_init || !gotoblas_dynamic_quit) return;
  if (std::string_view(openblas_get_corename()) != "Prescott") return;
  if (const char* setting = wider()) load_kernels(setting);
}

}  // namespace

}  // namespace schemoe
