#include "custody/verification.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "custody/archived_rows.h"
#include "derived/derived_tables.h"
#include "evidence/schema_check.h"
#include "model/visible_text.h"
#include "platform/sha256.h"

namespace diskrelease {
namespace {

/// A set of numbers that mostly stand close together: a bit each, and where they are few in their
/// neighbourhood two bytes.
class IdSet {
 public:
  /// False if it is in the set already.
  bool insert(std::int64_t id) {
    const auto [place, bit] = place_of(id);
    Page& page = pages_[place];
    if (page.many) {
      if (page.many->test(bit)) return false;
      page.many->set(bit);
      return true;
    }
    const auto at = std::ranges::lower_bound(page.few, bit);
    if (at != page.few.end() && *at == bit) return false;
    page.few.insert(at, bit);
    if (page.few.size() > k_few) {
      page.many = std::make_unique<std::bitset<k_page>>();
      for (const std::uint16_t each : page.few) page.many->set(each);
      page.few = {};
    }
    return true;
  }
  [[nodiscard]] bool contains(std::int64_t id) const {
    const auto [place, bit] = place_of(id);
    const auto page = pages_.find(place);
    if (page == pages_.end()) return false;
    if (page->second.many) return page->second.many->test(bit);
    return std::ranges::binary_search(page->second.few, bit);
  }

 private:
  static constexpr std::size_t k_page = 65'536;
  /// From here on a bit for all takes less.
  static constexpr std::size_t k_few = k_page / 16;
  struct Page {
    std::vector<std::uint16_t> few;  ///< in order
    std::unique_ptr<std::bitset<k_page>> many;
  };

  static std::pair<std::uint64_t, std::uint16_t> place_of(std::int64_t id) {
    const auto bits = static_cast<std::uint64_t>(id);
    return {bits / k_page, static_cast<std::uint16_t>(bits % k_page)};
  }

  std::unordered_map<std::uint64_t, Page> pages_;
};

/// Reads the rows of one table in the order in which their entries ask for them, which is that of
/// their keys but for few.
class RowReader {
 public:
  RowReader(Database& database, const Kind& kind)
      : kind_(kind),
        all_(database.prepare(select_rows(kind, " ORDER BY " + std::string(key_of(kind))))),
        one_(database.prepare(select_rows(kind, " WHERE " + std::string(key_of(kind)) + " = ?1"))) {
    step();
  }

  [[nodiscard]] const Kind& kind() const { return kind_; }
  [[nodiscard]] std::int64_t rows() const { return rows_; }

  enum class Found { fitting, other, missing, again };
  /// Looks for the row of an entry; its canonical text is in text() afterwards.
  Found look(const ChainEntry& entry) {
    text_.clear();
    // The key is the first column of every kind.
    while (at_row_ && all_.integer(0) < entry.id && seen_.contains(all_.integer(0))) step();
    if (at_row_ && all_.integer(0) == entry.id) {
      append_canonical(text_, kind_.table, all_);
      step();
    } else {
      one_.bind(1, entry.id);
      const bool found = one_.step();
      if (found) append_canonical(text_, kind_.table, one_);
      one_.reset();
      if (!found) return Found::missing;
    }
    if (!seen_.insert(entry.id)) return Found::again;
    ++rows_;
    digest_.update(text_);
    return digest_.finish() == entry.digest ? Found::fitting : Found::other;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

  /// Calls `tell` for the key of every row that was never looked for. False where there are any.
  template <class Tell>
  bool others(Database& database, const Tell& tell) {
    // Not by an index, which may know less than the table.
    const std::string from = " FROM " + std::string(kind_.table) + " NOT INDEXED";
    if (database.query_integer("SELECT count(*)" + from) == rows_) return true;
    Statement keys = database.prepare("SELECT " + std::string(key_of(kind_)) + from);
    while (keys.step()) {
      if (!seen_.contains(keys.integer(0))) tell(keys.integer(0));
    }
    return false;
  }

 private:
  void step() { at_row_ = all_.step(); }

  const Kind& kind_;
  Statement all_;
  Statement one_;
  bool at_row_ = false;
  IdSet seen_;
  std::int64_t rows_ = 0;
  std::string text_;
  Sha256 digest_;
};

/// What a canonical text shows of a row in a message.
std::string shown(const std::string& text) {
  constexpr std::size_t most = 300;
  return visible(text.size() > most ? text.substr(0, most) + "..." : text);
}

std::string hex(const Sha256::Digest& digest) { return to_hex({digest.data(), digest.size()}); }

/// Looks, in a thread and by a connection of its own, so that both cores have something to do, for
/// what SQLite finds wrong with a file: indexes that do not say what their tables say, above all,
/// for they decide what is sent. It may see rows that a writer has added since, which does not
/// matter.
class IntegrityCheck {
 public:
  explicit IntegrityCheck(const std::string& path) : thread_([this, path] { run(path); }) {}
  ~IntegrityCheck() {
    if (thread_.joinable()) thread_.join();
  }
  IntegrityCheck(const IntegrityCheck&) = delete;
  IntegrityCheck& operator=(const IntegrityCheck&) = delete;

