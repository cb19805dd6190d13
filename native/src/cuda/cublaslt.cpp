#include "cuda/cublaslt.h"

#include <dlfcn.h>

#include <mutex>

#include "runtime/failure.h"

namespace schemoe::cuda::lt {

namespace {

template <class Function>
void find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
  if (!function) fail(SCHEMOE_UNSUPPORTED, "Cannot open a CUDA engine: cuBLASLt has no ", name);
}

Library load() {
  void* handle = nullptr;
  std::string problem;
  for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12", "/usr/local/cuda/lib64/libcublasLt.so",
                           "libcublasLt.so"}) {
    handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (handle) break;
    if (problem.empty()) problem = dlerror();
  }
  if (!handle) {
    fail(SCHEMOE_UNSUPPORTED, "Cannot open a CUDA engine: matrix products need cuBLASLt (", problem,
         "); install it, or put its folder into LD_LIBRARY_PATH");
  }
  Library l;
  find(handle, "cublasLtCreate", l.create);
  find(handle, "cublasLtDestroy", l.destroy);
  find(handle, "cublasLtMatmulDescCreate", l.desc_create);
  find(handle, "cublasLtMatmulDescDestroy", l.desc_destroy);
  find(handle, "cublasLtMatmulDescSetAttribute", l.desc_set);
  find(handle, "cublasLtMatrixLayoutCreate", l.layout_create);
  find(handle, "cublasLtMatrixLayoutDestroy", l.layout_destroy);
  find(handle, "cublasLtMatrixLayoutSetAttribute", l.layout_set);
  find(handle, "cublasLtMatmulPreferenceCreate", l.preference_create);
  find(handle, "cublasLtMatmulPreferenceDestroy", l.preference_destroy);
  find(handle, "cublasLtMatmulPreferenceSetAttribute", l.preference_set);
  find(handle, "cublasLtMatmulAlgoGetHeuristic", l.heuristic);
  find(handle, "cublasLtMatmul", l.matmul);
  find(handle, "cublasLtMatmulAlgoConfigGetAttribute", l.config);
  find(handle, "cublasLtGetStatusName", l.status_name);
  return l;
}

}  // namespace

const Library& library() {
  // Not a plain static: a failure must be tried again, and it throws.
  static std::mutex mutex;
  static Library loaded;
  static bool done = false;
  const std::lock_guard lock(mutex);
  if (!done) {
    loaded = load();
    done = true;
  }
  return loaded;
}

Config config_of(const Algorithm& algorithm) {
  Config config;
  const auto ask = [&](int attribute, auto& value) {
    size_t written = 0;
    return library().config(&algorithm, attribute, &value, sizeof value, &written);
  };
  LT_CHECK(ask(kConfigId, config.id));
  LT_CHECK(ask(kConfigTile, config.tile));
  LT_CHECK(ask(kConfigSplit, config.split));
  LT_CHECK(ask(kConfigReduction, config.reduction));
  LT_CHECK(ask(kConfigStages, config.stages));
  // Older libraries do not know all of these attributes; unknown ones count as equal.
  ask(kConfigCustom, config.custom);
  ask(kConfigCluster, config.cluster);
  return config;
}

void check(Status status, const char* call, const char* file, int line) {
  if (status == kSuccess) return;
  const std::string path = file;
  fail(SCHEMOE_DEVICE, call, " failed at ", path.substr(path.rfind('/') + 1), ":", line, ": ",
       library().status_name(status));
}

}  // namespace schemoe::cuda::lt
