// Scores, choices and weights of a gate: a warp a row, which stays in registers.
#include "cuda/kernels/gates/best.cuh"
#include "cuda/kernels/gates/scores.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

struct Shape {
  int64_t tokens;
  int rows, k;
  Scores kind;
  Choose choose;
  int groups, limit;
  bool normalize;
  double scale;
  uint32_t by_size;  // 2^32 through the size of a group
  int share;         // lanes side by side that have a group, or 0 where groups lie otherwise
  __device__ int group_of(int e) const {
    return by_size == 0 ? e : static_cast<int>(__umulhi(static_cast<uint32_t>(e), by_size));
  }
  __device__ bool limited() const { return choose == Choose::largest && limit < groups; }
  __device__ bool divided() const { return kind == Scores::softmax_of_chosen || (normalize && k > 1); }
};

/// What a row has beside its registers.
struct Room {
  Slots* slots;      // of the warp
  uint32_t* values;  // of a row, then one of each group
  uint32_t* keys;    // of a row that stays in memory
};

/// Bytes of shared memory for the values and groups of a row.
__host__ __device__ inline size_t value_bytes(int rows, int groups) {
  return (static_cast<size_t>(rows + groups) * 4 + 15) / 16 * 16;
}

/// Takes the keys from all experts outside of the groups whose two largest values have the largest sums.
template <int N, int V, int G>
__device__ void keep_groups(const Shape& r, int lane, uint32_t* values, const float* bias, Own<N, V, float, G>& s,
                            Own<N, V, uint32_t, G>& keys) {
  const int size = r.rows / r.groups;
  uint32_t* sums = values + r.rows;
  __syncwarp();
  // What keys are made of, whatever they are: by the values with their bias.
  each(r.rows, lane, [&](int e, float& score) { values[e] = key_of(bias ? score + bias[e] : score); }, s);
  __syncwarp();
  // A power of two of lanes shares a group.
  int share = 1;
  while (2 * share * r.groups <= G && 2 * share <= size) share *= 2;
  const int part = lane % share;
  for (int first = 0; first < r.groups; first += G / share) {
    const int group = first + lane / share;
    const uint32_t* mine = values + group * size;
    uint32_t most = 0, next = 0;
    if (group < r.groups) {
      // Groups begin at different places, which lie in different banks.
      const int steps = (size - part + share - 1) / share;
      for (int i = 0, at = group % steps; i < steps; ++i) {
        const uint32_t value = mine[part + at * share];
        next = max(next, min(most, value));
        most = max(most, value);
        at = at + 1 == steps ? 0 : at + 1;
      }
    }
    for (int step = share / 2; step > 0; step /= 2) {
      const uint32_t other = __shfl_xor_sync(kAllLanes, most, step), after = __shfl_xor_sync(kAllLanes, next, step);
      next = max(max(next, after), min(most, other));
      most = max(most, other);
    }
    if (part == 0 && group < r.groups) sums[group] = key_of(number_of(most) + (size > 1 ? number_of(next) : 0.0f));
  }
  __syncwarp();
  // One bit of each group, 32 at a time.
  for (int first = 0; first < r.groups; first += 32) {
    uint32_t kept = 0;
    for (int here = first; here < min(first + 32, r.groups); here += G) {
      const int group = here + lane;
      int place = 0;
      if (group < r.groups) {
        const uint32_t mine = sums[group];
        for (int other = 0; other < r.groups; ++other) {
          const uint32_t sum = sums[other];
          place += sum > mine || (sum == mine && other < group);
        }
      }
      const unsigned votes = __ballot_sync(kAllLanes, group < r.groups && place < r.limit);
      const int shift = static_cast<int>(threadIdx.x % 32) - lane;
      const uint32_t of_row = G == 32 ? votes : votes >> shift & ((uint64_t{1} << G) - 1);
      kept |= of_row << (here - first);
    }
    each(r.rows, lane, [&](int e, uint32_t& key) {
      const int group = r.group_of(e) - first;
      if (group >= 0 && group < 32 && (kept >> group & 1) == 0) key = 0;
    }, keys);
  }
}

