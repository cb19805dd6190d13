// Kernels that are right, and that have a fault when they are asked to.
#pragma once

#include <string>
#include <vector>

namespace faults {

constexpr int kThreads = 128;

struct Faulty {
  const char* name;
  /// On kThreads integers.
  void (*launch)(int* x, bool wrong);
  /// What the emulation says of the fault; nothing: there is none.
  std::vector<std::string> words;
};
std::vector<Faulty> all();

}  // namespace faults
