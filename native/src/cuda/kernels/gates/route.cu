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
  __device__ bool limited() const { return choose == Choose::largest && limit < groups; }
  __device__ bool divided() const { return kind == Scores::softmax_of_chosen || (normalize && k > 1); }
};

/// What a warp has beside its registers.
struct Room {
  Candidate* slots;
  uint32_t* values;  // of a row, then one of each group
  uint32_t* keys;    // of a row that stays in memory
};

/// Bytes of shared memory for the candidates of a warp, and for the values and groups of its row.
constexpr size_t kSlotBytes = kSlots * sizeof(Candidate);
__host__ __device__ inline size_t value_bytes(int rows, int groups) {
  return (static_cast<size_t>(rows + groups) * 4 + 15) / 16 * 16;
}

/// Takes the keys from all experts outside of the groups whose two largest values have the largest sums.
template <int N, int V>
__device__ void keep_groups(const Shape& r, int lane, uint32_t* values, const float* bias, Own<N, V>& s,
                            Own<N, V, uint32_t>& keys) {
  const int size = r.rows / r.groups;
  uint32_t* kept = values + r.rows;
  __syncwarp();
  each(r.rows, lane, [&](int e, float& score) { values[e] = key_of(bias ? score + bias[e] : score); }, s);
  __syncwarp();
  for (int group = lane; group < r.groups; group += 32) {
    uint32_t* mine = values + group * size;
    uint32_t first = 0, second = 0;
    // Lanes begin at different places, which lie in different banks.
    for (int i = 0, at = group % size; i < size; ++i) {
      const uint32_t value = mine[at];
      second = max(second, min(first, value));
      first = max(first, value);
      at = at + 1 == size ? 0 : at + 1;
    }
    mine[0] = key_of(number_of(first) + (size > 1 ? number_of(second) : 0.0f));
  }
  __syncwarp();
  for (int group = lane; group < r.groups; group += 32) {
    const uint32_t mine = values[group * size];
    int place = 0;
    for (int other = 0; other < r.groups; ++other) {
      const uint32_t sum = values[other * size];
      place += sum > mine || (sum == mine && other < group);
    }
    kept[group] = place < r.limit;
  }
  __syncwarp();
  each(r.rows, lane, [&](int e, uint32_t& key) {
    if (!kept[e / size]) key = 0;
  }, keys);
}

/// Weights of the choices that `listed` gives, -1 having none.
template <class Listed>
__device__ void weigh(const Shape& r, int lane, const float* logits, const float* scores, float* weights, Listed listed) {
  const bool softmax = r.kind == Scores::softmax_of_chosen;
  float most = -INFINITY;
  for (int c = lane; softmax && c < r.k; c += 32) {
    if (const int e = listed(c); e >= 0) most = fmaxf(most, logits[e]);
  }
  most = warp_max(most);
  double sum = 0;
  for (int c = lane; c < r.k; c += 32) {
    const int e = listed(c);
    const float part = e < 0 ? 0.0f : softmax ? expf(logits[e] - most) : scores[e];
    weights[c] = part;
    sum += part;
  }
  sum = warp_sum(sum);
  const double by = r.divided() ? sum + kTiny : 1.0;
  for (int c = lane; c < r.k; c += 32) weights[c] = static_cast<float>(weights[c] / by * r.scale);
}

/// The same of the k <= 32 choices that the lanes have.
__device__ void weigh_lanes(const Shape& r, int lane, const Candidate& chosen, float* weights) {
  const bool softmax = r.kind == Scores::softmax_of_chosen, has = lane < r.k;
  const float most = warp_max(has ? chosen.score : -INFINITY);
  const float part = !has ? 0.0f : softmax ? expf(chosen.score - most) : chosen.score;
  const auto scale = static_cast<float>(r.scale);
  const float factor = r.divided() ? scale / (warp_sum(part) + kTiny) : scale;
  if (has) weights[lane] = part * factor;
}

