// Arguments of the gate's kernels and of those that move rows between tokens and experts.
#include <algorithm>

#include "runtime/arguments.h"
#include "runtime/failure.h"

namespace schemoe {

namespace {

void check_choices(int64_t tokens, int64_t k, int64_t experts) {
  if (k > experts) fail(SCHEMOE_INVALID, "k is ", k, " but there are only ", experts, " experts");
  // token * k + choice, and counts of choices, are int32.
  if (times(tokens, k) > INT32_MAX) fail(SCHEMOE_INVALID, tokens, " tokens with ", k, " choices are too many");
  if (tokens > INT32_MAX) fail(SCHEMOE_INVALID, tokens, " tokens are too many");
  if (experts > INT32_MAX) fail(SCHEMOE_INVALID, experts, " experts are too many");
}

Rows read_rows(Reader& r, int64_t experts) {
  const auto words = r.rest();
  if (words.empty() || words[0] >= words.size() || words[0] + 2 != words.size()) {
    fail(SCHEMOE_INVALID, "the number of bounds does not fit");
  }
  const auto bounds = words.subspan(1);
  if (bounds[0] != 0) fail(SCHEMOE_INVALID, "the first bound is ", bounds[0], " and not 0");
  for (size_t i = 1; i < bounds.size(); ++i) {
    if (bounds[i] <= bounds[i - 1] || bounds[i] > INT32_MAX) {
      fail(SCHEMOE_INVALID, "bound ", i, " is ", bounds[i], " after ", bounds[i - 1]);
    }
  }
  return {experts, bounds};
}

}  // namespace

int64_t Rows::row(int64_t expert, int64_t place) const {
  const auto next = std::upper_bound(bounds.begin(), bounds.end(), static_cast<uint64_t>(place));
  const auto begin = static_cast<int64_t>(next[-1]);
  return experts * begin + expert * (static_cast<int64_t>(*next) - begin) + (place - begin);
}

Softmax::Softmax(Reader& r) : rows(r.integer()), columns(r.integer()), x(r.view()), y(r.view()) {
  r.touch(x, times(rows, columns), 4);
  r.touch(y, times(rows, columns), 4);
}

TopK::TopK(Reader& r)
    : tokens(r.integer()),
      experts(r.integer()),
      k(r.integer()),
      normalize(r.flag("normalize")),
      scores(r.view()),
      choices(r.view()),
      weights(r.view()) {
  check_choices(tokens, k, experts);
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
  check_choices(tokens, k, experts);
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
  check_choices(tokens, k, experts);
  const int64_t size = element_bytes(dtype);
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
  check_choices(tokens, k, experts);
  const int64_t size = element_bytes(dtype);
  r.touch(in, times(times(experts, rows.capacity()), columns), size);
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
  check_choices(tokens, k, experts);
  const int64_t size = element_bytes(dtype);
  r.touch(a, times(tokens, columns), size);
  r.touch(b, times(times(experts, rows.capacity()), columns), size);
  r.touch(choices, tokens * k, 4);
  r.touch(positions, tokens * k, 4);
  r.touch(out, tokens * k, 4);
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
  r.touch(scores, times(tokens, experts), 4);
  r.touch(choices, tokens * k, 4);
  r.touch(weights, tokens * k, 4);
  r.touch(d_weights, tokens * k, 4);
  r.touch(d_logits, times(tokens, experts), 4);
}

}  // namespace schemoe
