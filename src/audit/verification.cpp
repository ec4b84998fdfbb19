#include "audit/verification.h"

#include <algorithm>
#include <bitset>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "audit/archived_rows.h"
#include "audit/derived_tables.h"
#include "audit/embedded_schema.h"
#include "model/visible_text.h"
#include "platform/sha256.h"

namespace diskrelease {
namespace {

/// A set of numbers that mostly stand close together: a bit each.
class IdSet {
 public:
  /// False if it is in the set already.
  bool insert(std::int64_t id) {
    const auto [page, bit] = place_of(id);
    std::unique_ptr<Page>& bits = pages_[page];
    if (!bits) bits = std::make_unique<Page>();
    if (bits->test(bit)) return false;
    bits->set(bit);
    return true;
  }
  [[nodiscard]] bool contains(std::int64_t id) const {
    const auto [page, bit] = place_of(id);
    const auto found = pages_.find(page);
    return found != pages_.end() && found->second->test(bit);
  }

 private:
  static constexpr std::size_t k_page = 65'536;
  using Page = std::bitset<k_page>;

  static std::pair<std::uint64_t, std::size_t> place_of(std::int64_t id) {
    const auto bits = static_cast<std::uint64_t>(id);
    return {bits / k_page, bits % k_page};
  }

  std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;
};

/// Reads the rows of one table in the order in which their entries ask for them, which is that of
/// their keys but for few.
class RowReader {
 public:
  RowReader(Database& database, const EvidenceTable& table)
      : table_(table),
        all_(database.prepare("SELECT * FROM " + std::string(table.name) + " ORDER BY " +
                              std::string(table.key))),
        one_(database.prepare("SELECT * FROM " + std::string(table.name) + " WHERE " +
                              std::string(table.key) + " = ?1")) {
    step();
  }

  [[nodiscard]] const EvidenceTable& table() const { return table_; }
  [[nodiscard]] std::int64_t rows() const { return rows_; }

  enum class Found { fitting, other, missing, again };
  /// Looks for the row of an entry; its canonical text is in text() afterwards.
  Found look(const ChainEntry& entry) {
    text_.clear();
    // The key is the first column of every table.
    while (at_row_ && all_.integer(0) < entry.id && seen_.contains(all_.integer(0))) step();
    if (at_row_ && all_.integer(0) == entry.id) {
      append_canonical(text_, table_.name, all_);
      step();
    } else {
      one_.bind(1, entry.id);
      const bool found = one_.step();
      if (found) append_canonical(text_, table_.name, one_);
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
    const std::string from = " FROM " + std::string(table_.name) + " NOT INDEXED";
    if (database.query_integer("SELECT count(*)" + from) == rows_) return true;
    Statement keys = database.prepare("SELECT " + std::string(table_.key) + from);
    while (keys.step()) {
      if (!seen_.contains(keys.integer(0))) tell(keys.integer(0));
    }
    return false;
  }

 private:
  void step() { at_row_ = all_.step(); }

  const EvidenceTable& table_;
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

class Verifier {
 public:
  Verifier(Database& database, const std::vector<Anchor>& anchors)
      : database_(database), snapshot_(database), anchors_(anchors) {
    for (const Anchor& anchor : anchors_) anchors_by_block_.emplace(anchor.head.block, &anchor);
  }

  Verification run() {
    check_schema();
    // Nothing can be read from tables that are not what they should be.
    if (!tables_are_ours_) return std::move(result_);
    look_at_archives();
    IntegrityCheck integrity(database_.path());
    for (const EvidenceTable& table : k_evidence_tables) readers_.emplace_back(database_, table);
    walk();
    check_others();
    check_disks();
    check_archives();
    check_anchors();
    for (std::string& text : integrity.problems()) problem(std::move(text));
    check_derived_tables();
    for (const RowReader& reader : readers_) {
      result_.tables.push_back({reader.table().name, reader.rows()});
    }
    result_.tables.push_back({"item", items_read_});
    result_.tables.push_back({"duplicate_line", duplicate_lines_});
    return std::move(result_);
  }

 private:
  void problem(std::string text) {
    ++result_.problem_count;
    if (result_.problems.size() < Verification::k_most_problems) {
      result_.problems.push_back(std::move(text));
    }
  }

  using Schema = std::map<std::string, std::string>;  ///< "trigger NAME" -> its definition
  static constexpr std::string_view k_layout_mark = "table derived_until";

  static Schema schema_of(Database& database) {
    Statement select = database.prepare(
        "SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema"
        // What SQLite makes by itself: it has no definition, or is a table of ANALYZE.
        " WHERE NOT ((type = 'index' AND sql IS NULL AND name LIKE 'sqlite\\_autoindex\\_%' ESCAPE "
        "'\\')"
        "   OR (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4')))");
    Schema schema;
    while (select.step()) schema.emplace(select.text(0), select.text(1));
    return schema;
  }

  /// What this program makes: the evidence, and together with the derived tables.
  static std::pair<Schema, Schema> expected_schemas() {
    Database fresh(":memory:", Database::Access::in_memory);
    for (const Migration& migration : embedded_migrations()) {
      fresh.execute(std::string(migration.sql));
    }
    Schema evidence = schema_of(fresh);
    fresh.execute(std::string(embedded_derived_tables()));
    return {std::move(evidence), schema_of(fresh)};
  }

  void check_schema() {
    static const auto [evidence, all] = expected_schemas();
    const Schema here = schema_of(database_);
    for (const auto& [name, definition] : evidence) {
      if (here.contains(name)) continue;
      problem("schema: " + name + " is missing");
      if (name.starts_with("table ")) tables_are_ours_ = false;
    }
    for (const auto& [name, definition] : here) {
      if (!all.contains(name)) {
        problem("schema: " + visible(name) +
                " does not belong to an audit database: " + shown(definition));
      } else if (const auto expected = evidence.find(name);
                 // Derived tables of another layout are made anew.
                 expected != evidence.end() && expected->second != definition) {
        problem("schema: " + name + " was changed: " + shown(definition));
        if (name.starts_with("table ")) tables_are_ours_ = false;
      } else if (expected == evidence.end() && all.at(name) != definition) {
        other_derived_[name] = definition;
      }
    }
    has_layout_mark_ = here.contains(std::string(k_layout_mark));
  }

  void look_at_archives() {
    result_.sealed_archive = sealed_archive(database_);
    const std::int64_t sealed = result_.sealed_archive;
    result_.archives = read_archives(database_);
    const std::int64_t last = result_.archives.empty() ? 0 : result_.archives.back().id;
    archived_.emplace(database_, sealed == 0 ? 1 : sealed, sealed == 0 ? last : sealed);
    for (const ArchiveRecord& archive : result_.archives) {
      // The file of an archive was made before its blocks were emptied.
      if (archive.id != sealed) emptied_blocks_ = std::max(emptied_blocks_, archive.emptied_blocks);
    }
    may_skip_items_ = emptied_blocks_ > 0;
  }

  /// Whether a row that the chain has is to be found in another file.
  [[nodiscard]] bool is_elsewhere(const ChainEntry& entry) const {
    return archived_->contains(entry.kind, entry.id) == (result_.sealed_archive == 0);
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
      } else {
        problem("anchor of " + format_utc(anchor.time) + ": block " + std::to_string(block) +
                " had the hash " + anchor.head.hash + ", it has " + result_.head.hash +
                ": what follows an earlier block was written anew");
      }
    }
  }

