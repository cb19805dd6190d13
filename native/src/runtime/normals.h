// Standard normal numbers that are a pure function of (seed, stream, number): one source for the CPU
// and CUDA kernels, which therefore give the same bits. Only additions, multiplications, conversions and
// a square root are used, each rounded once, and nothing of libm.
#pragma once

#include <bit>
#include <cstdint>

#if defined(__CUDACC__)
#define SCHEMOE_INLINE __host__ __device__ __forceinline__
#else
#define SCHEMOE_INLINE __attribute__((always_inline)) inline
#endif

namespace schemoe::normals {

/// Numbers of one Philox block.
inline constexpr int kBlock = 4;

struct Random {
  uint32_t word[kBlock];
};

/// Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11.
SCHEMOE_INLINE constexpr Random philox(Random c, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xd2511f53u} * c.word[0], b = uint64_t{0xcd9e8d57u} * c.word[2];
    c = {{static_cast<uint32_t>(b >> 32) ^ c.word[1] ^ key0, static_cast<uint32_t>(b),
          static_cast<uint32_t>(a >> 32) ^ c.word[3] ^ key1, static_cast<uint32_t>(a)}};
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  return c;
}

/// The random words of numbers 4 * block to 4 * block + 3.
SCHEMOE_INLINE constexpr Random block_words(uint64_t seed, uint64_t stream, uint32_t block_low, uint32_t block_high) {
  return philox({{block_low, block_high, static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)}},
                static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

/**
 * -2 ln((word + 1) / 2^32), relative error below 3e-7. The argument is m * 2^e with m between sqrt(1/2)
 * and sqrt(2), so that nothing cancels near 1; the polynomial is the minimax one of
 * (ln(1 + t) - t + t^2 / 2) / t^3.
 */
SCHEMOE_INLINE constexpr float minus_two_log(uint32_t word) {
  // Halves, because vectors convert signed integers only; the sum is rounded once.
  const float value = static_cast<float>(static_cast<int32_t>(word >> 16)) * 65536.0f +
                      static_cast<float>(static_cast<int32_t>(word & 0xffffu) + 1);
  const uint32_t bits = std::bit_cast<uint32_t>(value), shifted = bits - 0x3f3504f3u;  // sqrt(1/2)
  const auto exponent = static_cast<float>((static_cast<int32_t>(shifted) >> 23) - 32);
  const float t = std::bit_cast<float>((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  float p = -0.07634501f;
  p = p * t + 0.12761581f;
  p = p * t - 0.13160183f;
  p = p * t + 0.14201757f;
  p = p * t - 0.16623357f;
  p = p * t + 0.20001227f;
  p = p * t - 0.2500082f;
  p = p * t + 0.3333333f;
  const float square = t * t;
  const float log = (p * t - 0.5f) * square + t;
  return -2.0f * (exponent * 0.69314718f + log);
}

struct Turn {
  float cosine, sine;
};

/// Cosine and sine of 2 pi word / 2^32, absolute error below 1.2e-7: of what is left of a quarter turn.
SCHEMOE_INLINE constexpr Turn turn(uint32_t word) {
  const uint32_t quarter = (word + 0x20000000u) >> 30;
  const float y = static_cast<float>(static_cast<int32_t>(word - (quarter << 30))) * 1.4629180792671596e-9f;  // 2 pi / 2^32
  const float z = y * y;
  const float s = ((-0.00019517266f * z + 0.008332178f) * z - 0.16666655f) * z * y + y;
  const float c = ((2.4438415e-05f * z - 0.0013887368f) * z + 0.041666646f) * z * z + (1.0f - 0.5f * z);
  // In odd quarters they change places; signs by masks, since a branch would keep loops from vectors.
  const uint32_t odd = 0u - (quarter & 1u), sb = std::bit_cast<uint32_t>(s), cb = std::bit_cast<uint32_t>(c);
  const uint32_t cosine = (cb & ~odd) | (sb & odd), sine = (sb & ~odd) | (cb & odd);
  return {std::bit_cast<float>(cosine ^ ((quarter + 1) & 2u) << 30), std::bit_cast<float>(sine ^ (quarter & 2u) << 30)};
}

}  // namespace schemoe::normals