/// The same where `share` lanes side by side, a power of two of them, have four experts each of a group.
template <int N, int G>
__device__ void keep_groups(const Shape& r, int lane, const float* bias, Own<N, 4, float, G>& s,
                            Own<N, 4, uint32_t, G>& keys) {
  constexpr int kParts = N / 4;
  const int across = G / r.share;  // groups
  uint32_t sums[kParts];
#pragma unroll
  for (int i = 0; i < kParts; ++i) {
    uint32_t values[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) values[j] = bias ? keys.values[4 * i + j] : key_of(s.values[4 * i + j]);
    const uint32_t a = max(values[0], values[1]), b = max(values[2], values[3]);
    uint32_t most = max(a, b), next = max(min(a, b), max(min(values[0], values[1]), min(values[2], values[3])));
    for (int step = r.share / 2; step > 0; step /= 2) {
      const uint32_t other = __shfl_xor_sync(kAllLanes, most, step), after = __shfl_xor_sync(kAllLanes, next, step);
      next = max(max(next, after), min(most, other));
      most = max(most, other);
    }
    sums[i] = key_of(number_of(most) + number_of(next));
  }
  int places[kParts] = {};
#pragma unroll
  for (int i = 0; i < kParts; ++i) {
    for (int j = 0; j < across && i * across + j < r.groups; ++j) {
      const uint32_t other = __shfl_sync(kAllLanes, sums[i], j * r.share, G);
#pragma unroll
      for (int own = 0; own < kParts; ++own) {
        const bool before = i < own || (i == own && j < lane / r.share);
        places[own] += other > sums[own] || (other == sums[own] && before);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < N; ++i) {
    if (places[i / 4] >= r.limit) keys.values[i] = 0;
  }
}

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

/// The same of the k <= kMostFirst choices that the lanes have.
template <int G>
__device__ void weigh_lanes(const Shape& r, int lane, bool has, const Firsts<G>& firsts, const float* scores,
                            float* weights) {
  const bool softmax = r.kind == Scores::softmax_of_chosen;
  float parts[Firsts<G>::kEach], most = -INFINITY, sum = 0;
#pragma unroll
  for (int i = 0; i < Firsts<G>::kEach; ++i) {
    parts[i] = i * G + lane < r.k ? scores[firsts.numbers[i]] : softmax ? -INFINITY : 0.0f;
    most = fmaxf(most, parts[i]);
  }
  if (softmax) {
    most = group_max<G>(most);
#pragma unroll
    for (int i = 0; i < Firsts<G>::kEach; ++i) parts[i] = i * G + lane < r.k ? expf(parts[i] - most) : 0.0f;
  }
#pragma unroll
  for (int i = 0; i < Firsts<G>::kEach; ++i) sum += parts[i];
  const auto scale = static_cast<float>(r.scale);
  const float factor = r.divided() ? scale / (group_sum<G>(sum) + kTiny) : scale;
#pragma unroll
  for (int i = 0; i < Firsts<G>::kEach; ++i) {
    if (const int c = i * G + lane; has && c < r.k) weights[c] = parts[i] * factor;
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
      if (r.share > 0) keep_groups(r, lane, bias, s, keys), kept = true;
    }
    if (!kept) keep_groups(r, lane, room.values, bias, s, keys);
  }
  if (r.k <= kMostFirst) {
    const Firsts<G> firsts = find_first(r.rows, lane, r.k, *room.slots, keys, second);
    __syncwarp();  // other lanes wrote scores
    weigh_lanes(r, lane, has, firsts, r.kind == Scores::softmax_of_chosen ? logits : scores, weights);
#pragma unroll
    for (int i = 0; i < Firsts<G>::kEach; ++i) {
      if (const int c = i * G + lane; has && c < r.k) choices[c] = firsts.numbers[i];
    }
    return true;
  }
  for (int c = 0; c < r.k; ++c) {
    const int e = take_first(r.rows, lane, keys, second);
    if (lane == 0 && has) choices[c] = e;
  }
  return false;
}

template <int N, int V, int G>
__global__ void __launch_bounds__(kThreads)
    route_kernel(Shape r, const float* logits, const float* bias, float* scores, int32_t* choices, float* weights,
                 uint32_t* scratch, Report report) {
  __shared__ Slots slots[kWarps];
  const auto lane = static_cast<int>(threadIdx.x % G), warp = static_cast<int>(threadIdx.x / 32);
  auto* shared = reinterpret_cast<std::byte*>(shared_memory());
  Room room{&slots[warp], reinterpret_cast<uint32_t*>(shared + threadIdx.x / G * value_bytes(r.rows, r.groups)), nullptr};
  if constexpr (N == 0) {
    room.keys = scratch + (int64_t{blockIdx.x} * kWarps + warp) * (2 * int64_t{r.rows} + r.groups);
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
              static_cast<int>(r.groups), static_cast<int>(r.group_limit), r.normalize, r.scale, by_size, 0};
  const auto* logits = context.at<const float>(r.logits);
  auto* scores = context.at<float>(r.scores);
  with_row(r.rows, {logits, scores}, [&](auto n, auto v, auto g) {
    const unsigned grid = row_blocks(r.tokens, r.rows, g());
    size_t bytes = 0;
    uint32_t* scratch = nullptr;
    const int64_t share = v() == 4 && size % 4 == 0 ? size / 4 : 0;
    shape.share = (share & (share - 1)) == 0 && share <= g() ? static_cast<int>(share) : 0;
    if (n() == 0) {
      scratch = context.scratch.get<uint32_t>(static_cast<size_t>(grid * kWarps * (2 * r.rows + r.groups)), context.stream);
    } else if (limited && shape.share == 0) {
      bytes = kThreads / g() * value_bytes(shape.rows, shape.groups);
    }
    allow(route_kernel<n(), v(), g()>, bytes);
    LAUNCH(context.stream, grid, kThreads, bytes, (route_kernel<n(), v(), g()>), shape, logits,
           context.at<const float>(r.bias), scores, context.at<int32_t>(r.choices), context.at<float>(r.weights), scratch,
           context.report());
  });
}

}  // namespace schemoe::cuda