  void check(const ChainEntry& entry, std::int64_t block) {
    const auto place = static_cast<std::size_t>(entry.kind) - 1;
    if (entry.kind == EvidenceKind::archive) {
      check_archive(entry, block);
    } else if (entry.kind < EvidenceKind::run || entry.kind > EvidenceKind::archive) {
      problem("chain: block " + std::to_string(block) + " has an entry of the unknown kind " +
              std::to_string(static_cast<int>(entry.kind)));
    } else if (is_elsewhere(entry)) {
      if (entry.kind == EvidenceKind::run) end_list();
      if (entry.kind == EvidenceKind::items) may_skip_items_ = true;
    } else if (place < readers_.size()) {
      check_row(readers_[place], entry, block);
    } else if (entry.kind == EvidenceKind::items) {
      check_items(entry, block);
    } else {
      check_duplicate_lines(entry, block);
    }
  }

  void check_row(RowReader& reader, const ChainEntry& entry, std::int64_t block) {
    if (entry.kind == EvidenceKind::run) begin_list(entry.id);
    const RowReader::Found found = reader.look(entry);
    if (found == RowReader::Found::fitting) return;
    const std::string name =
        std::string(reader.table().name) + " " + std::to_string(entry.id) + ": ";
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
    Statement bounds = database_.prepare(
        "SELECT first_item_id, first_item_id + item_count - 1, list_sha256 FROM run"
        " WHERE run_id = ?1");
    bounds.bind(1, run);
    if (!bounds.step()) return;
    list_ = std::make_unique<List>();
    list_->run = run;
    list_->first = bounds.integer(0);
    list_->last = bounds.integer(1);
    list_->sha256 = bounds.text(2);
  }

  void check_items(const ChainEntry& entry, std::int64_t block) {
    const std::string where = "block " + std::to_string(block);
    if (entry.id <= items_ || (entry.id != items_ + 1 && !may_skip_items_)) {
      problem("chain: " + where + " goes on with item " + std::to_string(entry.id) + ", not with " +
              std::to_string(items_ + 1));
    }
    may_skip_items_ = false;
    if (!list_) {
      problem("chain: " + where + " has items without a run before them");
      return;
    }
    if (entry.id < list_->first || entry.id > list_->last) {
      problem("chain: " + where + " has items of another run than that before them");
      return;
    }
    const std::int64_t last = std::min(entry.id + k_items_an_entry - 1, list_->last);
    if (!items_of_run_) items_of_run_.emplace(database_.prepare(k_select_items));
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
    items_ = std::max(items_, last);
    items_read_ += count;
    list_->read += count;
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
    Statement rows = database_.prepare(k_select_duplicate_lines);
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
    auto [known, is_new] = archive_digests_.try_emplace(entry.id);
    if (is_new) known->second = archive_digest(database_, entry.id);
    if (known->second != entry.digest) {
      problem(name + "was changed, or its archived_rows or archived_release were: block " +
              std::to_string(block) + " has the digest " + hex(entry.digest) + ", the rows give " +
              hex(known->second));
    }
  }

