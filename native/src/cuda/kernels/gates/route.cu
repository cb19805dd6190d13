// Scores, choices and weights of a gate: a warp a row, which stays in registers.
#include "cuda/kernels/gates/few.cuh"
#include "cuda/kernels/gates/groups.cuh"
#include "cuda/kernels/gates/scores.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

struct Shape {
  int64_t tokens;
  int rows, k;
  Scores kind;
  Choose choose;
  Groups groups;
  bool normalize;
  double scale;
  int room;  // words of shared memory for each row
  __device__ bool limited() const { return choose == Choose::largest && groups.limit < groups.count; }
  __device__ bool divided() const { return kind == Scores::softmax_of_chosen || (normalize && k > 1); }
};

/// What a row has beside its registers.
struct Room {
  Slots* slots;      // of the warp
  uint32_t* values;  // of a row, then one of each group
  uint32_t* keys;    // of a row that stays in memory
};

/// Weights of the choices that `listed` gives, -1 having none.
template <int G, class Listed>
__device__ void weigh(const Shape& r, int lane, bool has, const float* logits, const float* scores, float* weights,
                      Listed listed) {
  const bool softmax = r.kind == Scores::softmax_of_chosen;
  float most = -INFINITY;
  for (int c = lane; softmax && c < r.k; c += G) {
    if (const int e = listed(c); e >= 0) most = fmaxf(most, logits[e]);
  }
  most = group_max<G>(most);
  const auto part_of = [&](int e) { return e < 0 ? 0.0f : softmax ? expf(logits[e] - most) : scores[e]; };
  double sum = 0;
  for (int c = lane; c < r.k; c += G) sum += part_of(listed(c));
  sum = group_sum<G>(sum);
  const double by = r.divided() ? sum + kTiny : 1.0;
  for (int c = lane; has && c < r.k; c += G) weights[c] = static_cast<float>(part_of(listed(c)) / by * r.scale);
}

/// The same of choices that the lanes have.
template <int G, class Chosen>
__device__ void weigh_lanes(const Shape& r, int lane, bool has, const Chosen& chosen, const float* scores,
                            float* weights) {
  const bool softmax = r.kind == Scores::softmax_of_chosen;
  float parts[Chosen::kEach], most = -INFINITY, sum = 0;
#pragma unroll
  for (int i = 0; i < Chosen::kEach; ++i) {
    parts[i] = Chosen::place(i, lane) < r.k ? scores[chosen.numbers[i]] : softmax ? -INFINITY : 0.0f;
    most = fmaxf(most, parts[i]);
  }
  if (softmax) {
    most = group_max<G>(most);
#pragma unroll
    for (int i = 0; i < Chosen::kEach; ++i) parts[i] = Chosen::place(i, lane) < r.k ? expf(parts[i] - most) : 0.0f;
  }
#pragma unroll
  for (int i = 0; i < Chosen::kEach; ++i) sum += parts[i];
  const auto scale = static_cast<float>(r.scale);
  const float factor = r.divided() ? scale / (group_sum<G>(sum) + kTiny) : scale;
#pragma unroll
  for (int i = 0; i < Chosen::kEach; ++i) {
    if (const int c = Chosen::place(i, lane); has && c < r.k) weights[c] = parts[i] * factor;
  }
}

/// Writes the k choices of largest values, and where they fit into the lanes their weights, returning true then.
template <int N, int V, int G>
__device__ bool choose_largest(const Shape& r, int lane, bool has, const Room& room, const float* bias,
                               const float* logits, const float* scores, Own<N, V, float, G>& z,
                               Own<N, V, float, G>& s, int32_t* choices, float* weights) {
  // Scores rise with logits: without a bias the order of logits is that of scores, then logits.
  const SecondOf second{bias ? logits : nullptr};
  Own<N, V, uint32_t, G> keys;
  keys.place(room.keys);
  set_keys(r.rows, lane, keys, [&](int e, float logit, float score) { return key_of(bias ? score + bias[e] : logit); },
           z, s);
  if (r.limited()) {
    bool kept = false;
    if constexpr (V == 4) {
      constexpr int kParts = N / 4;
      if (r.groups.share >= kParts) keep_shared_groups<1>(r.groups, lane, bias, s, keys), kept = true;
      if constexpr (kParts > 1) {
        if (2 * r.groups.share == kParts) keep_shared_groups<2>(r.groups, lane, bias, s, keys), kept = true;
      }
    }
    if (!kept) keep_groups(r.groups, r.rows, lane, room.values, bias, s, keys);
  }
  constexpr bool kFew = kByFours<N, V, G>;
  if (kFew || r.k <= kMostFirst) {
    const auto firsts = first_of(r.rows, lane, r.k, *room.slots, room.values, r.room, keys, second);
    __syncwarp();  // other lanes wrote scores
    weigh_lanes<G>(r, lane, has, firsts, r.kind == Scores::softmax_of_chosen ? logits : scores, weights);
#pragma unroll
    for (int i = 0; i < firsts.kEach; ++i) {
      if (const int c = firsts.place(i, lane); has && c < r.k) choices[c] = firsts.numbers[i];
    }
    return true;
  }
  if constexpr (!kFew) {
    for (int c = 0; c < r.k; ++c) {
      const int e = take_first(r.rows, lane, keys, second);
      if (lane == 0 && has) choices[c] = e;
    }
  }
  return false;
}

