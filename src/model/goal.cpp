#include "model/goal.h"

namespace diskrelease {

std::string_view to_text(Goal goal) noexcept {
  switch (goal) {
    case Goal::release:
      return "release";
    case Goal::purge:
      return "purge";
  }
  return "";
}

std::optional<Goal> goal_from_text(std::string_view text) noexcept {
  for (const Goal goal : {Goal::release, Goal::purge}) {
    if (text == to_text(goal)) return goal;
  }
  return std::nullopt;
}

}  // namespace diskrelease
