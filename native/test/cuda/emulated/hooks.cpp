// What the compiler has kernels call before each access to memory (-fsanitize=thread,alignment,bounds), in place of
// the libraries of these sanitizers: they know nothing of the lanes of a block.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "block.h"
#include "memory.h"

using emulated::Access;

#define HOOKS(bytes)                                                                                                    \
  void __tsan_read##bytes(void* at) { emulated::use(at, bytes, Access::read, __builtin_return_address(0)); }            \
  void __tsan_write##bytes(void* at) { emulated::use(at, bytes, Access::write, __builtin_return_address(0)); }          \
  void __tsan_unaligned_read##bytes(void* at) { emulated::use(at, bytes, Access::read, __builtin_return_address(0)); }  \
  void __tsan_unaligned_write##bytes(void* at) { emulated::use(at, bytes, Access::write, __builtin_return_address(0)); }

extern "C" {

HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
void __tsan_read_range(void* at, long bytes) {
  emulated::use(at, static_cast<size_t>(bytes), Access::read, __builtin_return_address(0));
}
void __tsan_write_range(void* at, long bytes) {
  emulated::use(at, static_cast<size_t>(bytes), Access::write, __builtin_return_address(0));
}
void __tsan_vptr_read(void**) {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

/// How each report of the undefined-behaviour sanitizer begins.
struct Report {
  const char* file;
  uint32_t line, column;
};

void __ubsan_handle_type_mismatch_v1(const Report* report, const void* at) {
  const emulated::Unchecked unchecked;
  const std::string what = "an access that its type cannot be aligned to at " + std::string(report->file) + ":" +
                           std::to_string(report->line) + ", address ending in " +
                           std::to_string(reinterpret_cast<uintptr_t>(at) % 256);
  if (unchecked.before) emulated::wrong(what);
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

void __ubsan_handle_out_of_bounds(const Report* report, const void* index) {
  const emulated::Unchecked unchecked;
  const std::string what = "index " + std::to_string(reinterpret_cast<uintptr_t>(index)) + " is beyond an array at " +
                           std::string(report->file) + ":" + std::to_string(report->line);
  if (unchecked.before) emulated::wrong(what);
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

}  // extern "C"
