// What is known of the memory that kernels may use, and of who used it last.
#pragma once

#include <cstddef>

namespace emulated {

/// Memory of the GPU, or of the host where kernels reach it: they may use it until it is taken back.
void give(const void* memory, size_t bytes);
void take_back(const void* memory);

enum class Access { read, write, atomic };

/// A lane uses memory: an error where it is nobody's, where another lane of the block writes something else there and
/// no barrier is between, or, in shared memory, where one reads what the other writes. `code` is where.
void use(const void* at, size_t bytes, Access access, const void* code);
/// What the running thread has written is there; to be called before another one runs.
void settle();

}  // namespace emulated
