#pragma once

#include <optional>
#include <string_view>

namespace diskrelease {

/// How one attempt ended. Persisted as text; a text is never renamed or reused. When in doubt:
/// unknown.
enum class Outcome {
  accepted,      ///< a complete, parsed 200 with a `response` object
  already_gone,  ///< the provider says that the goal is reached already
  rejected,      ///< understood and refused; nothing was executed
  throttled,     ///< refused for rate; nothing was executed
  not_sent,      ///< provably not executed: DNS, connect, TLS, or cancelled before the first byte
  unknown,       ///< may have been executed
};

/// Whom a refusal concerns. Persisted as text.
enum class Scope {
  disk,    ///< this disk only
  moment,  ///< refused for the disk's present status, which may change
  run,     ///< every further call would end the same way: authentication, wrong endpoint,
           ///< certificate, no resources on this machine
};

/// What is known of an item. Computed from rows, never stored.
enum class ItemState { pending, released, already_gone, rejected, failed, skipped, unknown };

[[nodiscard]] std::string_view to_text(Outcome outcome) noexcept;
[[nodiscard]] std::optional<Outcome> outcome_from_text(std::string_view text) noexcept;
[[nodiscard]] std::string_view to_text(Scope scope) noexcept;
[[nodiscard]] std::optional<Scope> scope_from_text(std::string_view text) noexcept;
[[nodiscard]] std::string_view to_text(ItemState state) noexcept;
[[nodiscard]] std::optional<ItemState> item_state_from_text(std::string_view text) noexcept;

}  // namespace diskrelease
