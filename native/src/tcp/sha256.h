// SHA-256 (FIPS 180-4) and HMAC of it (RFC 2104), for proofs that a key is known which is never sent.
// For little data: the input is copied.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace schemoe {

using Digest = std::array<uint8_t, 32>;

Digest sha256(std::span<const uint8_t> data);
Digest hmac_sha256(std::span<const uint8_t> key, std::span<const uint8_t> data);

/// Takes the same time wherever they differ.
bool equal(const Digest& a, const Digest& b);

}  // namespace schemoe
