#include "input/json_list.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <array>
#include <charconv>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "input/csv_layout.h"
#include "input/json_bytes.h"
#include "model/visible_text.h"

namespace diskrelease {
namespace {

/// Hears the events of a JSON list and picks the entries out of it.
///
/// A file holds documents, one after the other. Each is an array of entries; an object that holds
/// such an array as a member named in is_list_member(); an object whose "response" is such an
/// object: a saved DescribeDisks answer; or an entry. In NDJSON the value of a line is an entry. An
/// entry is a string, a whole number, or an object with one member named as is_disk_id_name() says.
class ListEvents : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, ListEvents> {
 public:
  enum class Layout { document, line };

  /// `line` is where the events come from, kept up to date by whoever sends them.
  ListEvents(Layout layout, const std::int64_t& line, ListOutput& output)
      : layout_(layout), line_(line), output_(output) {
    begin();
  }

  /// Before each document or NDJSON line.
  void begin() {
    gave_up_ = false;
    depth_ = 0;
    entry_open_ = false;
    reported_ = false;
    lists_ = 0;
    holder_depth_ = 0;
    holders_ = {};
    disk_id_members_ = 0;
    root_names_disk_ = false;
    list_depth_ = layout_ == Layout::line ? std::optional<int>(0) : std::nullopt;
  }

  /// After a document without a syntax error.
  void end_document() {
    if (lists_ > 0 && root_names_disk_) {
      problem("the JSON object names a disk and holds a list as well; leave only what is meant");
    }
    if (lists_ > 0 || reported_) return;
    if (!root_is_object_) return;  // an entry by itself, taken already
    if (disk_id_members_ > 0) {
      ++rows_;
      take_entry();
    } else {
      problem(
          "the JSON object holds no list: expected an array of ids, an object with the ids "
          "under disks, diskIds or dataSet, or a saved DescribeDisks answer");
    }
  }

  /// After the last document.
  void end_list() {
    if (!pages_.open) return;
    report_missing_pages();
  }

  /// True if there was something to report about this document or line.
  [[nodiscard]] bool reported() const noexcept { return reported_; }

  /// True if the handler itself has ended the parsing, and has said why.
  [[nodiscard]] bool gave_up() const noexcept { return gave_up_; }

  bool Null() { return scalar(Kind::null, {}); }
  bool Bool(bool) { return scalar(Kind::boolean, {}); }
  bool RawNumber(const char* text, rapidjson::SizeType bytes, bool) {
    return scalar(Kind::number, {text, bytes});
  }
  bool String(const char* text, rapidjson::SizeType bytes, bool) {
    return scalar(Kind::string, {text, bytes});
  }
  bool Key(const char* text, rapidjson::SizeType bytes, bool) {
    const std::string_view key(text, bytes);
    if (entry_open_ && depth_ == *list_depth_ + 1) {
      enter_member(key);
      entry_holds_list_ = entry_holds_list_ || key == "response" || is_list_member(key);
    } else if (!list_depth_ && depth_ == holder_depth_) {
      member_ = key;
      if (holder_depth_ == 1) {
        enter_member(key);
        root_names_disk_ = root_names_disk_ || at_disk_id_;
      }
    }
    return true;
  }
  bool StartObject() { return start(Kind::object); }
  bool StartArray() { return start(Kind::array); }
  bool EndObject(rapidjson::SizeType) {
    --depth_;
    if (list_depth_) {
      if (entry_open_ && depth_ == *list_depth_) end_entry();
    } else if (depth_ == holder_depth_ - 1) {
      add_page(holders_[static_cast<std::size_t>(depth_)]);
      holder_depth_ = depth_;
    }
    return true;
  }
  bool EndArray(rapidjson::SizeType) {
    --depth_;
    if (layout_ == Layout::document && list_depth_ && depth_ == *list_depth_ - 1) {
      list_depth_.reset();
      if (holder_depth_ > 0) holder().rows = rows_;
    }
    return true;
  }

 private:
  using Kind = JsonKind;

  /// An object that may hold the list and a "totalCount" beside it.
  struct Holder {
    std::optional<std::int64_t> total;
    std::int64_t total_line = 0;
    std::optional<std::int64_t> rows;
  };

  /// Saved answers that belong together: all have the same total, and their rows make it up.
  struct Pages {
    bool open = false;  ///< rows are missing yet
    std::int64_t total = 0;
    std::int64_t rows = 0;
    std::int64_t count = 0;
    std::int64_t line = 0;             ///< of the last page's total
    std::set<std::uint64_t> contents;  ///< one a page
  };

