// In place of the header of that name in src. Copies into shared memory are done only when they are awaited.
#pragma once

#include <cuda_bf16.h>

#include "copies.h"

namespace schemoe::cuda::mma {

/// A lane's parts of both factors.
struct Parts {
  uint32_t a[4], b[2];
};
EMULATED float element_of(uint32_t word, unsigned k) { return __uint_as_float(word >> k % 2 * 16 << 16); }

EMULATED void multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, WHERE) {
  const Parts mine{{a[0], a[1], a[2], a[3]}, {b0, b1}};
  const uint64_t* all = ::emulated::gather(::emulated::Together::product, 0xffffffffu, reinterpret_cast<uint64_t>(&mine), where);
  const unsigned g = ::emulated::lane() / 4, t = ::emulated::lane() % 4;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = g + i / 2 * 8, column = 2 * t + i % 2;
    for (unsigned k = 0; k < 16; ++k) {
      const auto* of_a = reinterpret_cast<const Parts*>(all[row % 8 * 4 + k % 8 / 2]);
      const auto* of_b = reinterpret_cast<const Parts*>(all[column * 4 + k % 8 / 2]);
      c[i] += element_of(of_a->a[row / 8 + k / 8 * 2], k) * element_of(of_b->b[k / 8], k);
    }
  }
  // The parts are there until all have read them.
  ::emulated::gather(::emulated::Together::product, 0xffffffffu, 0, where);
}

EMULATED void load_four(uint32_t (&to)[4], uint32_t address, WHERE) {
  const uint64_t* rows = ::emulated::gather(::emulated::Together::load, 0xffffffffu, address, where);
  const unsigned g = ::emulated::lane() / 4, t = ::emulated::lane() % 4;
  for (unsigned m = 0; m < 4; ++m) to[m] = ::emulated::shared_word(static_cast<uint32_t>(rows[8 * m + g]) + 4 * t);
}
EMULATED void load_four_transposed(uint32_t (&to)[4], uint32_t address, WHERE) {
  const uint64_t* rows = ::emulated::gather(::emulated::Together::load, 0xffffffffu, address, where);
  const unsigned g = ::emulated::lane() / 4, t = ::emulated::lane() % 4;
  for (unsigned m = 0; m < 4; ++m) {
    const uint32_t left = ::emulated::shared_word(static_cast<uint32_t>(rows[8 * m + 2 * t]) + g / 2 * 4);
    const uint32_t right = ::emulated::shared_word(static_cast<uint32_t>(rows[8 * m + 2 * t + 1]) + g / 2 * 4);
    to[m] = (left >> g % 2 * 16 & 0xffffu) | right >> g % 2 * 16 << 16;
  }
}

inline void copy_sixteen(uint32_t to, const void* from, bool there) { ::emulated::copy_later(to, there ? from : nullptr); }
inline void commit() { ::emulated::commit_copies(); }
template <int Left>
inline void wait() { ::emulated::await_copies(Left); }

}  // namespace schemoe::cuda::mma
