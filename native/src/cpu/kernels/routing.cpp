// Rows between tokens and experts. They are moved, not copied: a Program may let them overlap.
#include <algorithm>
#include <cstring>

#include "cpu/kernels/dot.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/vector.h"
#include "runtime/arguments_gates.h"

namespace schemoe {

namespace {

SCHEMOE_VECTOR void scale_row(float* to, const float* from, float weight, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) to[j] = from[j] * weight;
}

SCHEMOE_VECTOR void add_row(float* to, const float* from, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) to[j] += from[j];
}

SCHEMOE_VECTOR void add_scaled_row(float* to, const float* from, float weight, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) to[j] += weight * from[j];
}

/// The row that a choice went to, or -1 if it was dropped.
int64_t row_of(const Rows& rows, int32_t choice, int32_t position) {
  const int64_t expert = checked("choices", choice, rows.experts);
  const int64_t place = checked("positions", position, INT32_MAX);
  if (!rows.ragged()) return place < rows.capacity() ? rows.row(expert, place) : -1;
  // Every other choice has a row, unless the bounds belong to another routing.
  if (position == kNoPlace) return -1;
  checked("positions", place, rows.capacity());
  checked("positions", place, rows.places(expert, place));
  return rows.row(expert, place);
}

}  // namespace

void run(const CountRows& c, const Context& context) {
  if (context.stop) return;
  c.table->count({context.at<const int32_t>(c.loads), static_cast<size_t>(c.count())});
}

void run(const Dispatch& d, const Context& context) {
  if (d.columns == 0) return;
  const float* x = context.at<const float>(d.x);
  const int32_t* slots = context.at<const int32_t>(d.slots);
  const float* weights = context.at<const float>(d.weights);
  float* out = context.at<float>(d.out);
  const int64_t capacity = d.rows.capacity();
  for (int64_t chunk = 0; chunk < d.rows.chunks(); ++chunk) {
    for (int64_t e = 0; e < d.experts && !context.stop; ++e) {
      const auto end = static_cast<int64_t>(d.rows.bounds[chunk + 1]);
      for (auto place = static_cast<int64_t>(d.rows.bounds[chunk]); place < end; ++place, out += d.columns) {
        const int32_t slot = slots[e * capacity + place];
        if (slot == -1) {
          std::fill_n(out, d.columns, 0.0f);
          continue;
        }
        checked("slots", slot, d.tokens * d.k);
        const float* from = x + slot / d.k * d.columns;
        if (weights) scale_row(out, from, weights[slot], d.columns);
        else std::memmove(out, from, static_cast<size_t>(d.columns) * sizeof *out);
      }
    }
  }
}

void run(const Combine& c, const Context& context) {
  if (c.columns == 0) return;
  const float* in = context.at<const float>(c.in);
  const int32_t* choices = context.at<const int32_t>(c.choices);
  const int32_t* positions = context.at<const int32_t>(c.positions);
  const float* weights = context.at<const float>(c.weights);
  float* y = context.at<float>(c.y);
  for (int64_t token = 0; token < c.tokens && !context.stop; ++token, y += c.columns) {
    if (!c.accumulate) std::fill_n(y, c.columns, 0.0f);
    for (int64_t i = token * c.k; i < (token + 1) * c.k; ++i) {
      const int64_t row = row_of(c.rows, choices[i], positions[i]);
      if (row < 0) continue;
      if (weights) add_scaled_row(y, in + row * c.columns, weights[i], c.columns);
      else add_row(y, in + row * c.columns, c.columns);
    }
  }
}

void run(const PlaceTokens& p, const Context& context) {
  if (p.columns == 0) return;
  const float* x = context.at<const float>(p.x);
  const int32_t* choices = context.at<const int32_t>(p.choices);
  const int32_t* positions = context.at<const int32_t>(p.positions);
  const float* weights = context.at<const float>(p.weights);
  float* out = context.at<float>(p.out);
  for (int64_t i = 0; i < p.tokens * p.k && !context.stop; ++i) {
    const int64_t row = row_of(p.rows, choices[i], positions[i]);
    if (row < 0) continue;
    const float* from = x + i / p.k * p.columns;
    if (weights) scale_row(out + row * p.columns, from, weights[i], p.columns);
    else std::memmove(out + row * p.columns, from, static_cast<size_t>(p.columns) * sizeof *out);
  }
}

namespace {

/// Calls `body(row in the wire, row of its expert)` for every row of an ArrangeRows.
template <class Body>
void each_pair(const ArrangeRows& a, const Context& context, Body&& body) {
  int64_t wired = 0;
  for (int64_t source = a.first_source; source < a.first_source + a.sources; ++source) {
    int64_t base = 0;
    for (int64_t e = 0; e < a.experts && !context.stop; ++e) {
      const int64_t last = a.begin + a.here(source, e);
      int64_t all = 0, before = 0;
      for (int64_t rank = 0; rank < a.ranks; ++rank) {
        all += a.load(rank, e);
        if (rank < source) before += a.load(rank, e);
      }
      for (int64_t place = a.begin; place < last; ++place, ++wired) {
        int64_t row = base;
        if (a.by_source) row += before + place;
        else {
          for (int64_t rank = 0; rank < a.ranks; ++rank) {
            const int64_t load = a.load(rank, e);
            row += std::min(load, place) + (rank < source && load > place);
          }
        }
        body(wired, row);
      }
      base += all;
    }
  }
}

}  // namespace

void run(const GroupRows& g, const Context& context) {
  const auto* wire = context.at<const std::byte>(g.wire);
  auto* rows = context.at<std::byte>(g.rows);
  const int64_t bytes = g.columns * element_bytes(g.dtype);
  if (bytes == 0) return;
  each_pair(g, context, [&](int64_t from, int64_t to) {
    std::memmove(rows + to * bytes, wire + from * bytes, static_cast<size_t>(bytes));
  });
}

void run(const UngroupRows& g, const Context& context) {
  auto* wire = context.at<std::byte>(g.wire);
  const auto* rows = context.at<const std::byte>(g.rows);
  const int64_t bytes = g.columns * element_bytes(g.dtype);
  if (bytes == 0) return;
  each_pair(g, context, [&](int64_t to, int64_t from) {
    std::memmove(wire + to * bytes, rows + from * bytes, static_cast<size_t>(bytes));
  });
}

void run(const RowDot& r, const Context& context) {
  const float* a = context.at<const float>(r.a);
  const float* b = context.at<const float>(r.b);
  const int32_t* choices = context.at<const int32_t>(r.choices);
  const int32_t* positions = context.at<const int32_t>(r.positions);
  float* out = context.at<float>(r.out);
  for (int64_t token = 0; token < r.tokens && !context.stop; ++token) {
    for (int64_t i = token * r.k; i < (token + 1) * r.k; ++i) {
      const int64_t row = row_of(r.rows, choices[i], positions[i]);
      out[i] = row < 0 ? 0.0f : static_cast<float>(row_dot(a + token * r.columns, b + row * r.columns, r.columns));
    }
  }
}

}  // namespace schemoe
