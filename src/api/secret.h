#pragma once

#include <string>
#include <string_view>

namespace diskrelease {

/// Overwrites the whole buffer of a text, unused capacity included, and leaves it empty.
void wipe(std::string& text) noexcept;

/// A secret text. Has no stream or string conversion; reveal() is the one way out, and its callers
/// are the signer, the Authorization header and the blanking of what others say. Wiped on
/// destruction, when moved from and when assigned to.
class Secret {
 public:
  explicit Secret(std::string value);
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(value_); }

  /// Valid as long as this object is neither changed nor destroyed.
  [[nodiscard]] std::string_view reveal() const noexcept { return value_; }

 private:
  std::string value_;
};

}  // namespace diskrelease
