// Of the driver only what describes a matrix for copies of tiles.
#pragma once

#include <cstdint>

struct CUtensorMap {
  const void* data;
  int64_t sizes[3], strides[2];  // in elements of 16 bits
  uint32_t tile[3];
};
