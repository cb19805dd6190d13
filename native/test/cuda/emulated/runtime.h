// What kernels tell the emulated runtime.
#pragma once

#include <string>

namespace emulated {

/// A kernel failed: the runtime's next `cudaGetLastError` says so.
void failed(const std::string& what);

}  // namespace emulated