  static constexpr int k_max_depth = 64;
  static constexpr std::uint64_t k_max_exact = std::uint64_t{1} << 53U;

  static bool is_list_member(std::string_view key) noexcept {
    return key == "disks" || key == "diskIds" || key == "dataSet";
  }

  [[nodiscard]] Holder& holder() { return holders_[static_cast<std::size_t>(holder_depth_ - 1)]; }

  bool scalar(Kind kind, std::string_view text) {
    value(kind, text);
    return !gave_up_;
  }

  bool start(Kind kind) {
    value(kind, {});
    if (gave_up_) return false;
    if (++depth_ > k_max_depth) {
      give_up("the JSON is nested deeper than " + std::to_string(k_max_depth) +
              " levels, so this is not a list of disk ids");
    }
    return !gave_up_;
  }

  void value(Kind kind, std::string_view text) {
    if (list_depth_) {
      if (depth_ == *list_depth_) {
        entry_value(kind, text);
      } else if (entry_open_ && at_disk_id_ && depth_ == *list_depth_ + 1) {
        keep_id(kind, text);
      }
    } else if (depth_ == 0) {
      root_value(kind, text);
    } else if (depth_ == holder_depth_) {
      member_value(kind, text);
    }
  }

  void keep_id(Kind kind, std::string_view text) {
    id_kind_ = kind;
    id_line_ = line_;
    id_text_ = text;
  }

  void enter_member(std::string_view key) {
    at_disk_id_ = is_disk_id_name(key);
    if (!at_disk_id_) return;
    ++disk_id_members_;
    id_name_ = key;
  }

  void root_value(Kind kind, std::string_view text) {
    root_is_object_ = kind == Kind::object;
    if (kind == Kind::array) {
      begin_list();
    } else if (kind == Kind::object) {
      holder_depth_ = 1;
      entry_line_ = line_;
      at_disk_id_ = false;
    } else {
      ++rows_;
      take_id(line_, line_, kind, text, "the entry");
    }
  }

  void member_value(Kind kind, std::string_view text) {
    if (is_list_member(member_)) {
      if (kind != Kind::array) {
        problem(quote_text(member_) + " is " + std::string(name(kind)) +
                "; expected an array of ids");
      } else if (lists_ > 0) {
        problem("the JSON holds a second list under " + quote_text(member_) +
                "; leave only the one that is meant");
      } else {
        begin_list();
      }
    } else if (member_ == "response" && holder_depth_ == 1 && kind == Kind::object) {
      holder_depth_ = 2;
      holder() = {};
    } else if (at_disk_id_ && holder_depth_ == 1) {
      keep_id(kind, text);
    } else if (member_ == "totalCount" && kind != Kind::null) {
      total_count(kind, text);
    }
  }

  void total_count(Kind kind, std::string_view text) {
    std::int64_t total = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), total);
    if (kind != Kind::number || error != std::errc() || end != text.data() + text.size()) {
      problem(
          "\"totalCount\" is not a whole number, so whether the list is complete cannot be "
          "told; save the answer again");
      return;
    }
    holder().total = total;
    holder().total_line = line_;
  }

  /// The API answers page by page: some pages alone are a silently shortened list.
  void add_page(const Holder& ended) {
    if (!ended.total || !ended.rows) return;
    const bool complete = *ended.rows >= *ended.total;
    if (pages_.open && *ended.total != pages_.total) {
      report_missing_pages();
      pages_ = {};
    }
    if (!pages_.open) {
      // One page past the end is empty; a list asked for page by page ends with it.
      if (complete || (*ended.rows == 0 && *ended.total == pages_.total)) return;
      pages_ = {};
      pages_.open = true;
      pages_.total = *ended.total;
    }
    pages_.line = ended.total_line;
    pages_.rows += *ended.rows;
    ++pages_.count;
    if (!pages_.contents.insert(page_content_).second && *ended.rows > 0) {
      output_.problem(ended.total_line,
                      "the same page of the answer is saved twice, so another page may be "
                      "missing; save all pages again");
      reported_ = true;
    }
    if (pages_.rows >= pages_.total) pages_.open = false;
  }

  void report_missing_pages() {
    output_.problem(
        pages_.line,
        "\"totalCount\" is " + std::to_string(pages_.total) + " but the saved " +
            (pages_.count == 1
                 ? "answer holds " + std::to_string(pages_.rows) + ": it is one page of several"
                 : std::to_string(pages_.count) + " pages hold " + std::to_string(pages_.rows) +
                       ": a page is missing") +
            "; list the disks of all pages");
    reported_ = true;
  }