  /// Waits for its end. Throws what it could not do. To be called once.
  [[nodiscard]] std::vector<std::string> problems() {
    thread_.join();
    if (error_) std::rethrow_exception(error_);
    return std::move(problems_);
  }

 private:
  void run(const std::string& path) noexcept {
    try {
      Database database(path, Database::Access::read_only);
      Statement check = database.prepare("PRAGMA integrity_check(20)");
      while (check.step()) {
        if (check.text(0) == "ok") continue;
        problems_.push_back("integrity: " + shown(std::string(check.text(0))));
      }
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  std::vector<std::string> problems_;
  std::exception_ptr error_;
  std::thread thread_;  ///< the last, for it uses the others
};

constexpr std::int64_t k_highest = std::numeric_limits<std::int64_t>::max();

/// Whether the chain has the keys of a kind in their order and without gaps; others are keys of the
/// row that theirs belongs to.
bool has_own_keys(const Kind& kind) noexcept {
  return kind.keys == Keys::own && kind.entered != Entered::by_archive;
}

std::string name_of(const ChainEntry& entry) {
  return std::string(name_of(entry.kind)) + " " + std::to_string(entry.id);
}

/// Whether one of the files is that of an archive.
bool has_archive(std::span<const VerifiedFile> files, std::int64_t archive) {
  return std::ranges::any_of(
      files, [archive](const VerifiedFile& file) { return file.found.sealed_archive == archive; });
}

/// Blocks that archives have emptied, other than the file's own, and of which no file has the
/// entries.
std::int64_t count_unseen_blocks(const Verification& found, std::span<const VerifiedFile> files) {
  std::int64_t emptied = 0;
  std::int64_t unseen = 0;
  for (const ArchiveRecord& record : found.archives) {
    if (record.id == found.sealed_archive) continue;
    if (record.emptied_blocks > emptied && !has_archive(files, record.id)) {
      unseen += record.emptied_blocks - emptied;
    }
    emptied = std::max(emptied, record.emptied_blocks);
  }
  return unseen;
}

class Verifier {
 public:
  Verifier(Database& database, const std::vector<Anchor>& anchors, VerificationScope scope)
      : database_(database),
        snapshot_(database),
        version_(schema_version(database)),
        anchors_(anchors),
        scope_(scope) {
    for (const Anchor& anchor : anchors_) anchors_by_block_.emplace(anchor.head.block, &anchor);
  }

  Verification run() {
    check_schema();
    // Nothing can be read from tables that are not what they should be.
    if (!schema_.has_our_tables) return std::move(result_);
    look_at_archives();
    IntegrityCheck integrity(database_.path());
    for (const Kind& kind : k_kinds) {
      if (kind.since <= version_ && kind.entered == Entered::by_row) {
        readers_[kind.kind].emplace(database_, kind);
      }
    }
    walk();
    check_keys();
    check_others();
    check_disks();
    check_archives();
    if (result_.sealed_archive != 0) check_own_archive();
    check_anchors();
    result_.unseen_blocks = count_unseen_blocks(result_, {});
    for (std::string& text : integrity.problems()) problem(std::move(text));
    if (scope_ == VerificationScope::all) check_derived_tables();
    for (const Kind& kind : k_kinds) {
      if (readers_[kind.kind]) result_.tables.push_back({kind.table, readers_[kind.kind]->rows()});
    }
    result_.tables.push_back({kind_of(EvidenceKind::items).table, items_read_});
    result_.tables.push_back({kind_of(EvidenceKind::duplicate_lines).table, duplicate_lines_});
    return std::move(result_);
  }

 private:
  void problem(std::string text) { result_.add_problem(std::move(text)); }

  void check_schema() {
    schema_ = compare_schema(database_);
    for (const std::string& text : schema_.problems) problem(text);
  }

  void look_at_archives() {
    result_.sealed_archive = sealed_archive(database_);
    result_.archives = read_archives(database_);
    const std::int64_t last = result_.archives.empty() ? 0 : result_.archives.back().id;
    archived_.emplace(database_, 1, last);
    for (const ArchiveRecord& archive : result_.archives) {
      taken_blocks_ = std::max(taken_blocks_, archive.emptied_blocks);
      // The file of an archive was made before its blocks were emptied.
      if (archive.id != result_.sealed_archive) emptied_blocks_ = taken_blocks_;
    }
  }

  /// Whether rows of an archive are in another file.
  [[nodiscard]] bool is_elsewhere(const ArchivedRows::Range* archived) const {
    if (result_.sealed_archive == 0) return archived != nullptr;
    return archived == nullptr || archived->archive != result_.sealed_archive;
  }

  void walk() {
    Statement blocks =
        database_.prepare("SELECT block_id, entries, hash FROM chain ORDER BY block_id");
    std::string previous;
    std::string entries;
    while (blocks.step()) {
      const std::int64_t block = blocks.integer(0);
      if (block != result_.head.block + 1) {
        problem("chain: " + (block == result_.head.block + 2
                                 ? "block " + std::to_string(block - 1) + " is missing"
                                 : "blocks " + std::to_string(result_.head.block + 1) + " to " +
                                       std::to_string(block - 1) + " are missing"));
      }
      entries = blocks.text(1);
      const std::string stored(blocks.text(2));
      if (entries.empty() && block <= emptied_blocks_) {
        previous = stored;
        note_block(block, to_hex(stored));
        continue;
      }
      const Sha256::Digest computed = block_hash(previous, entries);
      if (std::string_view(computed.data(), computed.size()) != stored) {
        problem("chain: block " + std::to_string(block) + " has the hash " + to_hex(stored) +
                ", but its entries and the block before give " + hex(computed));
      }
      previous = stored;
      note_block(block, to_hex(stored));
      if (entries.empty() || entries.size() % k_entry_size != 0) {
        problem("chain: block " + std::to_string(block) + " is not made of entries");
      }
      for (std::size_t i = 0; i < entries.size() / k_entry_size; ++i) {
        check(entry_at(entries, i), block);
      }
      if (block != last_anchored_) {
        result_.later_entries += static_cast<std::int64_t>(entries.size() / k_entry_size);
      }
    }
    end_list();
  }

  void note_block(std::int64_t block, std::string hash) {
    result_.head.block = block;
    result_.head.hash = std::move(hash);
    if (result_.head.chain.empty()) result_.head.chain = result_.head.hash;
    const auto [begin, end] = anchors_by_block_.equal_range(block);
    for (auto at = begin; at != end; ++at) {
      const Anchor& anchor = *at->second;
      if (anchor.head.chain != result_.head.chain) continue;
      if (anchor.head.hash == result_.head.hash) {
        ++result_.anchors;
        last_anchored_ = block;
        result_.later_entries = 0;
      } else {
        problem("anchor of " + format_utc(anchor.time) + ": block " + std::to_string(block) +
                " had the hash " + anchor.head.hash + ", it has " + result_.head.hash +
                ": what follows an earlier block was written anew");
      }
    }
  }

  void check(const ChainEntry& entry, std::int64_t block) {
    const Kind* const kind = find_kind(entry.kind);
    if (kind == nullptr || kind->since > version_) {
      problem("chain: block " + std::to_string(block) + " has an entry of the unknown kind " +
              std::to_string(static_cast<int>(entry.kind)));
      return;
    }
    if (kind->entered == Entered::by_archive) {
      check_archive(entry, block);
      return;
    }
    const ArchivedRows::Range* const archived = archived_->find(entry.kind, entry.id);
    check_place(entry, block, archived);
    const std::int64_t before = result_.problem_count;
    std::int64_t last = entry.id;
    if (is_elsewhere(archived)) {
      if (entry.kind == EvidenceKind::run) end_list();
      if (entry.kind == EvidenceKind::items) {
        // Where the list ends is known of archives only.
        last = archived == nullptr ? k_highest : last_of_thousand(entry.id, archived->last);
      }
    } else if (readers_[entry.kind]) {
      check_row(*readers_[entry.kind], entry, block);
    } else if (entry.kind == EvidenceKind::items) {
      last = check_items(entry, block);
    } else {
      check_duplicate_lines(entry, block);
    }
    if (has_own_keys(*kind)) {
      follow_keys(entry, last, block, result_.problem_count == before);
    }
  }

  /// Of the thousand items from `first` on the last one, in a list that ends with `end`.
  static std::int64_t last_of_thousand(std::int64_t first, std::int64_t end) {
    return end - first < k_items_an_entry ? end : first + k_items_an_entry - 1;
  }

  /// An entry whose rows may be in an archive has to stand where the archive's record lets it.
  void check_place(const ChainEntry& entry, std::int64_t block,
                   const ArchivedRows::Range* archived) {
    if (archived == nullptr) {
      if (block <= taken_blocks_) {
        problem(name_of(entry) + ": no archive has it, but block " + std::to_string(block) +
                ", which has it, was emptied for an archive");
      }
      return;
    }
    const auto record = std::ranges::find(result_.archives, archived->archive, &ArchiveRecord::id);
    if (record != result_.archives.end() && block > record->block) {
      problem(name_of(entry) + ": was entered again in block " + std::to_string(block) +
              ", behind block " + std::to_string(record->block) + " of archive " +
              std::to_string(record->id) + ", which has it");
    }
  }

  // ---- keys

  /// How far the chain has come with the keys of a kind.
  struct KeysSoFar {
    std::int64_t last = 0;  ///< k_highest = not known
    std::int64_t highest_known = 0;
    bool begun = false;
  };

  void follow_keys(const ChainEntry& entry, std::int64_t last, std::int64_t block, bool tell) {
    KeysSoFar& keys = keys_[entry.kind];
    const bool is_next =
        keys.last == k_highest ? entry.id > keys.highest_known : entry.id == keys.last + 1;
    if (!keys.begun && entry.id > 1) {
      check_taken(entry.kind, entry.id - 1);
    } else if (!is_next && tell) {
      problem("chain: block " + std::to_string(block) + " continues with " + name_of(entry) +
              ", not with " +
              (keys.last == k_highest ? "a later one" : std::to_string(keys.last + 1)));
    }
    keys.begun = true;
    keys.highest_known = std::max(keys.highest_known, last == k_highest ? entry.id : last);
    keys.last = last == k_highest ? last : keys.highest_known;
  }

  /// Of rows from 1 to `last` the blocks have no entries any more: each has to be in one of the
  /// archives that emptied them.
  void check_taken(EvidenceKind kind, std::int64_t last) {
    std::int64_t next = 1;
    const auto missing = [&](std::int64_t to) {
      problem(std::string(name_of(kind)) + " " + std::to_string(next) + " to " +
              std::to_string(to) + ": the chain has no entry of them, and no archive has them");
    };
    for (const ArchivedRows::Range& range : archived_->ranges(kind)) {
      if (range.first > last) break;
      if (range.archive == result_.sealed_archive) continue;
      if (range.first > next) missing(range.first - 1);
      next = range.last == k_highest ? k_highest : range.last + 1;
    }
    if (next <= last) missing(last);
  }

  /// Archives have no rows that were not entered: their keys would be given out later.
  void check_keys() {
    for (const Kind& kind : k_kinds) {
      if (!has_own_keys(kind) || archived_->ranges(kind.kind).empty()) continue;
      const ArchivedRows::Range& range = archived_->ranges(kind.kind).back();
      const KeysSoFar& keys = keys_[kind.kind];
      if (keys.last == k_highest || range.last <= keys.highest_known) continue;
      problem("archive " + std::to_string(range.archive) + ": has " +
              std::string(name_of(kind.kind)) + " " + std::to_string(range.last) +
              ", the chain has none behind " + std::to_string(keys.highest_known));
    }
  }

  // ---- rows

  void check_row(RowReader& reader, const ChainEntry& entry, std::int64_t block) {
    if (entry.kind == EvidenceKind::run) begin_list(entry.id);
    const RowReader::Found found = reader.look(entry);
    if (found == RowReader::Found::fitting) return;
    const std::string name =
        std::string(reader.kind().table) + " " + std::to_string(entry.id) + ": ";
    const std::string where = "block " + std::to_string(block);
    switch (found) {
      case RowReader::Found::fitting:
        break;
      case RowReader::Found::other: {
        Sha256 digest;
        digest.update(reader.text());
        problem(name + "was changed: " + where + " has the digest " + hex(entry.digest) +
                ", the row gives " + digest.finish_hex() + ": " + shown(reader.text()));
        break;
      }
      case RowReader::Found::missing:
        problem(name + "is missing; " + where + " has it with the digest " + hex(entry.digest));
        break;
      case RowReader::Found::again:
        problem(name + where + " has it once more");
        break;
    }
  }

  // ---- lists

  struct List {
    std::int64_t run = 0;
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::string sha256;
    Sha256 digest;
    std::int64_t read = 0;
  };

  void begin_list(std::int64_t run) {
    end_list();
    Statement select = database_.prepare(
        "SELECT first_item_id, item_count, list_sha256 FROM run WHERE run_id = ?1");
    select.bind(1, run);
    if (!select.step()) return;
    const std::int64_t first = select.integer(0);
    const std::int64_t count = select.integer(1);
    if (first < 1 || count < 1 || count - 1 > k_highest - first) {
      problem("run " + std::to_string(run) + ": has " + std::to_string(count) +
              " items from item " + std::to_string(first) + ", which cannot be");
      return;
    }
    list_ = std::make_unique<List>();
    list_->run = run;
    list_->first = first;
    list_->last = first + (count - 1);
    list_->sha256 = select.text(2);
  }

  /// Returns the last item that the entry is about.
  std::int64_t check_items(const ChainEntry& entry, std::int64_t block) {
    const std::string where = "block " + std::to_string(block);
    if (!list_) {
      problem("chain: " + where + " has items without a run before them");
      return entry.id;
    }
    if (entry.id < list_->first || entry.id > list_->last) {
      problem("chain: " + where + " has items of another run than that before them");
      return entry.id;
    }
    const std::int64_t last = last_of_thousand(entry.id, list_->last);
    if (!items_of_run_) items_of_run_.emplace(database_.prepare(select_items()));
    items_of_run_->bind(1, entry.id).bind(2, last).bind(3, list_->run);
    Sha256 digest;
    std::int64_t count = 0;
    for (; items_of_run_->step(); ++count) {
      text_.clear();
      append_canonical(text_, "item", *items_of_run_);
      text_ += '\n';
      digest.update(text_);
      // Columns: item_id, run_id, disk_id, source_line.
      list_->digest.update(items_of_run_->text(2));
      list_->digest.update("\n");
    }
    items_of_run_->reset();
    const std::string items = "item " + std::to_string(entry.id) + " to " + std::to_string(last) +
                              " of run " + std::to_string(list_->run);
    if (count != last - entry.id + 1) {
      problem(items + ": " + std::to_string(last - entry.id + 1 - count) + " of them are missing");
    }
    const Sha256::Digest computed = digest.finish();
    if (computed != entry.digest) {
      problem(items + ": were changed: " + where + " has the digest " + hex(entry.digest) +
              ", the rows give " + hex(computed));
    }
    items_read_ += count;
    list_->read += count;
    return last;
  }

  void end_list() {
    if (!list_) return;
    const std::string run = "run " + std::to_string(list_->run);
    if (list_->read != list_->last - list_->first + 1) {
      problem(run + ": of its " + std::to_string(list_->last - list_->first + 1) + " items " +
              std::to_string(list_->read) + " are in the chain");
    }
    const std::string computed = list_->digest.finish_hex();
    if (computed != list_->sha256) {
      problem(run + ": the list has the SHA-256 " + shown(list_->sha256) + ", its items give " +
              computed);
    }
    list_.reset();
  }

  void check_duplicate_lines(const ChainEntry& entry, std::int64_t block) {
    Statement rows = database_.prepare(select_duplicate_lines());
    rows.bind(1, entry.id);
    const DigestOfAll found = digest_of_all(rows, "duplicate_line");
    if (!duplicate_runs_.insert(entry.id)) {
      problem("duplicate lines of run " + std::to_string(entry.id) + ": block " +
              std::to_string(block) + " has them once more");
      return;
    }
    duplicate_lines_ += found.count;
    if (found.digest != entry.digest) {
      problem("duplicate lines of run " + std::to_string(entry.id) + ": were changed: block " +
              std::to_string(block) + " has the digest " + hex(entry.digest) + ", the rows give " +
              hex(found.digest));
    }
  }

  // ---- archives

  void check_archive(const ChainEntry& entry, std::int64_t block) {
    const std::string name = "archive " + std::to_string(entry.id) + ": ";
    const auto found = std::ranges::find(result_.archives, entry.id, &ArchiveRecord::id);
    if (found == result_.archives.end()) {
      problem(name + "is missing; block " + std::to_string(block) + " has it");
      return;
    }
    // Each archive is entered again with every later one.
    auto [known, is_new] = result_.archive_digests.try_emplace(entry.id);
    if (is_new) {
      known->second = hex(archive_digest(database_, entry.id));
      if (found->block > emptied_blocks_ ? block != found->block : block < found->block) {
        problem(name + "was entered first in block " + std::to_string(block) +
                ", its record says block " + std::to_string(found->block));
      }
    }
    if (known->second != hex(entry.digest)) {
      problem(name + "was changed, or its archived_rows or archived_release were: block " +
              std::to_string(block) + " has the digest " + hex(entry.digest) + ", the rows give " +
              known->second);
    }
  }

  void check_archives() {
    ArchiveRecord before;
    for (const ArchiveRecord& archive : result_.archives) {
      const std::string name = "archive " + std::to_string(archive.id) + ": ";
      if (!result_.archive_digests.contains(archive.id)) {
        problem(name + "is not in the chain, so it was not written by this program");
      }
      if (archive.id != before.id + 1) {
        problem(name + "the one before it has the number " + std::to_string(before.id));
      }
      if (archive.block <= before.block || archive.block > result_.head.block ||
          archive.emptied_blocks < before.emptied_blocks ||
          archive.emptied_blocks >= archive.block) {
        problem(name + "is of block " + std::to_string(archive.block) + " and has emptied " +
                std::to_string(archive.emptied_blocks) + "; the one before it was of block " +
                std::to_string(before.block) + " and had emptied " +
                std::to_string(before.emptied_blocks) + ", the last block is " +
                std::to_string(result_.head.block));
      }
      if (archived_->count(EvidenceKind::run, archive.id) != archive.runs ||
          archived_->count(EvidenceKind::items, archive.id) != archive.items) {
        problem(name + "says to have " + std::to_string(archive.runs) + " runs with " +
                std::to_string(archive.items) + " items, its archived_rows are others");
      }
      if (digest_of_hashes(database_, archive.emptied_blocks) != archive.emptied_sha256) {
        problem(name + "a hash of the blocks 1 to " + std::to_string(archive.emptied_blocks) +
                " was changed");
      }
      if (archive.id == result_.sealed_archive && archive.block != result_.head.block) {
        problem(name + "ends with block " + std::to_string(archive.block) +
                ", the chain here with " + std::to_string(result_.head.block));
      }
      before = archive;
    }
    for (const std::string& text : archived_->problems()) problem(text);
    for (const ArchivePart& part : k_archive_parts) {
      const std::int64_t strange =
          database_.query_integer("SELECT count(*) FROM " + std::string(part.table) +
                                  " WHERE archive_id NOT IN (SELECT archive_id FROM archive)");
      if (strange != 0) {
        problem(std::string(part.table) + ": " + std::to_string(strange) +
                " of its rows are of no archive");
      }
    }
    if (result_.sealed_archive == 0 && says_to_be_sealed(database_)) {
      problem("it says to be the file of an archive, and has none on record");
    }
    if (!result_.archives.empty()) check_whole_runs();
  }

  /// Runs are moved as a whole: no row here belongs to one that is elsewhere.
  void check_whole_runs() {
    Statement check = database_.prepare("PRAGMA foreign_key_check");
    while (check.step()) {
      problem(std::string(check.text(0)) + " " + std::string(check.text(1)) + ": refers to " +
              std::string(check.text(2)) + ", of which the row is not here");
    }
  }

  /// The sealed file has what its record says, and what is remembered of its rows is what they say.
  void check_own_archive() {
    const std::int64_t own = result_.sealed_archive;
    const std::string name = "archive " + std::to_string(own) + ": ";
    const auto compare = [&](EvidenceKind kind, std::int64_t rows) {
      const std::int64_t taken = archived_->count(kind, own);
      if (taken == rows) return;
      problem(name + "has taken " + std::to_string(taken) + " rows of " +
              std::string(name_of(kind)) + " by its record, here are " + std::to_string(rows));
    };
    for (const Kind& kind : k_kinds) {
      if (readers_[kind.kind] && has_own_keys(kind)) {
        compare(kind.kind, readers_[kind.kind]->rows());
      }
    }
    compare(EvidenceKind::items, items_read_);
    // Ranges that overlap could be made to take without end.
    if (!archived_->problems().empty()) return;
    if (const std::int64_t others = count_other_releases(database_, own); others != 0) {
      problem(
          name + std::to_string(others) +
          (others == 1 ? " row of archived_release differs" : " rows of archived_release differ") +
          " from what the attempts here say");
    }
  }

  // ---- what the chain does not know

  void check_others() {
    for (const Kind& kind : k_kinds) {
      if (!readers_[kind.kind]) continue;
      RowReader& reader = *readers_[kind.kind];
      const std::int64_t before = result_.problem_count;
      const bool complete = reader.others(database_, [&](std::int64_t id) {
        problem(std::string(kind.table) + " " + std::to_string(id) +
                ": is not in the chain, so it was not written by this program");
      });
      if (!complete && result_.problem_count == before) {
        problem(std::string(kind.table) + ": has other rows than the chain");
      }
    }
    if (database_.query_integer("SELECT count(*) FROM item NOT INDEXED") != items_read_) {
      Statement rows = database_.prepare(
          "SELECT item_id FROM item WHERE item_id > ?1 OR item_id < 1 OR NOT EXISTS"
          " (SELECT 1 FROM run WHERE run.run_id = item.run_id AND item.item_id BETWEEN"
          "  first_item_id AND first_item_id + item_count - 1)");
      rows.bind(1, keys_[EvidenceKind::items].highest_known);
      const std::int64_t before = result_.problem_count;
      while (rows.step()) {
        problem("item " + std::to_string(rows.integer(0)) +
                ": is not in the chain, so it was not written by this program");
      }
      if (result_.problem_count == before) problem("item: has other rows than the chain");
    }
    if (database_.query_integer("SELECT count(*) FROM duplicate_line") != duplicate_lines_) {
      const std::int64_t before = result_.problem_count;
      Statement runs = database_.prepare("SELECT DISTINCT run_id FROM duplicate_line");
      while (runs.step()) {
        if (duplicate_runs_.contains(runs.integer(0))) continue;
        problem("duplicate lines of run " + std::to_string(runs.integer(0)) +
                ": are not in the chain");
      }
      if (result_.problem_count == before) problem("duplicate_line: has other rows than the chain");
    }
  }

  /// disk_item is no evidence, but it decides what is never sent twice.
  void check_disks() {
    const std::int64_t items = database_.query_integer("SELECT count(*) FROM item");
    const std::int64_t disks = database_.query_integer("SELECT count(*) FROM disk_item");
    const std::int64_t fitting = database_.query_integer(
        "SELECT count(*) FROM disk_item CROSS JOIN item USING (item_id)"
        " WHERE disk_item.disk_id = item.disk_id");
    if (items == disks && items == fitting) return;
    problem("disk_item does not fit item: " + std::to_string(items) + " items, " +
            std::to_string(disks) + " rows, of which " + std::to_string(fitting) +
            " name their item's disk");
  }

  /// They are no evidence, but what is sent is found through them, and they are what `status` says
  /// of a long run. Where the evidence itself is not as it was, they cannot fit it.
  void check_derived_tables() {
    if (result_.problem_count > 0) return;
    const std::map<std::string, std::string>& others = schema_.other_derived;
    const auto mark = others.find(k_layout_mark);
    if (mark != others.end() && mark->second.empty()) return;
    const auto found = [&](const std::string& text) {
      problem("derived tables: " + shown(text) +
              " (docs/audit-database.md says how to make them again)");
    };
    // Those of another layout, and those that are missing, are made again by who needs them. What
    // says which layout they have looks the same in all.
    if (mark == others.end() && !derived_layout_is_ours(database_)) return;
    for (const auto& [name, definition] : others) {
      if (!definition.empty()) found(std::string(name).append(" was changed: ").append(definition));
    }
    if (!others.empty() || !derived_tables_are_there(database_)) return;
    for (const std::string& difference : derived_differences(database_)) found(difference);
  }

  void check_anchors() {
    for (const Anchor& anchor : anchors_) {
      if (anchor.head.chain != result_.head.chain) {
        problem("anchor of " + format_utc(anchor.time) + ": is of the chain " + anchor.head.chain +
                ", this one begins with " +
                (result_.head.chain.empty() ? "nothing" : result_.head.chain) +
                ": the database was replaced by another, or the anchor is of another one");
      } else if (anchor.head.block > result_.head.block && result_.sealed_archive != 0) {
        ++result_.later_anchors;
      } else if (anchor.head.block > result_.head.block) {
        problem("anchor of " + format_utc(anchor.time) + ": the chain had block " +
                std::to_string(anchor.head.block) + ", it ends with " +
                std::to_string(result_.head.block) +
                ": the end was cut off, or this is an older copy");
      } else {
        result_.anchored_block = std::max(result_.anchored_block, anchor.head.block);
      }
    }
  }

  static constexpr const char* k_layout_mark = "table derived_until";

  Database& database_;
  Snapshot snapshot_;
  std::int64_t version_;
  const std::vector<Anchor>& anchors_;
  VerificationScope scope_;
  std::multimap<std::int64_t, const Anchor*> anchors_by_block_;
  Verification result_;
  SchemaDifferences schema_;
  ByKind<std::optional<RowReader>> readers_;  ///< of what is entered row by row
  std::optional<ArchivedRows> archived_;
  std::int64_t emptied_blocks_ = 0;  ///< whose entries may be away
  std::int64_t taken_blocks_ = 0;  ///< the same, with those that the file's own archive has emptied
  std::int64_t last_anchored_ = 0;
  ByKind<KeysSoFar> keys_;
  std::unique_ptr<List> list_;
  std::optional<Statement> items_of_run_;
  std::string text_;
  std::int64_t items_read_ = 0;
  std::int64_t duplicate_lines_ = 0;
  IdSet duplicate_runs_;
};

/// What does not fit a sealed file where another file has to have it on record.
void compare_record(Verification& sealed, const VerifiedFile& other) {
  const std::int64_t own = sealed.sealed_archive;
  const std::string name = "archive " + std::to_string(own) + ": " + other.name;
  const auto record = std::ranges::find(other.found.archives, own, &ArchiveRecord::id);
  if (record == other.found.archives.end()) {
    sealed.add_problem(name + " does not have it on record");
    return;
  }
  if (record->hash != sealed.head.hash) {
    sealed.add_problem(name + " has it on record with the head " + record->hash + ", not with " +
                       sealed.head.hash);
  }
  for (const auto& [archive, digest] : sealed.archive_digests) {
    const auto there = other.found.archive_digests.find(archive);
    if (there != other.found.archive_digests.end() && there->second == digest) continue;
    sealed.add_problem(name + " has another record of archive " + std::to_string(archive));
  }
}

}  // namespace

void Verification::add_problem(std::string text) {
  ++problem_count;
  if (problems.size() < k_most_problems) problems.push_back(std::move(text));
}

Verification verify_audit(Database& database, const std::vector<Anchor>& anchors,
                          VerificationScope scope) {
  return Verifier(database, anchors, scope).run();
}

void verify_files(std::span<VerifiedFile> files) {
  for (VerifiedFile& file : files) {
    Verification& found = file.found;
    const bool is_sealed = found.sealed_archive != 0;
    bool has_database = false;
    for (const VerifiedFile& other : files) {
      if (&other == &file) continue;
      const Verification& there = other.found;
      if (is_sealed && (there.sealed_archive == 0 || there.sealed_archive > found.sealed_archive)) {
        compare_record(found, other);
      }
      has_database = has_database || there.sealed_archive == 0;
    }
    found.unseen_blocks = count_unseen_blocks(found, files);
    if (found.later_anchors > 0 && !has_database) {
      found.add_problem(
          std::to_string(found.later_anchors) +
          (found.later_anchors == 1 ? " anchor is" : " anchors are") +
          " later than this sealed file, which may be a database that was cut off: verify it "
          "together with the database that it was taken from (--db twice)");
    }
  }
}

}  // namespace diskrelease
