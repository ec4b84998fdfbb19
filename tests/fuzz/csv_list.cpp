#include <string>
#include <string_view>

#include "fuzz/fuzz_target.h"
#include "fuzz/list_promises.h"

namespace diskrelease {
namespace {

bool may_be_in_an_id(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
         c == '_' || c == '-';
}

// Whether the id stands in the text with nothing beside it that could belong to it.
bool stands_alone(std::string_view text, std::string_view id) {
  for (auto at = text.find(id); at != std::string_view::npos; at = text.find(id, at + 1)) {
    const auto end = at + id.size();
    if ((at == 0 || !may_be_in_an_id(text[at - 1])) &&
        (end == text.size() || !may_be_in_an_id(text[end]))) {
      return true;
    }
  }
  return false;
}

// No format but JSON can spell a character in another way, and no rule cuts a cell or a line.
void require_whole_ids(const ListReading& reading, const std::string& text) {
  for (const auto& [line, id] : reading.targets) {
    require(stands_alone(text, id), "half a text was taken for the id " + id);
  }
}

}  // namespace

void fuzz_csv_list(FuzzInput input) {
  const std::string text = text_of(input);
  const ListOptions csv{.format = ListFormat::csv, .column = std::nullopt};
  for (const char* column : {"", "id", "2", "volume"}) {
    ListOptions options = csv;
    if (*column != '\0') options.column = column;
    require_whole_ids(read_list_checked(text, "list.csv", options), text);
  }
  const ListReading tabs = read_list_checked(text, "list.tsv", csv);
  require_whole_ids(tabs, text);
  // The delimiter is known here, so no look ahead ends with the block.
  require_same_behind_blanks(tabs, text, "list.tsv", csv);
  const ListOptions plain{.format = ListFormat::text, .column = std::nullopt};
  require_whole_ids(read_list_checked(text, "list.txt", plain), text);
}

}  // namespace diskrelease
