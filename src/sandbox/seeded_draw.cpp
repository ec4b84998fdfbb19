#include "sandbox/seeded_draw.h"

namespace diskrelease::sandbox {
namespace {

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
std::uint64_t scramble(std::uint64_t bits) noexcept {
  bits += 0x9e3779b97f4a7c15U;
  bits = (bits ^ (bits >> 30U)) * 0xbf58476d1ce4e5b9U;
  bits = (bits ^ (bits >> 27U)) * 0x94d049bb133111ebU;
  return bits ^ (bits >> 31U);
}

}  // namespace

std::uint64_t seeded_bits(std::uint64_t seed, std::uint64_t key) noexcept {
  return scramble(scramble(seed) ^ key);
}

std::uint64_t seeded_bits(std::uint64_t seed, std::string_view key) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a, 64 bits
  for (const char c : key) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return seeded_bits(seed, hash);
}

double as_fraction(std::uint64_t bits) noexcept {
  return static_cast<double>(bits >> 11U) * 0x1.0p-53;
}

}  // namespace diskrelease::sandbox
