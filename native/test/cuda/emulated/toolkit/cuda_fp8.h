// Conversions of pairs to and from eight-bit floats: rounded to nearest even, limited to the largest finite value.
#pragma once

#include <cuda_fp16.h>

using __nv_fp8_storage_t = uint8_t;
using __nv_fp8x2_storage_t = uint16_t;
enum __nv_saturation_t { __NV_NOSAT, __NV_SATFINITE };
enum __nv_fp8_interpretation_t { __NV_E4M3, __NV_E5M2 };

namespace emulated {

struct Fp8 {
  int fraction, bias;
  uint32_t most;  // the code of the largest finite value
};
inline Fp8 fp8_of(__nv_fp8_interpretation_t kind) { return kind == __NV_E4M3 ? Fp8{3, 7, 0x7e} : Fp8{2, 15, 0x7b}; }

inline uint32_t fp8_code(float value, Fp8 format) {
  const uint32_t sign = std::signbit(value) ? 0x80u : 0;
  if (value != value) return 0x7f;
  const double magnitude = std::fabs(static_cast<double>(value));
  if (magnitude > 1e9) return sign | format.most;
  const int exponent = magnitude == 0 ? 1 - format.bias : std::max(std::ilogb(magnitude), 1 - format.bias);
  // A number of units that is one too many for the exponent is the first of the next.
  const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, format.fraction - exponent)));
  const auto code = (static_cast<uint32_t>(exponent + format.bias - 1) << format.fraction) + units;
  return sign | std::min(code, format.most);
}

inline float fp8_value(uint32_t code, Fp8 format) {
  const uint32_t magnitude = code & 0x7fu, fraction = magnitude & ((1u << format.fraction) - 1);
  const auto exponent = static_cast<int>(magnitude >> format.fraction);
  const float sign = code & 0x80u ? -1.0f : 1.0f;
  if (magnitude > format.most) return format.fraction == 2 && fraction == 0 ? sign * INFINITY : NAN;
  const uint32_t units = exponent > 0 ? fraction | 1u << format.fraction : fraction;
  return sign * std::ldexp(static_cast<float>(units), std::max(exponent, 1) - format.bias - format.fraction);
}

}  // namespace emulated

inline __nv_fp8x2_storage_t __nv_cvt_float2_to_fp8x2(float2 pair, __nv_saturation_t, __nv_fp8_interpretation_t kind) {
  const auto format = ::emulated::fp8_of(kind);
  return static_cast<uint16_t>(::emulated::fp8_code(pair.x, format) | ::emulated::fp8_code(pair.y, format) << 8);
}
inline __half2_raw __nv_cvt_fp8x2_to_halfraw2(__nv_fp8x2_storage_t pair, __nv_fp8_interpretation_t kind) {
  const auto format = ::emulated::fp8_of(kind);
  return {__float2half_rn(::emulated::fp8_value(pair & 0xffu, format)).bits,
          __float2half_rn(::emulated::fp8_value(pair >> 8u, format)).bits};
}