  void begin_list() {
    ++lists_;
    rows_ = 0;
    page_content_ = 0;
    list_depth_ = depth_ + 1;
  }

  void entry_value(Kind kind, std::string_view text) {
    ++rows_;
    if (kind == Kind::object) {
      entry_open_ = true;
      entry_line_ = line_;
      entry_holds_list_ = false;
      at_disk_id_ = false;
      disk_id_members_ = 0;
    } else {
      take_id(line_, line_, kind, text, "the entry");
    }
  }

  void end_entry() {
    entry_open_ = false;
    if (disk_id_members_ == 0) {
      entry_problem(entry_line_, "the object has no member \"diskId\" or \"disk_id\"" +
                                     std::string(!entry_holds_list_ ? ""
                                                 : layout_ == Layout::line
                                                     ? "; if it is a saved answer, or holds a "
                                                       "list, add --format json"
                                                     : "; if it is a saved answer, save the "
                                                       "answers one after the other, without an "
                                                       "array around them"));
    } else {
      take_entry();
    }
  }

  void take_entry() {
    if (disk_id_members_ > 1) {
      entry_problem(entry_line_, "the object has \"diskId\" " + std::to_string(disk_id_members_) +
                                     " times, so it is not clear which disk is meant");
    } else {
      take_id(entry_line_, id_line_, id_kind_, id_text_, quote_text(id_name_));
    }
  }

  void take_id(std::int64_t entry_line, std::int64_t line, Kind kind, std::string_view text,
               std::string_view what) {
    if (kind == Kind::number) {
      if (const auto reason = reason_against_number(text)) {
        entry_problem(line, "the disk id " + visible(text, 80) + " " + *reason);
        return;
      }
    } else if (kind != Kind::string) {
      entry_problem(line, std::string(what) + " is " + std::string(name(kind)) +
                              "; expected a disk id as a string");
      return;
    }
    page_content_ += std::hash<std::string_view>()(text);
    if (const auto bad = output_.take(entry_line, text)) {
      entry_problem(line, describe_bad_id(text, *bad));
    }
  }

  static std::optional<std::string> reason_against_number(std::string_view text) {
    if (text.find_first_of("eE") != std::string_view::npos) {
      return "is a number in scientific notation: its digits are lost; write the id as a string, "
             "taken from where it came from";
    }
    if (text.find('.') != std::string_view::npos) {
      return "is a fraction; write the id as a string";
    }
    if (text.starts_with('-')) return "is a negative number; write the id as a string";
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number > k_max_exact) {
      return "is a number above 2^53, which many programs round without a word; write the id as a "
             "string, taken from where it came from";
    }
    return std::nullopt;
  }

  /// A whole document may be one line, so its problems also say which entry is meant.
  void entry_problem(std::int64_t line, const std::string& text) {
    output_.problem(
        line, layout_ == Layout::document ? "entry " + std::to_string(rows_) + ": " + text : text);
    reported_ = true;
  }

  void problem(std::string text) {
    output_.problem(line_, std::move(text));
    reported_ = true;
  }

  void give_up(std::string text) {
    const bool said_enough = layout_ == Layout::line && reported_;
    if (!said_enough) problem(std::move(text));
    gave_up_ = true;
  }

  const Layout layout_;
  const std::int64_t& line_;
  ListOutput& output_;

  int depth_ = 0;                   ///< open arrays and objects
  std::optional<int> list_depth_;   ///< the depth at which values are entries; nothing = no list
  int lists_ = 0;                   ///< of the document
  std::int64_t rows_ = 0;           ///< entries of the list, bad ones included
  std::uint64_t page_content_ = 0;  ///< of the entries, whatever their order
  bool root_is_object_ = false;
  bool root_names_disk_ = false;
  Pages pages_;
  bool reported_ = false;
  bool gave_up_ = false;

  int holder_depth_ = 0;  ///< the depth of the members that may hold the list; 0 = none
  std::array<Holder, 2> holders_;
  std::string member_;  ///< the member of the holder that is being read

  bool entry_open_ = false;  ///< within an entry that is an object
  bool entry_holds_list_ = false;
  std::int64_t entry_line_ = 0;
  bool at_disk_id_ = false;
  int disk_id_members_ = 0;
  std::string id_name_;
  Kind id_kind_ = Kind::null;
  std::int64_t id_line_ = 0;
  std::string id_text_;
};

