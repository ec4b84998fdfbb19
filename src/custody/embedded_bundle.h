#pragma once

#include <string_view>

namespace diskrelease {

/// src/custody/bundle/, embedded at build: the script and the explanation that go into an evidence
/// bundle. `@RUN@`, `@SCHEMA@` and `@READABLE@` stand where the run is described, and where the
/// script has the digest of the extract's schema and what makes the NDJSON files again.
extern const std::string_view k_bundle_check;
extern const std::string_view k_bundle_readme;

}  // namespace diskrelease
