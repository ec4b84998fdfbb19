#pragma once

#include <string_view>

namespace diskrelease {

/// How an attempt whose outcome is unknown was settled. Persisted as text; a text is never renamed
/// or reused.
enum class Settled {
  executed,      ///< the call took effect
  gone,          ///< the disk is in the recycle bin or beyond; by whose call is not known
  refused,       ///< the disk is attached: the call had no effect
  not_executed,  ///< the call had no effect; the item may be sent again
};

[[nodiscard]] std::string_view to_text(Settled settled) noexcept;

}  // namespace diskrelease
