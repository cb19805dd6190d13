// Copies into shared memory that go on while a thread does something else: they are done only when it awaits them.
#pragma once

#include <cstdint>

namespace emulated {

/// 16 bytes, or zeros from nullptr.
void copy_later(uint32_t to, const void* from);
void commit_copies();
/// Of all but so many of the thread's last groups.
void await_copies(unsigned left);

/// Four bytes of shared memory.
uint32_t shared_word(uint32_t address);

}  // namespace emulated
