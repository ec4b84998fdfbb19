#pragma once

#include <string_view>

// Private to the api room: what the provider's error codes say about a ReleaseDisk call.

namespace diskrelease {

enum class CodeMeaning {
  disk_not_found,  ///< no such disk, or none that this account may see
  in_recycle_bin,  ///< the disk is in the recycle bin or on its way there
  unfit_status,    ///< the disk's present status does not allow it; that may change
  uncertain,       ///< the provider itself does not know, or gave up waiting
  throttled,       ///< refused for rate
  authentication,  ///< refused for who asks; would be refused again
  other_of_disk,   ///< about the disk named, or its id; not possible as things are
  other,           ///< anything else; with a 4xx status: not possible as things are
};

/// `other` for a code that is not known. Case is ignored, '.' counts as '_' (the old Go constants
/// are dotted), and failing that the part before the first '.' is looked up (as Terraform does).
[[nodiscard]] CodeMeaning meaning_of(std::string_view api_code) noexcept;

}  // namespace diskrelease
