#include "support/source_rules.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <utility>

namespace diskrelease {
namespace {

struct Room {
  std::string_view name;
  int layer;
};

/// The order of the rooms. A file may include its own room and every room of a lower layer.
constexpr std::array k_rooms = {
    Room{"model", 0},   Room{"platform", 1}, Room{"net", 1},          Room{"store", 2},
    Room{"input", 2},   Room{"pacing", 2},   Room{"api", 2},          Room{"evidence", 3},
    Room{"sandbox", 3}, Room{"derived", 4},  Room{"queries", 5},      Room{"record", 6},
    Room{"report", 6},  Room{"custody", 7},  Room{"coordination", 7}, Room{"run", 8},
    Room{"cli", 9},
};

/// src/main.cpp stands alone above all rooms.
constexpr Room k_main = {"main.cpp", 10};

constexpr std::string_view k_rules =
    "The rules for src/:\n"
    "  1. A file is src/main.cpp or lies in a room. A room includes itself and lower layers:\n"
    "     model <- platform, net <- store, input, pacing, api <- evidence, sandbox <- derived <-\n"
    "     queries <- record, report <- custody, coordination <- run <- cli <- main. Rooms of one\n"
    "     layer do not know each other. Paths are relative to src/.\n"
    "  2. Poco and cxxopts are named in .cpp files only, and in a header whose first line is\n"
    "     \"// Private to ROOM.\"; only files of that room include such a header.\n"
    "  3. The clocks are read through Clock by run, sandbox and cli. Only platform and sandbox\n"
    "     read the standard library's, and net the steady one, for its deadlines.\n"
    "  4. No file, folder or type is called util, helper, common, misc, manager, base or core.\n";

constexpr std::array<std::string_view, 9> k_empty_words = {
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "base", "core"};

bool is_identifier_character(char c) noexcept {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Where the comment that starts at `at` ends; `at` itself if none starts there.
std::size_t end_of_comment(std::string_view text, std::size_t at) {
  const auto after = [&](std::string_view mark, std::size_t from) {
    const std::size_t found = text.find(mark, from);
    return found == std::string_view::npos ? text.size() : found + mark.size();
  };
  const std::string_view rest = text.substr(at);
  if (rest.starts_with("//")) return std::min(text.find('\n', at), text.size());
  if (rest.starts_with("/*")) return after("*/", at + 2);
  return at;
}

/// The same for a string or character literal.
std::size_t end_of_literal(std::string_view text, std::size_t at) {
  const char quote = text[at];
  if (quote != '"' && quote != '\'') return at;
  const char before = at == 0 ? ' ' : text[at - 1];
  if (quote == '"' && before == 'R') {
    const std::size_t open = text.find('(', at);
    if (open == std::string_view::npos) return text.size();
    const std::string close = ")" + std::string(text.substr(at + 1, open - at - 1)) + "\"";
    const std::size_t found = text.find(close, open);
    return found == std::string_view::npos ? text.size() : found + close.size();
  }
  // The separator of 1'000 opens nothing.
  if (quote == '\'' && std::isalnum(static_cast<unsigned char>(before)) != 0) return at + 1;
  for (++at; at < text.size() && text[at] != quote && text[at] != '\n'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at + 1, text.size());
}

/// The text with everything but line ends blanked out in comments, and in literals too if wanted.
std::string blanked(std::string_view text, bool literals_too) {
  std::string out(text);
  const auto blank = [&](std::size_t from, std::size_t to) {
    for (; from < to; ++from) {
      if (out[from] != '\n') out[from] = ' ';
    }
  };
  for (std::size_t at = 0; at < text.size();) {
    if (const std::size_t end = end_of_comment(text, at); end > at) {
      blank(at, end);
      at = end;
    } else if (const std::size_t literal_end = end_of_literal(text, at); literal_end > at) {
      if (literals_too) blank(at, literal_end);
      at = literal_end;
    } else {
      ++at;
    }
  }
  return out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// The room of a path that is relative to src/.
std::optional<Room> room_of(std::string_view path) {
  if (path == k_main.name) return k_main;
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto* room = std::ranges::find(k_rooms, path.substr(0, slash), &Room::name);
  if (room == k_rooms.end()) return std::nullopt;
  return *room;
}

bool may_include(const Room& from, const Room& to) {
  return from.name == to.name || to.layer < from.layer;
}

std::string_view relative_to_src(std::string_view path) {
  constexpr std::string_view k_src = "src/";
  return path.starts_with(k_src) ? path.substr(k_src.size()) : path;
}

bool is_private(const SourceFile& file, const Room& room) {
  return file.text.starts_with("// Private to " + std::string(room.name) + ".\n");
}

/// The first word of a snake_case or UpperCamel name that says nothing.
std::optional<std::string> empty_word(std::string_view name) {
  std::string word;
  const auto says_nothing = [&] {
    return std::ranges::find(k_empty_words, word) != k_empty_words.end();
  };
  for (const char c : name) {
    const bool upper = std::isupper(static_cast<unsigned char>(c)) != 0;
    if (upper || !is_identifier_character(c) || c == '_') {
      if (says_nothing()) return word;
      word.clear();
    }
    if (is_identifier_character(c) && c != '_') {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  if (says_nothing()) return word;
  return std::nullopt;
}

/// A word, "::", or any other single character of the code.
struct Token {
  std::string_view text;
  std::size_t line = 1;
};

/// The tokens of a text; views into it.
std::vector<Token> tokens_of(std::string_view code) {
  std::vector<Token> tokens;
  std::size_t line = 1;
  for (std::size_t at = 0; at < code.size();) {
    std::size_t end = at + 1;
    if (is_identifier_character(code[at])) {
      while (end < code.size() && is_identifier_character(code[end])) ++end;
    } else if (code.substr(at).starts_with("::")) {
      ++end;
    }
    if (code[at] == '\n') {
      ++line;
    } else if (std::isspace(static_cast<unsigned char>(code[at])) == 0) {
      tokens.push_back({code.substr(at, end - at), line});
    }
    at = end;
  }
  return tokens;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> texts) {
  return std::ranges::find(texts, text) != texts.end();
}

/// The path between the first pair of quotes or angle brackets.
std::optional<std::string> included_path(std::string_view line) {
  const std::size_t open = line.find_first_of("\"<");
  if (open == std::string_view::npos) return std::nullopt;
  const std::size_t close = line.find(line[open] == '<' ? '>' : '"', open + 1);
  if (close == std::string_view::npos) return std::nullopt;
  return std::string(line.substr(open + 1, close - open - 1));
}

class Inspection {
 public:
  explicit Inspection(std::span<const SourceFile> files) : files_(files) {}

  std::vector<std::string> findings() {
    for (const SourceFile& file : files_) inspect(file);
    return std::move(findings_);
  }

 private:
  void inspect(const SourceFile& file) {
    file_ = &file;
    if (const auto word = empty_word(file.path)) add(1, "the name \"" + *word + "\" says nothing");
    const auto room = room_of(relative_to_src(file.path));
    if (!room) {
      add(1, "lies in no room");
      return;
    }
    const bool open_header = file.path.ends_with(".h") && !is_private(file, *room);
    const std::vector<std::string> lines = lines_of(blanked(file.text, false));
    const std::string code = blanked(file.text, true);
    tokens_ = tokens_of(code);
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      // Whether it is an include is decided without literals, so that one in a text is none.
      if (token(i) == "#" && is_one_of(token(i + 1), {"include", "include_next"})) {
        inspect_include(lines[tokens_[i].line - 1], tokens_[i].line, *room);
      }
      if (open_header) inspect_library(i);
      inspect_clock(i, *room);
      inspect_type(i);
    }
  }

  void inspect_include(const std::string& line, std::size_t number, const Room& room) {
    const auto path = included_path(line);
    if (!path) {
      add(number, "an include that cannot be read");
      return;
    }
    const bool quoted = line.find('"') != std::string::npos;
    const auto* target = find("src/" + *path);
    if (!quoted && target == nullptr) return;  // the standard library's or a third party's
    const auto target_room = room_of(*path);
    if (!target_room) {
      add(number, "includes \"" + *path + "\", which names no room");
    } else if (!may_include(room, *target_room)) {
      add(number, "includes \"" + *path + "\": " + std::string(room.name) + " may not know " +
                      std::string(target_room->name));
    } else if (target != nullptr && is_private(*target, *target_room) &&
               room.name != target_room->name) {
      add(number,
          "includes \"" + *path + "\", which is private to " + std::string(target_room->name));
    }
  }

  /// An #include <Poco/...> counts: what stands in angle brackets is code here.
  void inspect_library(std::size_t i) {
    if (!is_one_of(token(i), {"Poco", "cxxopts"})) return;
    add(tokens_[i].line,
        "names " + std::string(token(i)) + " in a header that is not private to its room");
  }

  void inspect_clock(std::size_t i, const Room& room) {
    const std::string_view word = token(i);
    const bool own_clock = is_one_of(room.name, {"platform", "sandbox"});
    const bool deadlines = room.name == "net";
    if (!own_clock && !is_one_of(room.name, {"run", "cli"})) {
      const bool read = word == "utc_now" || (word == "steady_now" && !deadlines);
      if (read && token(i + 1) == "(") {
        add(tokens_[i].line,
            "reads the clock (" + std::string(word) + "): take the time as a parameter");
      }
    }
    if (own_clock) return;
    const bool now =
        token(i + 1) == "::" && token(i + 2) == "now" && !(deadlines && word == "steady_clock");
    const bool time_of_day =
        is_one_of(word, {"clock_gettime", "gettimeofday"}) ||
        (word == "time" && token(i + 1) == "(" && is_one_of(token(i + 2), {"nullptr", "NULL"}));
    if (now || time_of_day) {
      add(tokens_[i].line, "reads a clock of its own (" + std::string(word) + ")");
    }
  }

  void inspect_type(std::size_t i) {
    if (!is_one_of(token(i), {"class", "struct", "union", "enum", "using", "namespace"})) return;
    std::size_t name = i + 1;
    while (token(name) == "[") {  // [[nodiscard]]
      while (name < tokens_.size() && token(name) != "]") ++name;
      while (token(name) == "]") ++name;
    }
    if (const auto word = empty_word(token(name))) {
      add(tokens_[name].line,
          std::string(token(name)) + ": the name \"" + *word + "\" says nothing");
    }
  }

  /// Empty beyond the end.
  std::string_view token(std::size_t i) const {
    return i < tokens_.size() ? tokens_[i].text : std::string_view();
  }

  void add(std::size_t line, const std::string& what) {
    findings_.push_back(file_->path + ":" + std::to_string(line) + ": " + what);
  }

  const SourceFile* find(const std::string& path) const {
    const auto found = std::ranges::find(files_, path, &SourceFile::path);
    return found == files_.end() ? nullptr : &*found;
  }

  std::span<const SourceFile> files_;
  std::vector<std::string> findings_;
  const SourceFile* file_ = nullptr;
  std::vector<Token> tokens_;
};

}  // namespace

std::string_view source_rules() noexcept { return k_rules; }

std::vector<std::string> source_findings(std::span<const SourceFile> files) {
  return Inspection(files).findings();
}

}  // namespace diskrelease
