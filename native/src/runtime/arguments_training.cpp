// Arguments of the kernels that a model has around its layers, and of optimizers.
#include "runtime/arguments.h"
#include "runtime/failure.h"

namespace schemoe {

namespace {

constexpr int64_t kFloat = 4;

/// Whole sequences.
void check_length(int64_t tokens, int64_t length) {
  if (length == 0 ? tokens > 0 : tokens % length != 0) {
    fail(SCHEMOE_INVALID, tokens, " tokens are not sequences of ", length);
  }
}

}  // namespace

Embedding::Embedding(Reader& r)
    : tokens(r.integer()),
      columns(r.integer()),
      vocabulary(r.integer()),
      length(r.integer()),
      ids(r.view()),
      table(r.view()),
      positions(r.optional_view()),
      out(r.view()),
      dtype(r.optional_dtype()) {
  check_length(tokens, length);
  r.touch(ids, tokens, 4);
  r.touch(table, times(vocabulary, columns), element_bytes(dtype));
  if (!positions.null()) r.touch(positions, times(length, columns), element_bytes(dtype));
  r.touch(out, times(tokens, columns), element_bytes(dtype));
}

EmbeddingGrad::EmbeddingGrad(Reader& r)
    : tokens(r.integer()),
      columns(r.integer()),
      vocabulary(r.integer()),
      length(r.integer()),
      ids(r.view()),
      dy(r.view()),
      table(r.view()),
      positions(r.optional_view()),
      dtype(r.optional_dtype()) {
  check_length(tokens, length);
  r.touch(ids, tokens, 4);
  r.touch(dy, times(tokens, columns), element_bytes(dtype));
  r.touch(table, times(vocabulary, columns), kFloat);
  if (!positions.null()) r.touch(positions, times(length, columns), kFloat);
}

Rotary::Rotary(Reader& r)
    : tokens(r.integer()),
      length(r.integer()),
      heads(r.integer()),
      dim(r.integer()),
      x(r.view()),
      base(r.real()),
      back(r.flag("back")),
      dtype(r.optional_dtype()) {
  check_length(tokens, length);
  if (dim % 2 != 0) fail(SCHEMOE_INVALID, "the halves of ", dim, " columns are not alike");
  if (!(base > 0)) fail(SCHEMOE_INVALID, "the base ", base, " is not positive");
  r.touch(x, times(tokens, times(heads, dim)), element_bytes(dtype));
}

Norm::Norm(Reader& r)
    : centered(r.flag("centered")),
      rows(r.integer()),
      columns(r.integer()),
      x(r.view()),
      weight(r.view()),
      bias(r.optional_view()),
      y(r.view()),
      statistics(r.view()),
      epsilon(r.real()),
      dtype(r.optional_dtype()) {
  const int64_t count = times(rows, columns);
  r.touch(x, count, element_bytes(dtype));
  r.touch(weight, columns, kFloat);
  if (!bias.null()) r.touch(bias, columns, kFloat);
  r.touch(y, count, element_bytes(dtype));
  r.touch(statistics, times(rows, 2), kFloat);
}

NormGrad::NormGrad(Reader& r)
    : centered(r.flag("centered")),
      rows(r.integer()),
      columns(r.integer()),
      dy(r.view()),
      x(r.view()),
      weight(r.view()),
      statistics(r.view()),
      dx(r.view()),
      accumulate(r.flag("accumulate")),
      dtype(r.optional_dtype()) {
  const int64_t count = times(rows, columns);
  for (const View* view : {&dy, &x, &dx}) r.touch(*view, count, element_bytes(dtype));
  r.touch(weight, columns, kFloat);
  r.touch(statistics, times(rows, 2), kFloat);
}

NormWeightGrad::NormWeightGrad(Reader& r)
    : centered(r.flag("centered")),
      rows(r.integer()),
      columns(r.integer()),
      dy(r.view()),
      x(r.view()),
      statistics(r.view()),
      weight(r.view()),
      bias(r.optional_view()),
      dtype(r.optional_dtype()) {
  const int64_t count = times(rows, columns);
  for (const View* view : {&dy, &x}) r.touch(*view, count, element_bytes(dtype));
  r.touch(statistics, times(rows, 2), kFloat);
  r.touch(weight, columns, kFloat);
  if (!bias.null()) r.touch(bias, columns, kFloat);
}

AttentionSizes::AttentionSizes(Reader& r)
    // Parts of products, whose sizes are of 32 bits.
    : batch(r.integer("batch", INT32_MAX)),
      length(r.integer("length", INT32_MAX)),
      heads(r.integer("heads", INT32_MAX)),
      key_heads(r.integer("keyHeads", INT32_MAX)),
      dim(r.integer("dim", INT32_MAX)) {
  if (key_heads == 0 ? heads > 0 : heads % key_heads != 0) {
    fail(SCHEMOE_INVALID, heads, " heads do not share ", key_heads, " key-value heads equally");
  }
  for (int64_t all : {heads, key_heads}) {
    if (times(all, dim) > INT32_MAX) fail(SCHEMOE_INVALID, all, " heads of ", dim, " are too many");
  }
}

namespace {

void touch(Reader& r, const AttentionSizes& s, schemoe_dtype dtype, std::initializer_list<const View*> queries,
           std::initializer_list<const View*> keys, const View& logsum) {
  const int64_t tokens = times(s.batch, s.length);
  for (const View* view : queries) r.touch(*view, times(tokens, s.queries()), element_bytes(dtype));
  for (const View* view : keys) r.touch(*view, times(tokens, s.keys()), element_bytes(dtype));
  r.touch(logsum, times(tokens, s.heads), kFloat);
}

}  // namespace

Attention::Attention(Reader& r)
    : sizes(r), q(r.view()), k(r.view()), v(r.view()), out(r.view()), logsum(r.view()), scale(r.real()), dtype(r.optional_dtype()) {
  touch(r, sizes, dtype, {&q, &out}, {&k, &v}, logsum);
}

AttentionGrad::AttentionGrad(Reader& r)
    : sizes(r),
      q(r.view()),
      k(r.view()),
      v(r.view()),
      out(r.view()),
      logsum(r.view()),
      dout(r.view()),
      dq(r.view()),
      dk(r.view()),
      dv(r.view()),
      scale(r.real()),
      dtype(r.optional_dtype()) {
  touch(r, sizes, dtype, {&q, &out, &dout, &dq}, {&k, &v, &dk, &dv}, logsum);
}

AddTensors::AddTensors(Reader& r) : count(r.integer()), a(r.view()), b(r.view()), out(r.view()), dtype(r.optional_dtype()) {
  for (const View* view : {&a, &b, &out}) r.touch(*view, count, element_bytes(dtype));
}

CrossEntropy::CrossEntropy(Reader& r)
    : rows(r.integer()), columns(r.integer()), logits(r.view()), targets(r.view()), loss(r.view()), scale(r.real()), dtype(r.optional_dtype()) {
  r.touch(logits, times(rows, columns), element_bytes(dtype));
  r.touch(targets, rows, 4);
  r.touch(loss, rows, kFloat);
}

SumValues::SumValues(Reader& r) : squares(r.flag("squares")), count(r.integer()), x(r.view()), out(r.view()) {
  r.touch(x, count, kFloat);
  r.touch(out, 1, kFloat);
}

ClipScale::ClipScale(Reader& r) : count(r.integer()), sums(r.view()), out(r.view()), limit(r.real()) {
  r.touch(sums, count, kFloat);
  r.touch(out, 2, kFloat);
}

Adamw::Adamw(Reader& r)
    : count(r.integer()),
      parameter(r.view()),
      gradient(r.view()),
      first(r.view()),
      second(r.view()),
      clip(r.view()),
      rates(r.view()),
      beta1(r.real()),
      beta2(r.real()),
      epsilon(r.real()),
      decay(r.real()) {
  for (const View* view : {&parameter, &gradient, &first, &second}) r.touch(*view, count, kFloat);
  r.touch(clip, 2, kFloat);
  r.touch(rates, 3, kFloat);
}

Sgd::Sgd(Reader& r)
    : count(r.integer()),
      parameter(r.view()),
      gradient(r.view()),
      velocity(r.view()),
      clip(r.view()),
      rates(r.view()),
      momentum(r.real()) {
  for (const View* view : {&parameter, &gradient, &velocity}) r.touch(*view, count, kFloat);
  r.touch(clip, 2, kFloat);
  r.touch(rates, 3, kFloat);
}

Round::Round(Reader& r) : count(r.integer()), x(r.view()), out(r.view()) {
  r.touch(x, count, kFloat);
  r.touch(out, count, element_bytes(SCHEMOE_BF16));
}

}  // namespace schemoe
