#include "fuzz/fuzz_target.h"

#include <cstdio>
#include <cstdlib>

#include "model/visible_text.h"

namespace diskrelease {

void finding(const std::string& what) {
  (void)std::fprintf(stderr, "finding: %s\n", visible(what, 4'000).c_str());
  std::abort();
}

void require(bool holds, std::string_view what) {
  if (!holds) finding(std::string(what));
}

void require_visible(std::string_view text, std::size_t max_bytes, std::string_view what) {
  if (text.size() > max_bytes) finding(std::string(what) + " is too long: " + std::string(text));
  if (visible(text, text.size()) != text) {
    finding(std::string(what) + " is not visible text: " + std::string(text));
  }
}

}  // namespace diskrelease
