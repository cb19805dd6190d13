// Arguments of the gate's kernels and of those that move rows between tokens and experts.
#include <algorithm>

#include "runtime/arguments.h"
#include "runtime/failure.h"

namespace schemoe {

namespace {

/// Any k: beside those of experts a token may have choices of rows without computation.
void check_sent(int64_t tokens, int64_t k, int64_t experts) {
  // token * k + choice, and counts of choices, are int32.
  if (times(tokens, k) > INT32_MAX) fail(SCHEMOE_INVALID, tokens, " tokens with ", k, " choices are too many");
  if (tokens > INT32_MAX) fail(SCHEMOE_INVALID, tokens, " tokens are too many");
  if (experts > INT32_MAX) fail(SCHEMOE_INVALID, experts, " experts are too many");
}

void check_choices(int64_t tokens, int64_t k, int64_t experts) {
  if (k > experts) fail(SCHEMOE_INVALID, "k is ", k, " but there are only ", experts, " experts");
  check_sent(tokens, k, experts);
}

/// First rows of ragged chunks: from 0 on, each expert with no more rows than the chunk has places.
void check_firsts(int64_t experts, std::span<const uint64_t> bounds, std::span<const uint64_t> firsts) {
  const int64_t pairs = times(static_cast<int64_t>(bounds.size()) - 1, experts);
  if (static_cast<int64_t>(firsts.size()) != plus(pairs, 1)) fail(SCHEMOE_INVALID, "the number of bounds does not fit");
  if (firsts[0] != 0) fail(SCHEMOE_INVALID, "the first row is ", firsts[0], " and not 0");
  for (int64_t i = 0; i < pairs; ++i) {
    const auto at = static_cast<size_t>(i), chunk = static_cast<size_t>(i / experts);
    const uint64_t places = bounds[chunk + 1] - bounds[chunk];
    if (firsts[at + 1] < firsts[at] || firsts[at + 1] - firsts[at] > places || firsts[at + 1] > INT32_MAX) {
      fail(SCHEMOE_INVALID, "chunk ", i / experts, " has rows ", firsts[at], " to ", firsts[at + 1], " of expert ",
           i % experts, " in ", places, " places");
    }
  }
}

Rows read_rows(Reader& r, int64_t experts) {
  const auto words = r.rest();
  if (words.size() == 1) {
    const RowTable& table = r.tables().find(words[0]);
    if (table.shape().experts != experts) {
      fail(SCHEMOE_INVALID, "table ", words[0], " has rows of ", table.shape().experts, " experts and not of ", experts);
    }
    return {experts, table.bounds(), table.firsts(), &table};
  }
  if (words.empty() || words[0] >= words.size() || words[0] + 2 > words.size()) {
    fail(SCHEMOE_INVALID, "the number of bounds does not fit");
  }
  const auto bounds = words.subspan(1, words[0] + 1);
  const auto firsts = words.subspan(1 + bounds.size());
  if (bounds[0] != 0) fail(SCHEMOE_INVALID, "the first bound is ", bounds[0], " and not 0");
  for (size_t i = 1; i < bounds.size(); ++i) {
    if (bounds[i] <= bounds[i - 1] || bounds[i] > INT32_MAX) {
      fail(SCHEMOE_INVALID, "bound ", i, " is ", bounds[i], " after ", bounds[i - 1]);
    }
  }
  if (!firsts.empty()) check_firsts(experts, bounds, firsts);
  return {experts, bounds, firsts, nullptr};
}

}  // namespace

int64_t Rows::count() const {
  return ragged() ? static_cast<int64_t>(firsts.back()) : times(experts, capacity());
}

int64_t Rows::places(int64_t expert, int64_t place) const {
  const auto next = std::upper_bound(bounds.begin(), bounds.end(), static_cast<uint64_t>(place));
  const auto at = static_cast<size_t>((next - bounds.begin() - 1) * experts + expert);
  return static_cast<int64_t>(next[-1] + (firsts[at + 1] - firsts[at]));
}

int64_t Rows::row(int64_t expert, int64_t place) const {
  const auto next = std::upper_bound(bounds.begin(), bounds.end(), static_cast<uint64_t>(place));
  const auto begin = static_cast<int64_t>(next[-1]);
  if (ragged()) {
    const auto chunk = next - bounds.begin() - 1;
    return static_cast<int64_t>(firsts[static_cast<size_t>(chunk * experts + expert)]) + place - begin;
  }
  return experts * begin + expert * (static_cast<int64_t>(*next) - begin) + (place - begin);
}

// Where nothing is read or written, counts may be anything; they become 0, so that no loop goes through
// them and no scratch memory is sized by them.

Softmax::Softmax(Reader& r) : rows(r.integer()), columns(r.integer()), x(r.view()), y(r.view()) {
  if (columns == 0) rows = 0;
  r.touch(x, times(rows, columns), 4);
  r.touch(y, times(rows, columns), 4);
}

TopK::TopK(Reader& r)
    : tokens(r.integer()),
      experts(r.integer()),
      k(r.integer()),
      normalize(r.flag("normalize")),
      logits(r.optional_view()),
      scores(r.view()),
      choices(r.view()),
      weights(r.view()) {
  check_choices(tokens, k, experts);
  if (k == 0) tokens = 0;
  if (!logits.null()) r.touch(logits, times(tokens, experts), 4);
  r.touch(scores, times(tokens, experts), 4);
  r.touch(choices, tokens * k, 4);
  r.touch(weights, tokens * k, 4);
}

Positions::Positions(Reader& r)
    : tokens(r.integer()),
      experts(r.integer()),
      k(r.integer()),
      prioritized(r.flag("prioritized")),
      scores(r.view()),
      choices(r.view()),
      positions(r.view()),
      loads(r.view()) {
  check_choices(tokens, k, experts);
  if (k == 0) tokens = 0;
  r.touch(scores, times(tokens, experts), 4);
  r.touch(choices, tokens * k, 4);
  r.touch(positions, tokens * k, 4);
  r.touch(loads, experts, 4);
}

AuxLoss::AuxLoss(Reader& r)
    : tokens(r.integer()),
      experts(r.integer()),
      k(r.integer()),
      scores(r.view()),
      choices(r.view()),
      loss(r.view()) {
  check_choices(tokens, k, experts);
  if (k == 0) fail(SCHEMOE_INVALID, "k is 0, so there is no first choice");
  if (tokens == 0) experts = 0;
  r.touch(scores, times(tokens, experts), 4);
  r.touch(choices, tokens * k, 4);
  r.touch(loss, 1, 4);
}

Slots::Slots(Reader& r)
    : tokens(r.integer()),
      k(r.integer()),
      experts(r.integer()),
      capacity(r.integer()),
      choices(r.view()),
      positions(r.view()),
      slots(r.view()) {
  check_sent(tokens, k, experts);
  if (k == 0) tokens = 0;
  r.touch(choices, tokens * k, 4);
  r.touch(positions, tokens * k, 4);
  r.touch(slots, times(experts, capacity), 4);
}

Dispatch::Dispatch(Reader& r)
    : dtype(r.dtype()),
      tokens(r.integer()),
      columns(r.integer()),
      k(r.integer()),
      experts(r.integer()),
      x(r.view()),
      slots(r.view()),
      weights(r.optional_view()),
      out(r.view()),
      rows(read_rows(r, experts)) {
  check_sent(tokens, k, experts);
  const int64_t size = element_bytes(dtype);
  if (rows.ragged()) fail(SCHEMOE_INVALID, "slots have no ragged rows; place_tokens does it");
  const int64_t places = times(experts, rows.capacity());
  r.touch(x, times(tokens, columns), size);
  r.touch(slots, places, 4);
  if (!weights.null()) r.touch(weights, tokens * k, 4);
  r.touch(out, times(places, columns), size);
}

Combine::Combine(Reader& r)
    : dtype(r.dtype()),
      tokens(r.integer()),
      columns(r.integer()),
      k(r.integer()),
      experts(r.integer()),
      in(r.view()),
      choices(r.view()),
      positions(r.view()),
      weights(r.optional_view()),
      y(r.view()),
      accumulate(r.flag("accumulate")),
      rows(read_rows(r, experts)) {
  check_sent(tokens, k, experts);
  const int64_t size = element_bytes(dtype);
  r.touch(in, times(rows.count(), columns), size);
  r.touch(choices, tokens * k, 4);
  r.touch(positions, tokens * k, 4);
  if (!weights.null()) r.touch(weights, tokens * k, 4);
  r.touch(y, times(tokens, columns), size);
}

RowDot::RowDot(Reader& r)
    : dtype(r.dtype()),
      tokens(r.integer()),
      columns(r.integer()),
      k(r.integer()),
      experts(r.integer()),
      a(r.view()),
      b(r.view()),
      choices(r.view()),
      positions(r.view()),
      out(r.view()),
      rows(read_rows(r, experts)) {
  check_sent(tokens, k, experts);
  if (k == 0) tokens = 0;
  const int64_t size = element_bytes(dtype);
  r.touch(a, times(tokens, columns), size);
  r.touch(b, times(rows.count(), columns), size);
  r.touch(choices, tokens * k, 4);
  r.touch(positions, tokens * k, 4);
  r.touch(out, tokens * k, 4);
}

PlaceTokens::PlaceTokens(Reader& r)
    : dtype(r.dtype()),
      tokens(r.integer()),
      columns(r.integer()),
      k(r.integer()),
      experts(r.integer()),
      x(r.view()),
      choices(r.view()),
      positions(r.view()),
      weights(r.optional_view()),
      out(r.view()),
      rows(read_rows(r, experts)) {
  check_sent(tokens, k, experts);
  const int64_t size = element_bytes(dtype);
  r.touch(x, times(tokens, columns), size);
  r.touch(choices, tokens * k, 4);
  r.touch(positions, tokens * k, 4);
  if (!weights.null()) r.touch(weights, tokens * k, 4);
  r.touch(out, times(rows.count(), columns), size);
}

ArrangeRows::ArrangeRows(Reader& r)
    : dtype(r.dtype()),
      by_source(r.flag("bySource")),
      columns(r.integer()),
      ranks(r.integer()),
      experts(r.integer()),
      first_source(r.integer()),
      sources(r.integer()),
      begin(r.integer("begin", INT32_MAX)),
      end(r.integer("end", INT32_MAX)),
      wire(r.view()),
      rows(r.view()),
      loads(r.rest()) {
  if (loads.size() == 1 && times(ranks, experts) > 1) {
    table = &r.tables().find(loads[0]);
    loads = table->loads();
  }
  if (static_cast<int64_t>(loads.size()) != times(ranks, experts)) {
    fail(SCHEMOE_INVALID, loads.size(), " loads are not those of ", ranks, " ranks for ", experts, " experts");
  }
  if (plus(first_source, sources) > ranks) fail(SCHEMOE_INVALID, "there are only ", ranks, " ranks");
  if (loads.empty()) ranks = experts = sources = 0;
  int64_t all = 0, wired = 0;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    for (int64_t e = 0; e < experts; ++e) {
      if (loads[static_cast<size_t>(rank * experts + e)] > INT32_MAX) fail(SCHEMOE_INVALID, "load ", load(rank, e), " is too large");
      all += load(rank, e);
      if (rank >= first_source && rank < first_source + sources) wired += here(rank, e);
    }
  }
  if (all > INT32_MAX) fail(SCHEMOE_INVALID, all, " rows are too many");
  if (table) all = wired = table->shape().room;
  r.touch(wire, times(wired, columns), element_bytes(dtype));
  r.touch(rows, times(all, columns), element_bytes(dtype));
}

