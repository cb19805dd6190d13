// Random numbers: 0.22e9 float32 and 0.19e9 bfloat16 normals a second on one thread of a Xeon with AVX2
// (two cores shared with other work, scalar code: 0.09e9).
#include <algorithm>
#include <cmath>

#include "cpu/kernels/half.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/vector.h"
#include "runtime/normals.h"

namespace schemoe {

namespace {

/// A batch begins at a multiple of its size, so that the high word of its block numbers is one.
constexpr int64_t kBlocks = 64, kBatch = kBlocks * normals::kBlock;

/// Numbers kBatch * batch, ... of a stream, times `scale`.
SCHEMOE_VECTOR void make_batch(uint64_t seed, uint64_t stream, int64_t batch, float scale, float* out) {
  const uint64_t first = static_cast<uint64_t>(batch) * kBlocks;
  const auto low = static_cast<uint32_t>(first), high = static_cast<uint32_t>(first >> 32);
  uint32_t words[normals::kBlock][kBlocks];
  for (uint32_t i = 0; i < kBlocks; ++i) {
    const auto random = normals::block_words(seed, stream, low + i, high);
    for (int j = 0; j < normals::kBlock; ++j) words[j][i] = random.word[j];
  }
  for (int pair = 0; pair < normals::kBlock; pair += 2) {
    for (int64_t i = 0; i < kBlocks; ++i) {
      const float radius = std::sqrt(normals::minus_two_log(words[pair][i]));
      const auto [cosine, sine] = normals::turn(words[pair + 1][i]);
      out[i * normals::kBlock + pair] = radius * cosine * scale;
      out[i * normals::kBlock + pair + 1] = radius * sine * scale;
    }
  }
}

}  // namespace

void run(const RandomNormal& r, const Context& context) {
  auto* out = context.at<std::byte>(r.out);
  float made[kBatch];
  for (int64_t done = 0; done < r.count && !context.stop;) {
    const int64_t number = r.first + done, skipped = number % kBatch;
    const int64_t count = std::min(kBatch - skipped, r.count - done);
    make_batch(r.seed, r.stream, number / kBatch, static_cast<float>(r.scale), made);
    if (r.dtype == SCHEMOE_BF16) bfloat16s_from_floats(out + 2 * done, made + skipped, count);
    else std::copy_n(made + skipped, count, reinterpret_cast<float*>(out) + done);
    done += count;
  }
}

}  // namespace schemoe