/// Writes the k choices of largest values, and where they fit into the lanes their weights, returning true then.
template <int N, int V>
__device__ bool choose_largest(const Shape& r, int lane, const Room& room, const float* bias, const float* logits,
                               Own<N, V>& z, Own<N, V>& s, int32_t* choices, float* weights) {
  // Scores rise with logits: without a bias the order of logits is that of scores, then logits.
  const SecondOf second{bias ? logits : nullptr};
  Own<N, V, uint32_t> keys;
  keys.place(room.keys);
  each(r.rows, lane, [&](int e, uint32_t& key, float& logit, float& score) {
    key = key_of(bias ? score + bias[e] : logit);
  }, keys, z, s);
  if (r.limited()) keep_groups(r, lane, room.values, bias, s, keys);
  if (r.k <= 32) {
    const int total = gather(r.rows, lane, r.k, room.slots, keys, s, second);
    if (total >= r.k) {
      const Candidate chosen = ranked(room.slots, total, r.k, lane);
      if (lane < r.k) choices[lane] = chosen.number;
      weigh_lanes(r, lane, chosen, weights);
      return true;
    }
  }
  for (int c = 0; c < r.k; ++c) {
    const int e = take_first(r.rows, lane, keys, second);
    if (lane == 0) choices[c] = e;
  }
  return false;
}

template <int N, int V>
__global__ void __launch_bounds__(kThreads)
    route_kernel(Shape r, const float* logits, const float* bias, float* scores, int32_t* choices, float* weights,
                 uint32_t* scratch, Report report) {
  const auto lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const size_t values = value_bytes(r.rows, r.groups);
  auto* shared = reinterpret_cast<std::byte*>(shared_memory());
  Room room{reinterpret_cast<Candidate*>(shared + warp * kSlotBytes),
            reinterpret_cast<uint32_t*>(shared + kWarps * kSlotBytes + warp * values), nullptr};
  if constexpr (N == 0) {
    room.keys = scratch + (int64_t{blockIdx.x} * kWarps + warp) * (2 * int64_t{r.rows} + r.groups);
    room.values = room.keys + r.rows;
  }
  for (int64_t token = int64_t{blockIdx.x} * kWarps + warp; token < r.tokens; token += int64_t{gridDim.x} * kWarps) {
    const float* logit = logits + token * r.rows;
    float* score = scores + token * r.rows;
    int32_t* choice = choices + token * r.k;
    float* weight = weights + token * r.k;
    Own<N, V> z, s;
    z.load(logit, r.rows, lane);
    s.place(score);
    score_row(r.kind, r.rows, lane, z, s);
    s.store(score, r.rows, lane);
    if (r.k == 0) continue;
    if (r.choose == Choose::largest) {
      if (choose_largest(r, lane, room, bias, logit, z, s, choice, weight)) continue;
    } else if (r.choose == Choose::positive) {
      // not above 0 is not chosen; NaN is
      each(r.rows, lane, [&](int e, float& value) { choice[e] = value == 0 ? -1 : e; }, s);
    } else {
      for (int c = lane; c < r.k; c += 32) {
        if (r.choose == Choose::nothing) choice[c] = -1;
        else if (choice[c] != -1) report.checked(Data::choices, choice[c], r.rows);
      }
    }
    __syncwarp();
    weigh(r, lane, logit, score, weight, [&](int c) {
      const int e = choice[c];  // of a buffer, in which anything may be
      return e >= 0 && e < r.rows ? e : -1;
    });
    __syncwarp();
  }
}

}  // namespace

void run(const Route& r, const Context& context) {
  if (r.rows == 0 || r.tokens == 0) return;
  const Shape shape{r.tokens, static_cast<int>(r.rows), static_cast<int>(r.k), r.kind, r.choose,
                    static_cast<int>(r.groups), static_cast<int>(r.group_limit), r.normalize, r.scale};
  const auto* logits = context.at<const float>(r.logits);
  auto* scores = context.at<float>(r.scores);
  const unsigned grid = row_blocks(r.tokens, r.rows);
  with_row(r.rows, {logits, scores}, [&](auto n, auto v) {
    const bool limited = r.choose == Choose::largest && r.group_limit < r.groups;
    size_t bytes = kWarps * kSlotBytes;
    uint32_t* scratch = nullptr;
    if (n() == 0) {
      scratch = context.scratch.get<uint32_t>(static_cast<size_t>(grid * kWarps * (2 * r.rows + r.groups)), context.stream);
    } else if (limited) {
      bytes += kWarps * value_bytes(shape.rows, shape.groups);
    }
    allow(route_kernel<n(), v()>, bytes);
    LAUNCH(context.stream, grid, kThreads, bytes, (route_kernel<n(), v()>), shape, logits,
           context.at<const float>(r.bias), scores, context.at<int32_t>(r.choices), context.at<float>(r.weights), scratch,
           context.report());
  });
}

}  // namespace schemoe::cuda
