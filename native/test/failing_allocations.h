// Allocations that fail on purpose: operator new of the whole test. Included by one file of a test.
#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

namespace allocations {

/// Allocations until one fails; negative: none does.
inline std::atomic<long> left = -1;
/// All so far.
inline std::atomic<long> made = 0;

inline void* get(size_t bytes) {
  ++made;
  if (left >= 0 && left.fetch_sub(1) == 0) throw std::bad_alloc();
  if (void* memory = std::malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}

/// While it lives, the allocation after `skipped` others fails, and no other.
struct Failing {
  explicit Failing(long skipped) { left = skipped; }
  ~Failing() { left = -1; }
  /// Whether there were so many.
  bool failed() const { return left < 0; }
};

}  // namespace allocations

void* operator new(size_t bytes) { return allocations::get(bytes); }
void* operator new[](size_t bytes) { return allocations::get(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