template <int N, int V, int G>
__global__ void __launch_bounds__(kThreads)
    route_kernel(Shape r, const float* logits, const float* bias, float* scores, int32_t* choices, float* weights,
                 uint32_t* scratch, Report report) {
  __shared__ Slots slots[kByFours<N, V, G> ? 1 : kWarps];
  const auto lane = static_cast<int>(threadIdx.x % G), warp = static_cast<int>(threadIdx.x / 32);
  Room room{&slots[kByFours<N, V, G> ? 0 : warp], reinterpret_cast<uint32_t*>(shared_memory()) + threadIdx.x / G * r.room, nullptr};
  if constexpr (N == 0) {
    room.keys = scratch + (int64_t{blockIdx.x} * kWarps + warp) * (2 * int64_t{r.rows} + r.groups.count);
    room.values = room.keys + r.rows;
  }
  for (RowOf<G> row(r.tokens); row.any(); row.next()) {
    const float* logit = logits + row.index * r.rows;
    float* score = scores + row.index * r.rows;
    int32_t* choice = choices + row.index * r.k;
    float* weight = weights + row.index * r.k;
    Own<N, V, float, G> z, s;
    z.load(logit, r.rows, lane);
    s.place(score);
    score_row(r.kind, r.rows, lane, z, s);
    if (row.has) s.store(score, r.rows, lane);
    if (r.k == 0) continue;
    if (r.choose == Choose::largest) {
      if (choose_largest(r, lane, row.has, room, bias, logit, score, z, s, choice, weight)) continue;
    } else if (r.choose == Choose::positive) {
      // not above 0 is not chosen; NaN is
      each(r.rows, lane, [&](int e, float& value) {
        if (row.has) choice[e] = value == 0 ? -1 : e;
      }, s);
    } else {
      for (int c = lane; row.has && c < r.k; c += G) {
        if (r.choose == Choose::nothing) choice[c] = -1;
        else if (choice[c] != -1) report.checked(Data::choices, choice[c], r.rows);
      }
    }
    __syncwarp();
    weigh<G>(r, lane, row.has, logit, score, weight, [&](int c) {
      const int e = choice[c];  // of a buffer, in which anything may be
      return e >= 0 && e < r.rows ? e : -1;
    });
    __syncwarp();
  }
}

}  // namespace

void run(const Route& r, const Context& context) {
  if (r.rows == 0 || r.tokens == 0) return;
  const bool limited = r.choose == Choose::largest && r.group_limit < r.groups;
  // Rounded up it is exact for 2^16 experts; for groups of one it is beyond its word, which has 0.
  const int64_t size = limited ? r.rows / r.groups : 1;
  const auto by_size = static_cast<uint32_t>(((int64_t{1} << 32) + size - 1) / size);
  Shape shape{r.tokens, static_cast<int>(r.rows), static_cast<int>(r.k), r.kind, r.choose,
              {static_cast<int>(r.groups), static_cast<int>(r.group_limit), by_size, 0}, r.normalize, r.scale, 0};
  const auto* logits = context.at<const float>(r.logits);
  auto* scores = context.at<float>(r.scores);
  const int64_t chosen = r.choose == Choose::largest ? r.k : r.rows;
  with_chosen<16>(r.rows, chosen, {logits, scores}, [&](auto n, auto v, auto g) {
    const unsigned grid = row_blocks(r.tokens, r.rows, g());
    uint32_t* scratch = nullptr;
    shape.groups.share = limited && v() == 4 ? shared_by(size, n() / 4, g()) : 0;
    const bool listed = limited && shape.groups.share == 0;
    if (n() == 0) {
      scratch = context.scratch.get<uint32_t>(static_cast<size_t>(grid * kWarps * (2 * r.rows + r.groups)), context.stream);
    } else if (listed || kByFours<n(), v(), g()>) {
      shape.room = row_words(shape.rows + (listed ? shape.groups.count : 0), g());
    }
    const size_t bytes = kThreads / g() * shape.room * sizeof(uint32_t);
    allow(route_kernel<n(), v(), g()>, bytes);
    LAUNCH(context.stream, grid, kThreads, bytes, (route_kernel<n(), v(), g()>), shape, logits,
           context.at<const float>(r.bias), scores, context.at<int32_t>(r.choices), context.at<float>(r.weights), scratch,
           context.report());
  });
}

}  // namespace schemoe::cuda
