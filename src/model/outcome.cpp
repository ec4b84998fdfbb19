#include "model/outcome.h"

#include <array>
#include <span>

namespace diskrelease {
namespace {

template <class Enum, std::size_t N>
std::optional<Enum> find_text(const std::array<Enum, N>& values, std::string_view text) noexcept {
  for (const Enum value : values) {
    if (to_text(value) == text) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_text(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::accepted:
      return "accepted";
    case Outcome::already_gone:
      return "already_gone";
    case Outcome::rejected:
      return "rejected";
    case Outcome::throttled:
      return "throttled";
    case Outcome::not_sent:
      return "not_sent";
    case Outcome::unknown:
      return "unknown";
  }
  return "";
}

std::optional<Outcome> outcome_from_text(std::string_view text) noexcept {
  return find_text(std::array{Outcome::accepted, Outcome::already_gone, Outcome::rejected,
                              Outcome::throttled, Outcome::not_sent, Outcome::unknown},
                   text);
}

std::string_view to_text(Scope scope) noexcept {
  switch (scope) {
    case Scope::disk:
      return "disk";
    case Scope::moment:
      return "moment";
    case Scope::run:
      return "run";
  }
  return "";
}

std::optional<Scope> scope_from_text(std::string_view text) noexcept {
  return find_text(std::array{Scope::disk, Scope::moment, Scope::run}, text);
}

std::string_view to_text(ItemState state) noexcept {
  switch (state) {
    case ItemState::pending:
      return "pending";
    case ItemState::released:
      return "released";
    case ItemState::already_gone:
      return "already_gone";
    case ItemState::rejected:
      return "rejected";
    case ItemState::failed:
      return "failed";
    case ItemState::skipped:
      return "skipped";
    case ItemState::unknown:
      return "unknown";
  }
  return "";
}

std::optional<ItemState> item_state_from_text(std::string_view text) noexcept {
  return find_text(
      std::array{ItemState::pending, ItemState::released, ItemState::already_gone,
                 ItemState::rejected, ItemState::failed, ItemState::skipped, ItemState::unknown},
      text);
}

}  // namespace diskrelease
