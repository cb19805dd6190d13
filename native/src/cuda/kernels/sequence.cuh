// The order in which choices take places: all first choices, then all second ones, ..., each in the order of tokens.
#pragma once

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda::places {

/// Cut into parts of `each`, a block's; where parts must not go across choices, every choice is cut for itself.
struct Sequence {
  int64_t tokens;
  int experts, k;
  const int32_t* choices;
  /// Of choices that may be -1: experts from `sent` on and -1 have no place, and their targets are 0.
  int32_t* targets;
  int sent;
  /// Pieces of `length` that are cut into `per` parts each.
  int64_t length, each;
  int per, parts;

  __device__ int64_t begin(int part) const { return part / per * length + part % per * each; }
  __device__ int64_t end(int part) const { return min(begin(part) + each, (part / per + 1) * length); }
};

/// Where an element of the sequence lies in lists [token, choice]; it goes forward by 32 elements.
struct Walker {
  unsigned tokens, k, token, choice;
  __device__ Walker(const Sequence& s, int64_t first)
      : tokens(static_cast<unsigned>(s.tokens)),
        k(static_cast<unsigned>(s.k)),
        token(static_cast<unsigned>(first) % tokens),
        choice(static_cast<unsigned>(first) / tokens) {}
  __device__ int at() const { return static_cast<int>(token * k + choice); }
  __device__ void forward(unsigned by) {
    token += by;
    while (token >= tokens) token -= tokens, ++choice;
  }
};

/// The expert of a choice, or -1 for none.
__device__ inline int expert_of(const Sequence& s, int choice, const Report& report) {
  if (s.targets && choice == -1) return -1;
  return report.checked(Data::choices, choice, s.experts) ? choice : -1;
}

}  // namespace schemoe::cuda::places
