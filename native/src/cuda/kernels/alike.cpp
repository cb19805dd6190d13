#include "cuda/kernels/alike.h"

#include <algorithm>
#include <vector>

#include "cuda/kernels/apart.h"

namespace schemoe::cuda {

namespace {

bool same(const View& a, const View& b) { return a.buffer == b.buffer && a.offset == b.offset; }

/// Bytes that calls use, so that none reads or writes what another writes.
class Uses {
 public:
  explicit Uses(const Context& context) : context_(context) {}

  /// False where one of the views, each of so many bytes, lies in what was added before.
  template <class... Views>
  bool add(int64_t bytes, const Views&... views) {
    const size_t before = spans_.size();
    for (const View* view : {&views...}) {
      const Span span{context_.at<void>(*view), bytes};
      const auto is_apart = [&](const Span& s) { return are_apart(s.begin, s.bytes, span.begin, span.bytes); };
      if (!std::all_of(spans_.begin(), spans_.end(), is_apart)) {
        spans_.resize(before);
        return false;
      }
      spans_.push_back(span);
    }
    return true;
  }

 private:
  struct Span {
    const void* begin;
    int64_t bytes;
  };
  const Context& context_;
  std::vector<Span> spans_;
};

bool alike(const Adamw& a, const Adamw& b) {
  return same(a.clip, b.clip) && same(a.rates, b.rates) && a.beta1 == b.beta1 && a.beta2 == b.beta2 && a.epsilon == b.epsilon;
}

/// Whether a sum's terms, each where the sum is or apart from all that is written, are read before that.
bool terms_fit(const AddTensors& sum, int64_t bytes, const Norm& norm, const Context& context) {
  for (const View* term : {&sum.a, &sum.b}) {
    Uses written(context);
    written.add(bytes, norm.y);
    written.add(8 * norm.rows, norm.statistics);
    if (!same(*term, sum.out)) written.add(bytes, sum.out);
    if (!written.add(bytes, *term)) return false;
  }
  return true;
}

size_t run_updates(const Adamw& first, std::span<const schemoe::Call> calls, const Context& context) {
  std::vector<Update> updates;
  Uses uses(context);
  if (!uses.add(8, first.clip) || !uses.add(12, first.rates)) return 0;
  size_t done = 0;
  while (done < calls.size() && updates.size() < kMostAlike) {
    const auto* step = std::get_if<Adamw>(&calls[done].arguments);
    if (!step || !alike(first, *step)) break;
    if (!uses.add(4 * step->count, step->parameter, step->gradient, step->first, step->second)) break;
    ++done;
    updates.push_back({step, nullptr});
    const auto* rounded = done < calls.size() ? std::get_if<Round>(&calls[done].arguments) : nullptr;
    if (!rounded || rounded->count != step->count || !same(rounded->x, step->parameter)) continue;
    if (!uses.add(2 * rounded->count, rounded->out)) break;
    ++done;
    updates.back().rounded = rounded;
  }
  if (done < 2) return 0;
  run(updates, context);
  return done;
}

size_t run_sums(const SumValues& first, std::span<const schemoe::Call> calls, const Context& context) {
  std::vector<const SumValues*> sums;
  Uses uses(context);
  for (const schemoe::Call& call : calls.first(std::min(calls.size(), kMostAlike))) {
    const auto* sum = std::get_if<SumValues>(&call.arguments);
    if (!sum || sum->squares != first.squares || !uses.add(4 * sum->count, sum->x) || !uses.add(4, sum->out)) break;
    sums.push_back(sum);
  }
  if (sums.size() < 2) return 0;
  run(sums, context);
  return sums.size();
}

size_t run_turns(const Rotary& first, std::span<const schemoe::Call> calls, const Context& context) {
  std::vector<const Rotary*> turned;
  Uses uses(context);
  for (const schemoe::Call& call : calls.first(std::min(calls.size(), kMostTurned))) {
    const auto* r = std::get_if<Rotary>(&call.arguments);
    const bool fits = r && r->length == first.length && r->dim == first.dim && r->base == first.base && r->back == first.back &&
                      r->dtype == first.dtype;
    if (!fits || !uses.add(element_bytes(r->dtype) * r->tokens * r->heads * r->dim, r->x)) break;
    turned.push_back(r);
  }
  if (turned.size() < 2) return 0;
  run(turned, context);
  return turned.size();
}

/// A norm of the sum that comes before it.
size_t run_norm(const AddTensors& sum, std::span<const schemoe::Call> calls, const Context& context) {
  const auto* norm = calls.size() < 2 ? nullptr : std::get_if<Norm>(&calls[1].arguments);
  if (!norm || !same(norm->x, sum.out) || norm->dtype != sum.dtype || norm->rows * norm->columns != sum.count) return 0;
  // A sum may lie where one of its terms does: each thread reads its own before it writes them.
  const int64_t bytes = element_bytes(sum.dtype) * sum.count;
  Uses uses(context);
  const bool apart = uses.add(bytes, norm->y, sum.out) && uses.add(8 * norm->rows, norm->statistics) &&
                     uses.add(4 * norm->columns, norm->weight) && terms_fit(sum, bytes, *norm, context);
  return apart && run_rows(*norm, &sum, context) ? 2 : 0;
}

/// The gradient of a norm's weight, after that of its rows.
size_t run_norm_grads(const NormGrad& rows, std::span<const schemoe::Call> calls, const Context& context) {
  const auto* weight = calls.size() < 2 ? nullptr : std::get_if<NormWeightGrad>(&calls[1].arguments);
  if (!weight || !same(weight->dy, rows.dy) || !same(weight->x, rows.x) || !same(weight->statistics, rows.statistics) ||
      weight->rows != rows.rows || weight->columns != rows.columns || weight->centered != rows.centered ||
      weight->dtype != rows.dtype) {
    return 0;
  }
  const int64_t bytes = element_bytes(rows.dtype) * rows.rows * rows.columns;
  Uses uses(context);
  const bool apart = uses.add(bytes, rows.dx, rows.dy) && uses.add(bytes, rows.x) && uses.add(8 * rows.rows, rows.statistics) &&
                     uses.add(4 * rows.columns, rows.weight, weight->weight);
  return apart && run_rows(*weight, &rows, context) ? 2 : 0;
}

}  // namespace

size_t run_alike(std::span<const schemoe::Call> calls, const Context& context) {
  if (const auto* step = std::get_if<Adamw>(&calls[0].arguments)) return run_updates(*step, calls, context);
  if (const auto* sum = std::get_if<SumValues>(&calls[0].arguments)) return run_sums(*sum, calls, context);
  if (const auto* turn = std::get_if<Rotary>(&calls[0].arguments)) return run_turns(*turn, calls, context);
  if (const auto* sum = std::get_if<AddTensors>(&calls[0].arguments)) return run_norm(*sum, calls, context);
  if (const auto* rows = std::get_if<NormGrad>(&calls[0].arguments)) return run_norm_grads(*rows, calls, context);
  return 0;
}

}  // namespace schemoe::cuda
