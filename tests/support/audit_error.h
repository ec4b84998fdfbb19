#pragma once

#include <functional>
#include <string>

#include "model/errors.h"

namespace diskrelease {

/// What an action says of an audit database that it cannot use; "no error" where it can.
[[nodiscard]] inline std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const AuditUnusable& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace diskrelease
