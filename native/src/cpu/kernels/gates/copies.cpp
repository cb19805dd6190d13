// Choices of experts as choices of slots, where experts have copies.
#include "cpu/kernels/kernels.h"
#include "runtime/arguments_gates.h"

namespace schemoe {

void run(const PlaceCopies& p, const Context& context) {
  const int32_t* choices = context.at<const int32_t>(p.choices);
  const int32_t* positions = context.at<const int32_t>(p.positions);
  int32_t* targets = context.at<int32_t>(p.targets);
  int32_t* places = context.at<int32_t>(p.places);
  for (int64_t i = 0; i < p.tokens * p.k && !context.stop; ++i) {
    const auto expert = static_cast<size_t>(checked("choices", choices[i], p.experts));
    const int64_t position = checked("positions", positions[i], INT32_MAX);
    const auto first = p.begins[expert];
    const auto copies = static_cast<int64_t>(p.begins[expert + 1] - first);
    const bool sent = position < p.capacity;
    targets[i] = sent ? static_cast<int32_t>(p.list[first + static_cast<uint64_t>(position % copies)]) : 0;
    places[i] = sent ? static_cast<int32_t>(position / copies) : kNoPlace;
  }
}

}  // namespace schemoe
