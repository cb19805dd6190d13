// Updates of parameters: AdamW (Loshchilov and Hutter, ICLR'19) and momentum (Sutskever et al., ICML'13).
#include <cmath>

#include "cpu/kernels/kernels.h"
#include "cpu/kernels/vector.h"

namespace schemoe {

namespace {

struct AdamwStep {
  float factor, rate, keep1, take1, keep2, take2, bias1, bias2, epsilon, shrink;
};

SCHEMOE_VECTOR void adamw(float* p, const float* gradient, float* m, float* v, int64_t count, AdamwStep s) {
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * s.factor;
    const float first = s.keep1 * m[i] + s.take1 * g, second = s.keep2 * v[i] + s.take2 * (g * g);
    m[i] = first;
    v[i] = second;
    p[i] = p[i] * s.shrink - s.rate * (first / s.bias1) / (std::sqrt(second / s.bias2) + s.epsilon);
  }
}

SCHEMOE_VECTOR void sgd(float* p, const float* gradient, float* v, int64_t count, float factor, float momentum,
                        float rate) {
  for (int64_t i = 0; i < count; ++i) {
    const float velocity = momentum * v[i] + gradient[i] * factor;
    v[i] = velocity;
    p[i] -= rate * velocity;
  }
}

}  // namespace

void run(const ClipScale& c, const Context& context) {
  const auto* sums = context.at<const float>(c.sums);
  auto* out = context.at<float>(c.out);
  double sum = 0;
  for (int64_t i = 0; i < c.count; ++i) sum += sums[i];
  const double norm = std::sqrt(sum);
  out[0] = static_cast<float>(norm);
  out[1] = c.limit > 0 && norm > c.limit ? static_cast<float>(c.limit / norm) : 1.0f;
}

void run(const Adamw& a, const Context& context) {
  const auto *clip = context.at<const float>(a.clip), *rates = context.at<const float>(a.rates);
  const AdamwStep step{clip[1],
                       rates[0],
                       static_cast<float>(a.beta1),
                       static_cast<float>(1 - a.beta1),
                       static_cast<float>(a.beta2),
                       static_cast<float>(1 - a.beta2),
                       rates[1],
                       rates[2],
                       static_cast<float>(a.epsilon),
                       static_cast<float>(1 - rates[0] * a.decay)};
  adamw(context.at<float>(a.parameter), context.at<const float>(a.gradient), context.at<float>(a.first),
        context.at<float>(a.second), a.count, step);
}

void run(const Sgd& s, const Context& context) {
  sgd(context.at<float>(s.parameter), context.at<const float>(s.gradient), context.at<float>(s.velocity), s.count,
      context.at<const float>(s.clip)[1], static_cast<float>(s.momentum), context.at<const float>(s.rates)[0]);
}

}  // namespace schemoe
