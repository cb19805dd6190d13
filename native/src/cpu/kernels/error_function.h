// erf in a loop that the compiler makes vectors of, which a call of the C library would prevent.
#pragma once

#include "cpu/kernels/exponential.h"

namespace schemoe {

/// erf(x) within 2 ulp of float32; NaN for NaN. Polynomials fitted by us for the least largest relative error of erf:
/// of erf(x) / x in x^2 (degree 6, 4e-10), and of log(1 - erf(x)) / -x in x (degree 6, 7e-10).
inline float error_function(float x) {
  constexpr float kMiddle = 0.921875f, kOne = 4.0f;
  const uint32_t sign = std::bit_cast<uint32_t>(x) & 0x80000000u;
  const float size = std::bit_cast<float>(std::bit_cast<uint32_t>(x) ^ sign);
  const float u = size * size;
  float near = 8.370097202714533e-05f;
  near = near * u - 0.0008142703445628285f;
  near = near * u + 0.005201032385230064f;
  near = near * u - 0.026859398931264877f;
  near = near * u + 0.11283695697784424f;
  near = near * u - 0.37612634897232056f;
  // 2 / sqrt(pi) - 1, so that the rounding of the leading term is the last one
  near = near * u + 0.12837916709551256f;
  near = near * size + size;
  // from 4 on erf is 1
  const float t = select(size > kOne, kOne, size);
  float far = 1.1303821338515263e-05f;
  far = far * t - 0.0003235292970202863f;
  far = far * t + 0.003645407035946846f;
  far = far * t - 0.023768294602632523f;
  far = far * t + 0.10624410957098007f;
  far = far * t + 0.635146975517273f;
  far = far * t + 1.1286495923995972f;
  far = 1.0f - exponential(-t * far);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(select(size < kMiddle, near, far)) | sign);
}

}  // namespace schemoe
