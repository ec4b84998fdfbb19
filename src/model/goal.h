#pragma once

#include <optional>
#include <string_view>

namespace diskrelease {

/// What a run is to achieve for each disk. Persisted as text; a text is never renamed or reused.
enum class Goal {
  release,  ///< exactly one accepted ReleaseDisk per disk, ever
  purge,    ///< release until the disk is absent: at most two accepted calls
};

[[nodiscard]] std::string_view to_text(Goal goal) noexcept;
[[nodiscard]] std::optional<Goal> goal_from_text(std::string_view text) noexcept;

}  // namespace diskrelease
