// Arguments of the kernels of gates, losses on the routing and shared experts.
#include "runtime/arguments_gates.h"

#include <algorithm>

#include "runtime/failure.h"

namespace schemoe {

namespace {

/// token * k + choice, and counts of choices, are int32.
void check_sizes(int64_t tokens, int64_t rows, int64_t k) {
  if (k > rows) fail(SCHEMOE_INVALID, "k is ", k, " but there are only ", rows, " experts");
  if (times(tokens, k) > INT32_MAX) fail(SCHEMOE_INVALID, tokens, " tokens with ", k, " choices are too many");
  if (tokens > INT32_MAX) fail(SCHEMOE_INVALID, tokens, " tokens are too many");
  if (rows > INT32_MAX) fail(SCHEMOE_INVALID, rows, " experts are too many");
}

/// A token of no values asks for no work, and no buffer bounds how many of them there are: none is left.
int64_t bounded(int64_t tokens, int64_t values) { return values > 0 ? tokens : 0; }

Scores read_scores(Reader& r) { return static_cast<Scores>(r.integer("scores", 4)); }

void touch_optional(Reader& r, const View& view, int64_t count) {
  if (!view.null()) r.touch(view, count, 4);
}

}  // namespace

Route::Route(Reader& r)
    : tokens(r.integer()),
      rows(r.integer()),
      k(r.integer()),
      kind(read_scores(r)),
      choose(static_cast<Choose>(r.integer("choose", 3))),
      groups(r.integer()),
      group_limit(r.integer()),
      normalize(r.flag("normalize")),
      logits(r.view()),
      bias(r.optional_view()),
      scores(r.view()),
      choices(r.view()),
      weights(r.view()),
      scale(r.real()) {
  check_sizes(tokens, rows, k);
  tokens = bounded(tokens, rows);
  if (groups < 1 || rows % groups != 0) fail(SCHEMOE_INVALID, groups, " groups do not divide ", rows, " experts");
  if (group_limit < 1 || group_limit > groups) {
    fail(SCHEMOE_INVALID, "the limit of ", groups, " groups is ", group_limit);
  }
  if (choose == Choose::largest && k > group_limit * (rows / groups)) {
    fail(SCHEMOE_INVALID, "k is ", k, " but ", group_limit, " groups have only ", group_limit * (rows / groups), " experts");
  }
  if (choose == Choose::positive && k != rows) fail(SCHEMOE_INVALID, "k is ", k, " and not all ", rows, " experts");
  r.touch(logits, times(tokens, rows), 4);
  touch_optional(r, bias, rows);
  r.touch(scores, times(tokens, rows), 4);
  r.touch(choices, tokens * k, 4);
  r.touch(weights, tokens * k, 4);
}

RouteGrad::RouteGrad(Reader& r)
    : tokens(r.integer()),
      rows(r.integer()),
      k(r.integer()),
      kind(read_scores(r)),
      normalize(r.flag("normalize")),
      logits(r.view()),
      scores(r.view()),
      choices(r.view()),
      d_weights(r.view()),
      importance(r.optional_view()),
      balance(r.optional_view()),
      d_logits(r.view()),
      scale(r.real()),
      z_weight(r.real()),
      padding(r.optional_view()) {
  check_sizes(tokens, rows, k);
  tokens = bounded(tokens, rows);
  touch_optional(r, padding, tokens);
  r.touch(logits, times(tokens, rows), 4);
  r.touch(scores, times(tokens, rows), 4);
  r.touch(choices, tokens * k, 4);
  r.touch(d_weights, tokens * k, 4);
  touch_optional(r, importance, rows);
  touch_optional(r, balance, rows);
  r.touch(d_logits, times(tokens, rows), 4);
}

PlaceChoices::PlaceChoices(Reader& r)
    : tokens(r.integer()),
      rows(r.integer()),
      experts(r.integer()),
      k(r.integer()),
      prioritized(r.flag("prioritized")),
      scores(r.view()),
      choices(r.view()),
      targets(r.view()),
      positions(r.view()),
      loads(r.view()) {
  check_sizes(tokens, rows, k);
  tokens = bounded(tokens, rows);
  if (experts > rows || experts < 1) fail(SCHEMOE_INVALID, experts, " experts are not among ", rows, " rows");
  r.touch(scores, times(tokens, rows), 4);
  r.touch(choices, tokens * k, 4);
  r.touch(targets, tokens * k, 4);
  r.touch(positions, tokens * k, 4);
  r.touch(loads, rows, 4);
}

ChooseTokens::ChooseTokens(Reader& r)
    : tokens(r.integer()),
      experts(r.integer()),
      count(r.integer()),
      logits(r.view()),
      scores(r.view()),
      choices(r.view()) {
  check_sizes(tokens, experts, experts);
  if (count > tokens) fail(SCHEMOE_INVALID, "an expert takes ", count, " of ", tokens, " tokens");
  tokens = bounded(tokens, experts);
  r.touch(logits, times(tokens, experts), 4);
  r.touch(scores, times(tokens, experts), 4);
  r.touch(choices, times(tokens, experts), 4);
}

RoundChoices::RoundChoices(Reader& r)
    : tokens(r.integer()),
      experts(r.integer()),
      k(r.integer()),
      tile(r.integer()),
      best(r.view()),
      logits(r.view()),
      scores(r.view()),
      choices(r.view()) {
  check_sizes(tokens, experts, k);
  if (times(tokens, experts) > INT32_MAX) fail(SCHEMOE_INVALID, tokens, " tokens of ", experts, " experts are too many");
  if (tile < 1 || tile > INT32_MAX) fail(SCHEMOE_INVALID, "a tile has ", tile, " rows");
  tokens = bounded(tokens, experts);
  r.touch(best, tokens * k, 4);
  for (const View* view : {&logits, &scores, &choices}) r.touch(*view, times(tokens, experts), 4);
}

CountChoices::CountChoices(Reader& r)
    : tokens(r.integer()),
      rows(r.integer()),
      k(r.integer()),
      first(r.integer()),
      choices(r.view()),
      counts(r.view()) {
  check_sizes(tokens, rows, k);
  tokens = bounded(tokens, k);
  if (first > k) fail(SCHEMOE_INVALID, "the first ", first, " of ", k, " choices");
  r.touch(choices, tokens * k, 4);
  r.touch(counts, rows, 4);
}

BalanceLoss::BalanceLoss(Reader& r)
    : tokens(r.integer()),
      rows(r.integer()),
      kind(read_scores(r)),
      scores(r.view()),
      counts(r.view()),
      balance(r.view()),
      loss(r.view()),
      total(r.view()),
      factor(r.real()),
      weight(r.real()),
      padding(r.optional_view()) {
  check_sizes(tokens, rows, 0);
  tokens = bounded(tokens, rows);
  touch_optional(r, padding, tokens);
  if (kind == Scores::relu) fail(SCHEMOE_INVALID, "scores of relu are no probabilities");
  r.touch(scores, times(tokens, rows), 4);
  r.touch(counts, rows, 4);
  r.touch(balance, rows, 4);
  r.touch(loss, 1, 4);
  r.touch(total, 1, 4);
}

ZLoss::ZLoss(Reader& r)
    : tokens(r.integer()),
      rows(r.integer()),
      logits(r.view()),
      loss(r.view()),
      total(r.view()),
      weight(r.real()),
      padding(r.optional_view()) {
  check_sizes(tokens, rows, 0);
  tokens = bounded(tokens, rows);
  touch_optional(r, padding, tokens);
  r.touch(logits, times(tokens, rows), 4);
  r.touch(loss, 1, 4);
  r.touch(total, 1, 4);
}

ImportanceLoss::ImportanceLoss(Reader& r)
    : tokens(r.integer()),
      rows(r.integer()),
      k(r.integer()),
      choices(r.view()),
      weights(r.view()),
      importance(r.view()),
      loss(r.view()),
      total(r.view()),
      weight(r.real()) {
  check_sizes(tokens, rows, k);
  tokens = bounded(tokens, k);
  r.touch(choices, tokens * k, 4);
  r.touch(weights, tokens * k, 4);
  r.touch(importance, rows, 4);
  r.touch(loss, 1, 4);
  r.touch(total, 1, 4);
}

LoadLoss::LoadLoss(Reader& r)
    : tokens(r.integer()),
      rows(r.integer()),
      k(r.integer()),
      clean(r.view()),
      spread(r.view()),
      logits(r.view()),
      slopes(r.view()),
      loss(r.view()),
      total(r.view()),
      weight(r.real()),
      padding(r.optional_view()) {
  check_sizes(tokens, rows, k);
  touch_optional(r, padding, tokens);
  if (k < 1 || k >= rows) fail(SCHEMOE_INVALID, "k is ", k, ", and among ", rows - 1, " other experts there is no k-th");
  for (const View* view : {&clean, &spread, &logits}) r.touch(*view, times(tokens, rows), 4);
  r.touch(slopes, rows, 4);
  r.touch(loss, 1, 4);
  r.touch(total, 1, 4);
}

AddNoise::AddNoise(Reader& r)
    : count(r.integer()), clean(r.view()), spread(r.view()), noise(r.view()), logits(r.view()) {
  for (const View* view : {&clean, &spread, &noise, &logits}) r.touch(*view, count, 4);
}

NoiseGrad::NoiseGrad(Reader& r)
    : tokens(r.integer()),
      rows(r.integer()),
      k(r.integer()),
      clean(r.view()),
      spread(r.view()),
      noise(r.view()),
      logits(r.view()),
      slopes(r.optional_view()),
      d_logits(r.view()),
      d_spread(r.view()),
      padding(r.optional_view()) {
  check_sizes(tokens, rows, k);
  tokens = bounded(tokens, rows);
  touch_optional(r, padding, tokens);
  if (!slopes.null() && (k < 1 || k >= rows)) {
    fail(SCHEMOE_INVALID, "k is ", k, ", and among ", rows - 1, " other experts there is no k-th");
  }
  for (const View* view : {&clean, &spread, &noise, &logits, &d_logits, &d_spread}) {
    r.touch(*view, times(tokens, rows), 4);
  }
  touch_optional(r, slopes, rows);
}

DropPadding::DropPadding(Reader& r) : tokens(r.integer()), k(r.integer()), padding(r.view()), choices(r.view()) {
  check_sizes(tokens, k, k);
  tokens = bounded(tokens, k);
  r.touch(padding, tokens, 4);
  r.touch(choices, tokens * k, 4);
}

LookUp::LookUp(Reader& r)
    : tokens(r.integer()),
      k(r.integer()),
      vocabulary(r.integer("vocabulary", INT32_MAX)),
      rows(r.integer()),
      ids(r.view()),
      table(r.view()),
      choices(r.view()) {
  check_sizes(tokens, rows, k);
  r.touch(ids, tokens, 4);
  r.touch(table, times(vocabulary, k), 4);
  r.touch(choices, tokens * k, 4);
}

PlaceCopies::PlaceCopies(Reader& r)
    : tokens(r.integer()),
      k(r.integer()),
      experts(r.integer("experts", INT32_MAX)),
      slots(r.integer("slots", INT32_MAX)),
      capacity(r.integer("capacity", INT32_MAX)),
      choices(r.view()),
      positions(r.view()),
      targets(r.view()),
      places(r.view()) {
  check_sizes(tokens, INT32_MAX, k);  // beside those of experts a token may have choices of rows without computation
  const auto words = r.rest();
  const auto count = static_cast<size_t>(experts) + 1;
  if (words.size() < count) fail(SCHEMOE_INVALID, "the table has ", words.size(), " numbers for ", experts, " experts");
  begins = words.first(count);
  list = words.subspan(count);
  if (begins[0] != 0 || begins.back() != list.size()) {
    fail(SCHEMOE_INVALID, "the slots are ", begins[0], " to ", begins.back(), " of ", list.size());
  }
  for (size_t e = 1; e < count; ++e) {
    if (begins[e] <= begins[e - 1]) fail(SCHEMOE_INVALID, "expert ", e - 1, " has no slot");
  }
  for (const uint64_t slot : list) {
    if (slot >= static_cast<uint64_t>(slots)) fail(SCHEMOE_INVALID, "slot ", slot, " is not below ", slots);
  }
  for (const View* view : {&choices, &positions, &targets, &places}) r.touch(*view, tokens * k, 4);
}

AddIdentity::AddIdentity(Reader& r)
    : dtype(r.dtype()),
      tokens(r.integer()),
      columns(r.integer()),
      experts(r.integer()),
      k(r.integer()),
      from(r.view()),
      choices(r.view()),
      weights(r.view()),
      to(r.view()) {
  check_sizes(tokens, INT32_MAX, k);
  tokens = bounded(tokens, std::max(columns, k));
  r.touch(from, times(tokens, columns), element_bytes(dtype));
  r.touch(choices, tokens * k, 4);
  r.touch(weights, tokens * k, 4);
  r.touch(to, times(tokens, columns), element_bytes(dtype));
}

IdentityDots::IdentityDots(Reader& r)
    : dtype(r.dtype()),
      tokens(r.integer()),
      columns(r.integer()),
      experts(r.integer()),
      k(r.integer()),
      a(r.view()),
      b(r.view()),
      choices(r.view()),
      out(r.view()) {
  check_sizes(tokens, INT32_MAX, k);
  tokens = bounded(tokens, std::max(columns, k));
  r.touch(a, times(tokens, columns), element_bytes(dtype));
  r.touch(b, times(tokens, columns), element_bytes(dtype));
  r.touch(choices, tokens * k, 4);
  r.touch(out, tokens * k, 4);
}

BudgetBias::BudgetBias(Reader& r)
    : rows(r.integer()), experts(r.integer()), loads(r.view()), bias(r.view()), rate(r.real()), share(r.real()) {
  if (experts > rows) fail(SCHEMOE_INVALID, experts, " experts are not among ", rows, " rows");
  r.touch(loads, rows, 4);
  r.touch(bias, rows, 4);
}

ShiftBias::ShiftBias(Reader& r)
    : rows(r.integer()),
      ranks(r.integer()),
      quantile(r.flag("quantile")),
      loads(r.view()),
      bias(r.view()),
      rate(r.real()) {
  if (ranks < 1) fail(SCHEMOE_INVALID, "there are no ranks");
  r.touch(loads, rows, 4);
  r.touch(bias, rows, 4);
}

QuantileBias::QuantileBias(Reader& r)
    : tokens(r.integer()), rows(r.integer()), k(r.integer()), logits(r.view()), bias(r.view()), out(r.view()) {
  check_sizes(tokens, rows, k);
  if (k < 1 || k >= rows) fail(SCHEMOE_INVALID, "k is ", k, ", and among ", rows, " experts there is none after it");
  r.touch(logits, times(tokens, rows), 4);
  r.touch(bias, rows, 4);
  r.touch(out, rows, 4);
}

UnitRows::UnitRows(Reader& r)
    : rows(r.integer()), columns(r.integer()), x(r.view()), y(r.view()), norms(r.view()) {
  r.touch(x, times(rows, columns), 4);
  r.touch(y, times(rows, columns), 4);
  r.touch(norms, rows, 4);
}

UnitRowsGrad::UnitRowsGrad(Reader& r)
    : rows(r.integer()), columns(r.integer()), y(r.view()), norms(r.view()), dy(r.view()), dx(r.view()) {
  for (const View* view : {&y, &dy, &dx}) r.touch(*view, times(rows, columns), 4);
  r.touch(norms, rows, 4);
}

Temper::Temper(Reader& r)
    : count(r.integer()),
      z(r.view()),
      temperature(r.view()),
      dz(r.optional_view()),
      d_temperature(r.optional_view()) {
  if (dz.null() != d_temperature.null()) fail(SCHEMOE_INVALID, "one of two gradients is missing");
  r.touch(z, count, 4);
  r.touch(temperature, 1, 4);
  touch_optional(r, dz, count);
  touch_optional(r, d_temperature, 1);
}

GatedRows::GatedRows(Reader& r)
    : dtype(r.dtype()),
      tokens(r.integer()),
      columns(r.integer()),
      logits(r.view()),
      rows(r.view()),
      y(r.view()),
      d_rows(r.optional_view()),
      d_logits(r.optional_view()) {
  if (d_rows.null() != d_logits.null()) fail(SCHEMOE_INVALID, "one of two gradients is missing");
  const int64_t size = element_bytes(dtype);
  r.touch(logits, tokens, 4);
  r.touch(rows, times(tokens, columns), size);
  r.touch(y, times(tokens, columns), size);
  if (!d_rows.null()) r.touch(d_rows, times(tokens, columns), size);
  touch_optional(r, d_logits, tokens);
}

}  // namespace schemoe
