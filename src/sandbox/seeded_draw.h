#pragma once

#include <cstdint>
#include <string_view>

namespace diskrelease::sandbox {

/// Draws that depend on their arguments alone: the same seed and key give the same number on every
/// machine, whatever was drawn before and by which thread.
[[nodiscard]] std::uint64_t seeded_bits(std::uint64_t seed, std::uint64_t key) noexcept;
[[nodiscard]] std::uint64_t seeded_bits(std::uint64_t seed, std::string_view key) noexcept;

/// Bits as a fraction, 0 <= x < 1.
[[nodiscard]] double as_fraction(std::uint64_t bits) noexcept;

}  // namespace diskrelease::sandbox
