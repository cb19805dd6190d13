// Arguments of the kernels of gates, losses on the routing and shared experts; `schemoe.h` says what each does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "runtime/reader.h"

namespace schemoe {

/// How logits become scores.
enum class Scores { softmax = 0, sigmoid = 1, sqrt_softplus = 2, softmax_of_chosen = 3, relu = 4 };

/// What `route` chooses.
enum class Choose { largest = 0, given = 1, positive = 2, nothing = 3 };

/// The place of a choice that goes nowhere: above every capacity.
inline constexpr int32_t kNoPlace = INT32_MAX - 1;

struct Route {
  explicit Route(Reader&);
  int64_t tokens, rows, k;
  Scores kind;
  Choose choose;
  int64_t groups, group_limit;
  bool normalize;
  View logits, bias, scores, choices, weights;
  double scale;
};

struct RouteGrad {
  explicit RouteGrad(Reader&);
  int64_t tokens, rows, k;
  Scores kind;
  bool normalize;
  View logits, scores, choices, d_weights, importance, balance, d_logits;
  double scale, z_weight;
  /// Here and below: of each token, other than 0 where it is padding; null without any.
  View padding;
};

struct PlaceChoices {
  explicit PlaceChoices(Reader&);
  int64_t tokens, rows, experts, k;
  bool prioritized;
  View scores, choices, targets, positions, loads;
};

struct ChooseTokens {
  explicit ChooseTokens(Reader&);
  int64_t tokens, experts, count;
  View logits, scores, choices;
};

struct RoundChoices {
  explicit RoundChoices(Reader&);
  int64_t tokens, experts, k, tile;
  View best, logits, scores, choices;
};

/// Tokens of an expert that `count` of them chose, in whole tiles: to the nearest, half a tile up, as far as there are.
constexpr int64_t in_tiles(int64_t count, int64_t tile, int64_t tokens) {
  return tile * std::min(tokens / tile, (2 * count + tile) / (2 * tile));
}

struct CountChoices {
  explicit CountChoices(Reader&);
  int64_t tokens, rows, k, first;
  View choices, counts;
};

struct BalanceLoss {
  explicit BalanceLoss(Reader&);
  int64_t tokens, rows;
  Scores kind;
  View scores, counts, balance, loss, total;
  double factor, weight;
  View padding;
};

struct ZLoss {
  explicit ZLoss(Reader&);
  int64_t tokens, rows;
  View logits, loss, total;
  double weight;
  View padding;
};

struct ImportanceLoss {
  explicit ImportanceLoss(Reader&);
  int64_t tokens, rows, k;
  View choices, weights, importance, loss, total;
  double weight;
};

struct LoadLoss {
  explicit LoadLoss(Reader&);
  int64_t tokens, rows, k;
  View clean, spread, logits, slopes, loss, total;
  double weight;
  View padding;
};

struct AddNoise {
  explicit AddNoise(Reader&);
  int64_t count;
  View clean, spread, noise, logits;
};

struct NoiseGrad {
  explicit NoiseGrad(Reader&);
  int64_t tokens, rows, k;
  View clean, spread, noise, logits, slopes, d_logits, d_spread, padding;
};

struct DropPadding {
  explicit DropPadding(Reader&);
  int64_t tokens, k;
  View padding, choices;
};

struct LookUp {
  explicit LookUp(Reader&);
  int64_t tokens, k, vocabulary, rows;
  View ids, table, choices;
};

struct PlaceCopies {
  explicit PlaceCopies(Reader&);
  int64_t tokens, k, experts, slots, capacity;
  View choices, positions, targets, places;
  /// Where the slots of each expert begin, and the end; then the slots.
  std::span<const uint64_t> begins, list;
};

struct AddIdentity {
  explicit AddIdentity(Reader&);
  schemoe_dtype dtype;
  int64_t tokens, columns, experts, k;
  View from, choices, weights, to;
};

struct IdentityDots {
  explicit IdentityDots(Reader&);
  schemoe_dtype dtype;
  int64_t tokens, columns, experts, k;
  View a, b, choices, out;
};

struct BudgetBias {
  explicit BudgetBias(Reader&);
  int64_t rows, experts;
  View loads, bias;
  double rate, share;
};

struct ShiftBias {
  explicit ShiftBias(Reader&);
  int64_t rows, ranks;
  bool quantile;
  View loads, bias;
  double rate;
};

struct QuantileBias {
  explicit QuantileBias(Reader&);
  int64_t tokens, rows, k;
  View logits, bias, out;
};

struct UnitRows {
  explicit UnitRows(Reader&);
  int64_t rows, columns;
  View x, y, norms;
};

struct UnitRowsGrad {
  explicit UnitRowsGrad(Reader&);
  int64_t rows, columns;
  View y, norms, dy, dx;
};

struct Temper {
  explicit Temper(Reader&);
  int64_t count;
  View z, temperature, dz, d_temperature;
};

struct GatedRows {
  explicit GatedRows(Reader&);
  schemoe_dtype dtype;
  int64_t tokens, columns;
  View logits, rows, y, d_rows, d_logits;
};

}  // namespace schemoe
