#include "nccl/library.h"

#include <dlfcn.h>

namespace schemoe::nccl {

namespace {

constexpr const char* kName = "libnccl.so.2";

template <class Function>
void find(void* handle, const Library& library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
  if (!function) {
    fail(SCHEMOE_UNSUPPORTED, "Cannot use NCCL: ", library.path, " has no ", name, "; version ", version_text(kOldest),
         " or newer is needed");
  }
}

/// The file that a function of the library was loaded from.
std::string path_of(const void* function, const std::string& otherwise) {
  Dl_info info{};
  return dladdr(function, &info) && info.dli_fname ? info.dli_fname : otherwise;
}

}  // namespace

std::string version_text(int version) {
  return join(version / 10000, ".", version / 100 % 100, ".", version % 100);
}

void Library::check(Result result, const char* what) const {
  if (result == kSuccess || result == kInProgress) return;
  const char* detail = last_error ? last_error(nullptr) : nullptr;
  fail(SCHEMOE_DEVICE, what, " failed: NCCL reports ", error_string(result), detail && *detail ? ", " : "",
       detail ? detail : "");
}

Library open_library(const std::string& path) {
  Library library;
  library.path = path.empty() ? kName : path;
  void* handle = dlopen(library.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    fail(SCHEMOE_UNSUPPORTED, "Cannot use NCCL: ", dlerror(), path.empty()
             ? "; install it, or give its path as the option `nccl` or in SCHEMOE_NCCL"
             : "; check the path that was given");
  }
  find(handle, library, "ncclGetVersion", library.get_version);
  library.path = path_of(reinterpret_cast<const void*>(library.get_version), library.path);
  if (library.get_version(&library.version) != kSuccess || library.version < kOldest) {
    fail(SCHEMOE_UNSUPPORTED, "Cannot use NCCL: ", library.path, " has version ", version_text(library.version), ", ",
         version_text(kOldest), " or newer is needed");
  }
  find(handle, library, "ncclGetErrorString", library.error_string);
  find(handle, library, "ncclGetLastError", library.last_error);
  find(handle, library, "ncclGetUniqueId", library.unique_id);
  find(handle, library, "ncclCommInitRankConfig", library.init);
  find(handle, library, "ncclCommDestroy", library.destroy);
  find(handle, library, "ncclCommAbort", library.abort);
  find(handle, library, "ncclCommGetAsyncError", library.async_error);
  find(handle, library, "ncclSend", library.send);
  find(handle, library, "ncclRecv", library.receive);
  find(handle, library, "ncclGroupStart", library.group_start);
  find(handle, library, "ncclGroupEnd", library.group_end);
  return library;
}

}  // namespace schemoe::nccl