int64_t ArrangeRows::here(int64_t source, int64_t expert) const {
  return std::max<int64_t>(std::min(load(source, expert), end) - begin, 0);
}

int64_t ArrangeRows::base(int64_t expert) const {
  int64_t rows_before = 0;
  for (int64_t e = 0; e < expert; ++e) {
    for (int64_t rank = 0; rank < ranks; ++rank) rows_before += load(rank, e);
  }
  return rows_before;
}

CountRows::CountRows(Reader& r)
    : number(r.integer()), experts(r.integer("experts", kMostExperts)), rows(r.integer("rows", INT32_MAX)), loads(r.view()) {
  if (experts == 0 || rows == 0) fail(SCHEMOE_INVALID, rows, " rows of ", experts, " experts are none to count");
  RowShape shape{1, 0, experts, rows, rows};
  const auto words = r.rest();
  if (!words.empty()) {
    if (words.size() != 3) fail(SCHEMOE_INVALID, words.size(), " integers are not ranks, rank and room");
    for (uint64_t word : words) {
      if (word > INT32_MAX) fail(SCHEMOE_INVALID, "the size ", word, " is too large");
    }
    shape.ranks = static_cast<int64_t>(words[0]);
    shape.rank = static_cast<int64_t>(words[1]);
    shape.room = static_cast<int64_t>(words[2]);
    if (shape.rank >= shape.ranks) fail(SCHEMOE_INVALID, "rank ", shape.rank, " is none of ", shape.ranks);
    if (experts % shape.ranks != 0) fail(SCHEMOE_INVALID, experts, " experts are not as many on each of ", shape.ranks, " ranks");
    if (times(shape.ranks, experts) > INT32_MAX) fail(SCHEMOE_INVALID, "there are too many ranks and experts");
  }
  r.touch(loads, times(shape.ranks, experts), 4);
  table = &r.tables().add(static_cast<uint64_t>(number), shape);
}

GateGrad::GateGrad(Reader& r)
    : tokens(r.integer()),
      experts(r.integer()),
      k(r.integer()),
      normalize(r.flag("normalize")),
      scores(r.view()),
      choices(r.view()),
      weights(r.view()),
      d_weights(r.view()),
      d_logits(r.view()),
      aux_weight(r.real()) {
  check_choices(tokens, k, experts);
  if (k == 0) fail(SCHEMOE_INVALID, "k is 0, so there is no first choice");
  if (tokens == 0) experts = 0;
  r.touch(scores, times(tokens, experts), 4);
  r.touch(choices, tokens * k, 4);
  r.touch(weights, tokens * k, 4);
  r.touch(d_weights, tokens * k, 4);
  r.touch(d_logits, times(tokens, experts), 4);
}

}  // namespace schemoe
