// Rows of tokens that gates scale: experts without computation, cosine gates, gated shared experts.
#include <algorithm>
#include <cmath>

#include "cpu/kernels/gates/scores.h"
#include "cpu/kernels/kernels.h"

namespace schemoe {

namespace {

double dot(const float* a, const float* b, int64_t columns) {
  double sum = 0;
  for (int64_t j = 0; j < columns; ++j) sum += static_cast<double>(a[j]) * b[j];
  return sum;
}

}  // namespace

void run(const AddIdentity& a, const Context& context) {
  const float* from = context.at<const float>(a.from);
  const int32_t* choices = context.at<const int32_t>(a.choices);
  const float* weights = context.at<const float>(a.weights);
  float* to = context.at<float>(a.to);
  for (int64_t token = 0; token < a.tokens && !context.stop; ++token, from += a.columns, to += a.columns) {
    float sum = 0;
    bool any = false;
    for (int64_t i = token * a.k; i < (token + 1) * a.k; ++i) {
      if (choices[i] < a.experts) continue;
      sum += weights[i];
      any = true;
    }
    // A weight of 0 does not hide what is not finite.
    if (!any) continue;
    for (int64_t j = 0; j < a.columns; ++j) to[j] += sum * from[j];
  }
}

void run(const IdentityDots& d, const Context& context) {
  const float* a = context.at<const float>(d.a);
  const float* b = context.at<const float>(d.b);
  const int32_t* choices = context.at<const int32_t>(d.choices);
  float* out = context.at<float>(d.out);
  for (int64_t token = 0; token < d.tokens && !context.stop; ++token) {
    float product = NAN;
    for (int64_t i = token * d.k; i < (token + 1) * d.k; ++i) {
      if (choices[i] < d.experts) continue;
      if (std::isnan(product)) {
        product = static_cast<float>(dot(a + token * d.columns, b + token * d.columns, d.columns));
      }
      out[i] = product;
    }
  }
}

void run(const UnitRows& u, const Context& context) {
  const float* x = context.at<const float>(u.x);
  float* y = context.at<float>(u.y);
  float* norms = context.at<float>(u.norms);
  for (int64_t row = 0; row < u.rows && !context.stop; ++row, x += u.columns, y += u.columns) {
    const double norm = std::max(std::sqrt(dot(x, x, u.columns)), 1e-12);
    norms[row] = static_cast<float>(norm);
    for (int64_t j = 0; j < u.columns; ++j) y[j] = static_cast<float>(x[j] / norm);
  }
}

void run(const UnitRowsGrad& u, const Context& context) {
  const float* y = context.at<const float>(u.y);
  const float* norms = context.at<const float>(u.norms);
  const float* dy = context.at<const float>(u.dy);
  float* dx = context.at<float>(u.dx);
  for (int64_t row = 0; row < u.rows && !context.stop; ++row) {
    const int64_t at = row * u.columns;
    const double along = dot(y + at, dy + at, u.columns);
    for (int64_t j = 0; j < u.columns; ++j) {
      dx[at + j] = static_cast<float>((dy[at + j] - along * y[at + j]) / norms[row]);
    }
  }
}

void run(const Temper& t, const Context& context) {
  float* z = context.at<float>(t.z);
  const double temperature = *context.at<const float>(t.temperature);
  float* dz = context.at<float>(t.dz);
  if (!dz) {
    for (int64_t i = 0; i < t.count; ++i) z[i] = static_cast<float>(z[i] / temperature);
    return;
  }
  *context.at<float>(t.d_temperature) = static_cast<float>(-dot(z, dz, t.count) / temperature);
  for (int64_t i = 0; i < t.count; ++i) dz[i] = static_cast<float>(dz[i] / temperature);
}

void run(const GatedRows& g, const Context& context) {
  const float* logits = context.at<const float>(g.logits);
  const float* rows = context.at<const float>(g.rows);
  float* y = context.at<float>(g.y);
  float* d_rows = context.at<float>(g.d_rows);
  float* d_logits = context.at<float>(g.d_logits);
  for (int64_t token = 0; token < g.tokens && !context.stop; ++token) {
    const int64_t at = token * g.columns;
    const float q = sigmoid(logits[token]);
    if (!d_rows) {
      for (int64_t j = 0; j < g.columns; ++j) y[at + j] += q * rows[at + j];
      continue;
    }
    d_logits[token] = static_cast<float>(dot(y + at, rows + at, g.columns) * q * (1 - q));
    for (int64_t j = 0; j < g.columns; ++j) d_rows[at + j] = q * y[at + j];
  }
}

}  // namespace schemoe
