#pragma once

#include <string_view>

namespace diskrelease {

/// src/report/bundle/, embedded at build: the script and the explanation that go into an evidence
/// bundle. `@RUN@` stands where the run is described.
extern const std::string_view k_bundle_check;
extern const std::string_view k_bundle_readme;

}  // namespace diskrelease
