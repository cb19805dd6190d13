#include "cuda/device_words.h"

#include <variant>

namespace schemoe::cuda {

namespace {

void append(const Rows& rows, std::vector<int32_t>& words) {
  if (rows.table) return;
  words.insert(words.end(), rows.bounds.begin(), rows.bounds.end());
  words.insert(words.end(), rows.firsts.begin(), rows.firsts.end());
}

void append(const Block& block, std::vector<int32_t>& words) {
  if (!block.ranges.ragged() || block.ranges.table) return;
  int64_t rows = 0;
  for (int64_t group = 0; group < block.groups; ++group) {
    words.push_back(static_cast<int32_t>(rows));
    rows += block.ranges.rows(group);
  }
  words.push_back(static_cast<int32_t>(rows));
  for (int64_t group = 0; group < block.groups; ++group) words.push_back(static_cast<int32_t>(block.ranges.first(group)));
}

void append(const ArrangeRows& a, std::vector<int32_t>& words) {
  if (a.table) return;
  words.insert(words.end(), a.loads.begin(), a.loads.end());
  int64_t rows = 0;
  for (int64_t source = a.first_source; source < a.first_source + a.sources; ++source) {
    for (int64_t expert = 0; expert < a.experts; ++expert) {
      words.push_back(static_cast<int32_t>(rows));
      rows += a.here(source, expert);
    }
  }
  words.push_back(static_cast<int32_t>(rows));
  for (int64_t expert = 0; expert < a.experts; ++expert) words.push_back(static_cast<int32_t>(a.base(expert)));
}

void append(const PlaceCopies& p, std::vector<int32_t>& words) {
  words.insert(words.end(), p.begins.begin(), p.begins.end());
  words.insert(words.end(), p.list.begin(), p.list.end());
}

void append(const AddSlices& a, std::vector<int32_t>& words) {
  int64_t lines = 0;
  a.each([&](int64_t count, int64_t, std::span<const uint64_t>) {
    words.push_back(static_cast<int32_t>(lines));
    lines += (count * a.unit + AddSlices::kLine - 1) / AddSlices::kLine;
  });
  words.push_back(static_cast<int32_t>(lines));
  int32_t first = 0;
  a.each([&](int64_t, int64_t, std::span<const uint64_t> terms) {
    words.push_back(first);
    first += static_cast<int32_t>(3 + terms.size());
  });
  words.insert(words.end(), a.table.begin(), a.table.end());
}

}  // namespace

void append_device_words(const Arguments& arguments, std::vector<int32_t>& words) {
  std::visit(
      [&](const auto& kernel) {
        using Kernel = std::decay_t<decltype(kernel)>;
        if constexpr (std::is_base_of_v<ArrangeRows, Kernel> || std::is_same_v<Kernel, PlaceCopies> ||
                      std::is_same_v<Kernel, AddSlices>) append(kernel, words);
        else if constexpr (requires { kernel.block; }) append(kernel.block, words);
        else if constexpr (requires { kernel.rows.bounds; }) append(kernel.rows, words);
      },
      arguments);
}

void append_table_words(const RowTable& table, std::vector<int32_t>& words) {
  const auto all = [&](std::span<const uint64_t> numbers) { words.insert(words.end(), numbers.begin(), numbers.end()); };
  const auto firsts = [&] {
    for (size_t i = 0; i < table.ranges().size(); i += 2) words.push_back(static_cast<int32_t>(table.ranges()[i]));
  };
  all(table.bounds());
  all(table.firsts());
  // Rows follow each other, so that those before a group are its first row.
  firsts();
  words.push_back(static_cast<int32_t>(table.received()));
  firsts();
  if (table.shape().ranks == 1) return;
  all(table.loads());
  int32_t rows = 0;
  for (uint64_t load : table.loads()) {
    words.push_back(rows);
    rows += static_cast<int32_t>(load);
  }
  words.push_back(rows);
  firsts();
}

TableWords table_words_of(const Arguments& arguments) {
  return std::visit(
      [](const auto& kernel) -> TableWords {
        const auto behind_places = [](const RowTable& table) {
          return static_cast<int64_t>(table.bounds().size() + table.firsts().size());
        };
        if constexpr (std::is_base_of_v<ArrangeRows, std::decay_t<decltype(kernel)>>) {
          const RowTable* table = kernel.table;
          return {table, table ? behind_places(*table) + static_cast<int64_t>(table->ranges().size()) + 1 : 0};
        } else if constexpr (requires { kernel.block; }) {
          const RowTable* table = kernel.block.ranges.table;
          return {table, table ? behind_places(*table) : 0};
        } else if constexpr (requires { kernel.rows.table; }) {
          return {kernel.rows.table, 0};
        } else {
          return {nullptr, 0};
        }
      },
      arguments);
}

}  // namespace schemoe::cuda
