// The words of both engines for a token that would go to one expert twice.
#pragma once

#include <cstdint>
#include <ostream>

namespace schemoe {

/// A row of a table of experts that names one of them more than once.
struct RepeatedExpert {
  int64_t expert, row;
};

inline std::ostream& operator<<(std::ostream& out, const RepeatedExpert& r) {
  return out << "row " << r.row << " of the table names expert " << r.expert << " twice; the experts of a token differ";
}

}  // namespace schemoe