  void check_archives() {
    for (const ArchiveRecord& archive : result_.archives) {
      const std::string name = "archive " + std::to_string(archive.id) + ": ";
      if (!archive_digests_.contains(archive.id)) {
        problem(name + "is not in the chain, so it was not written by this program");
      }
      if (digest_of_hashes(database_, archive.emptied_blocks) != archive.emptied_sha256) {
        problem(name + "a hash of the blocks 1 to " + std::to_string(archive.emptied_blocks) +
                " was changed");
      }
      if (archive.id == result_.sealed_archive && archive.block != result_.head.block) {
        problem(name + "ends with block " + std::to_string(archive.block) +
                ", the chain here with " + std::to_string(result_.head.block));
      }
    }
    for (const std::string_view table : {"archived_rows", "archived_release"}) {
      const std::int64_t strange =
          database_.query_integer("SELECT count(*) FROM " + std::string(table) +
                                  " WHERE archive_id NOT IN (SELECT archive_id FROM archive)");
      if (strange != 0) {
        problem(std::string(table) + ": " + std::to_string(strange) +
                " of its rows are of no archive");
      }
    }
    if (result_.sealed_archive == 0 &&
        database_.query_integer("PRAGMA application_id") == k_archive_application_id) {
      problem("it says to be the file of an archive, and has none on record");
    }
  }

  // ---- what the chain does not know

  void check_others() {
    for (RowReader& reader : readers_) {
      const std::int64_t before = result_.problem_count;
      const bool complete = reader.others(database_, [&](std::int64_t id) {
        problem(std::string(reader.table().name) + " " + std::to_string(id) +
                ": is not in the chain, so it was not written by this program");
      });
      if (!complete && result_.problem_count == before) {
        problem(std::string(reader.table().name) + ": has other rows than the chain");
      }
    }
    if (database_.query_integer("SELECT count(*) FROM item NOT INDEXED") != items_read_) {
      Statement rows = database_.prepare(
          "SELECT item_id FROM item WHERE item_id > ?1 OR item_id < 1 OR NOT EXISTS"
          " (SELECT 1 FROM run WHERE run.run_id = item.run_id AND item.item_id BETWEEN"
          "  first_item_id AND first_item_id + item_count - 1)");
      rows.bind(1, items_);
      while (rows.step()) {
        problem("item " + std::to_string(rows.integer(0)) +
                ": is not in the chain, so it was not written by this program");
      }
    }
    if (database_.query_integer("SELECT count(*) FROM duplicate_line") != duplicate_lines_) {
      Statement runs = database_.prepare("SELECT DISTINCT run_id FROM duplicate_line");
      while (runs.step()) {
        if (duplicate_runs_.contains(runs.integer(0))) continue;
        problem("duplicate lines of run " + std::to_string(runs.integer(0)) +
                ": are not in the chain");
      }
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
    if (result_.problem_count > 0 || !has_layout_mark_) return;
    const auto found = [&](const std::string& text) {
      problem("derived tables: " + shown(text) +
              " (docs/audit-database.md says how to make them again)");
    };
    // Those of another layout, and those that are missing, are made again by who needs them. What
    // says which layout they have looks the same in all.
    if (!other_derived_.contains(std::string(k_layout_mark)) &&
        !derived_layout_is_ours(database_)) {
      return;
    }
    for (const auto& [name, definition] : other_derived_) {
      std::string text = name;
      text.append(" was changed: ").append(definition);
      found(text);
    }
    if (!other_derived_.empty() || !derived_tables_are_there(database_)) return;
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

  Database& database_;
  Snapshot snapshot_;
  const std::vector<Anchor>& anchors_;
  std::multimap<std::int64_t, const Anchor*> anchors_by_block_;
  Verification result_;
  bool tables_are_ours_ = true;
  bool has_layout_mark_ = false;
  Schema other_derived_;           ///< that are not as schema/derived.sql has them
  std::deque<RowReader> readers_;  ///< in the order of k_evidence_tables
  std::optional<ArchivedRows> archived_;
  std::int64_t emptied_blocks_ = 0;
  std::map<std::int64_t, Sha256::Digest> archive_digests_;
  std::unique_ptr<List> list_;
  std::optional<Statement> items_of_run_;
  std::string text_;
  std::int64_t items_ = 0;       ///< the last item that an entry was about
  bool may_skip_items_ = false;  ///< entries before this place are about items in other files
  std::int64_t items_read_ = 0;
  std::int64_t duplicate_lines_ = 0;
  IdSet duplicate_runs_;
};

}  // namespace

Verification verify_audit(Database& database, const std::vector<Anchor>& anchors) {
  return Verifier(database, anchors).run();
}

}  // namespace diskrelease
