// What tokens begin with: their embedding, and their position, added or as a turn of queries and keys.
#include <algorithm>
#include <cmath>

#include "cpu/kernels/kernels.h"

namespace schemoe {

void run(const Embedding& e, const Context& context) {
  const auto* ids = context.at<const int32_t>(e.ids);
  const auto *table = context.at<const float>(e.table), *positions = context.at<const float>(e.positions);
  auto* out = context.at<float>(e.out);
  for (int64_t t = 0; t < e.tokens && !context.stop; ++t, out += e.columns) {
    const float* row = table + checked("ids", ids[t], e.vocabulary) * e.columns;
    if (!positions) {
      std::copy_n(row, e.columns, out);
      continue;
    }
    const float* place = positions + t % e.length * e.columns;
    for (int64_t j = 0; j < e.columns; ++j) out[j] = row[j] + place[j];
  }
}

void run(const EmbeddingGrad& e, const Context& context) {
  const auto* ids = context.at<const int32_t>(e.ids);
  const auto* dy = context.at<const float>(e.dy);
  auto *table = context.at<float>(e.table), *positions = context.at<float>(e.positions);
  std::fill_n(table, e.vocabulary * e.columns, 0.0f);
  if (positions) std::fill_n(positions, e.length * e.columns, 0.0f);
  for (int64_t t = 0; t < e.tokens && !context.stop; ++t, dy += e.columns) {
    float* row = table + checked("ids", ids[t], e.vocabulary) * e.columns;
    for (int64_t j = 0; j < e.columns; ++j) row[j] += dy[j];
    if (!positions) continue;
    float* place = positions + t % e.length * e.columns;
    for (int64_t j = 0; j < e.columns; ++j) place[j] += dy[j];
  }
}

void run(const Rotary& r, const Context& context) {
  if (r.tokens == 0 || r.heads == 0 || r.dim == 0) return;
  const int64_t half = r.dim / 2;
  auto* x = context.at<float>(r.x);
  // Cosines and sines of one position after another, for all its heads and sequences.
  auto& turns = context.scratch.floats;
  turns.resize(static_cast<size_t>(r.dim));
  float *cosines = turns.data(), *sines = cosines + half;
  for (int64_t position = 0; position < r.length && !context.stop; ++position) {
    for (int64_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(position) *
                           std::pow(r.base, -2.0 * static_cast<double>(i) / static_cast<double>(r.dim));
      cosines[i] = static_cast<float>(std::cos(angle));
      sines[i] = static_cast<float>(r.back ? -std::sin(angle) : std::sin(angle));
    }
    for (int64_t token = position; token < r.tokens; token += r.length) {
      for (int64_t head = 0; head < r.heads; ++head) {
        float* low = x + (token * r.heads + head) * r.dim;
        float* high = low + half;
        for (int64_t i = 0; i < half; ++i) {
          const float a = low[i], b = high[i];
          low[i] = a * cosines[i] - b * sines[i];
          high[i] = b * cosines[i] + a * sines[i];
        }
      }
    }
  }
}

}  // namespace schemoe
