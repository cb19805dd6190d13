// The build of the library and its layouts, for tests of the other side of the FFI.
#pragma once

#include <string>

namespace schemoe {

/// JSON: struct sizes and member offsets, kernel codes and argument letters, build features.
std::string describe();

}  // namespace schemoe
