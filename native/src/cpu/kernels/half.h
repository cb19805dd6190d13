// Sixteen-bit floats, bit for bit the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace schemoe {

/// Round to nearest even; overflow becomes infinity, NaN stays NaN (quiet).
uint16_t half_from_float(float value);
float float_from_half(uint16_t bits);
uint16_t bfloat16_from_float(float value);
float float_from_bfloat16(uint16_t bits);

/// Rows of them; the bytes need not be aligned. The processor's own instructions where it has them.
void halves_from_floats(std::byte* to, const float* from, int64_t count);
void floats_from_halves(float* to, const std::byte* from, int64_t count);
void bfloat16s_from_floats(std::byte* to, const float* from, int64_t count);
void floats_from_bfloat16s(float* to, const std::byte* from, int64_t count);

}  // namespace schemoe