/// Notes whether the root is an object with a member for the disk id.
class RootMembers : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, RootMembers> {
 public:
  [[nodiscard]] bool have_disk_id() const noexcept { return have_disk_id_; }

  bool Key(const char* text, rapidjson::SizeType bytes, bool) {
    if (depth_ == 1 && is_disk_id_name({text, bytes})) have_disk_id_ = true;
    return true;
  }
  bool StartObject() { return ++depth_ > 0; }
  bool StartArray() { return ++depth_ > 0; }
  bool EndObject(rapidjson::SizeType) { return --depth_ >= 0; }
  bool EndArray(rapidjson::SizeType) { return --depth_ >= 0; }

 private:
  int depth_ = 0;
  bool have_disk_id_ = false;
};

}  // namespace

namespace {

/// "; found U+FEFF (byte order mark)" where the text continues with what a person does not see.
std::string found_here(std::string_view rest) {
  const std::string name = name_odd_character(rest);
  return name.empty() ? "" : "; found " + name;
}

/// False if reading on is pointless: what is wrong has been said, or the caller says it.
bool read_document(JsonBytes& bytes, ListEvents& events, ListOutput& output) {
  rapidjson::Reader reader;
  events.begin();
  const rapidjson::ParseResult result =
      reader.Parse<k_json_flags | rapidjson::kParseStopWhenDoneFlag>(bytes, events);
  if (bytes.failed()) return false;
  if (bytes.at_nul_byte()) {
    output.problem(bytes.line(), std::string(describe(LineFlaw::nul_byte)));
  } else if (bytes.token_too_long()) {
    output.problem(bytes.line(),
                   "a string or number is longer than 1 MiB, so this is not a list "
                   "of disk ids; check which file was given");
  } else if (events.gave_up() ||
             (result.Code() == rapidjson::kParseErrorDocumentEmpty && bytes.ended())) {
    return false;
  } else if (!result.IsError()) {
    events.end_document();
    return true;
  } else if (bytes.ended()) {
    output.problem(bytes.last_line(),
                   "the JSON ends here before it is complete: the file is cut off; get it again");
  } else {
    // A comma or a bracket where a value should begin is "no document" to the parser.
    const auto code = result.Code() == rapidjson::kParseErrorDocumentEmpty
                          ? rapidjson::kParseErrorValueInvalid
                          : result.Code();
    const std::int64_t line = bytes.line();
    std::string rest;
    for (int i = 0; i < 4 && !bytes.ended(); ++i) rest += bytes.Take();
    output.problem(line, std::string(describe_json_error(code)) + found_here(rest));
  }
  return false;
}

}  // namespace

std::int64_t read_json_list(ByteSource& source, ListOutput& output) {
  JsonBytes bytes(source);
  ListEvents events(ListEvents::Layout::document, bytes.line(), output);
  bool whole = true;
  do {
    whole = read_document(bytes, events, output);
    if (whole) rapidjson::SkipWhitespace(bytes);
  } while (whole && !bytes.ended());
  if (whole) events.end_list();
  return bytes.last_line();
}

void read_ndjson_list(LineReader& lines, ListOutput& output) {
  std::int64_t number = 0;
  ListEvents events(ListEvents::Layout::line, number, output);
  rapidjson::Reader reader;
  while (const auto line = lines.next()) {
    number = line->number;
    if (line->flaw != LineFlaw::none) {
      output.problem(number, std::string(describe(line->flaw)));
      continue;
    }
    if (trim_blanks(line->text).empty()) continue;
    events.begin();
    rapidjson::MemoryStream text(line->text.data(), line->text.size());
    const rapidjson::ParseResult result = reader.Parse<k_json_flags>(text, events);
    if (result.IsError() && !events.reported()) {
      output.problem(number, text.Tell() == line->text.size()
                                 ? "the line ends before its JSON value is complete; NDJSON has "
                                   "one value a line: if the file is one JSON value, add --format "
                                   "json"
                                 : std::string(describe_json_error(result.Code())) +
                                       found_here(line->text.substr(text.Tell())));
    }
  }
}

bool is_ndjson_entry(std::string_view line) {
  rapidjson::MemoryStream text(line.data(), line.size());
  rapidjson::Reader reader;
  RootMembers members;
  return !reader.Parse<k_json_flags>(text, members).IsError() && members.have_disk_id();
}

}  // namespace diskrelease
