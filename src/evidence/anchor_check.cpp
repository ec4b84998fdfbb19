#include "evidence/anchor_check.h"

#include <algorithm>

#include "model/errors.h"
#include "model/visible_text.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_digits_of_a_hash = 16;

std::string short_hash(const std::string& hash) { return hash.substr(0, k_digits_of_a_hash); }

std::string hash_of_block(Database& database, std::int64_t block) {
  Statement select = database.prepare("SELECT hash FROM chain WHERE block_id = ?1");
  select.bind(1, block);
  return select.step() ? to_hex(select.text(0)) : std::string();
}

std::optional<UtcTime> time_of_latest_invocation(Database& database) {
  Statement select =
      database.prepare("SELECT started_utc_ms FROM invocation ORDER BY invocation_id DESC LIMIT 1");
  if (!select.step()) return std::nullopt;
  return select.utc(0);
}

}  // namespace

LatestAnchors read_latest_anchors(const std::vector<std::filesystem::path>& files) {
  LatestAnchors latest;
  for (const std::filesystem::path& file : files) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) continue;
    AnchorFile read;
    try {
      read = read_anchors(file);
    } catch (const UsageError& failure) {
      throw AuditUnusable(std::string(failure.what()) +
                          "\n  why:  the latest anchor shows whether the database is the one it "
                          "was\n  fix:  let this user read the file, then run the command again\n"
                          "Nothing was sent.");
    }
    for (const std::string& note : read.notes) latest.warnings.push_back("note: " + note);
    for (const std::string& problem : read.problems) {
      latest.warnings.push_back("warning: " + problem + "; `diskrelease audit verify` tells more");
    }
    if (!read.anchors.empty()) latest.anchors.push_back({file, read.anchors.back()});
  }
  return latest;
}

ChainHead head_of_chain(Database* database) {
  if (database == nullptr ||
      database->query_integer("SELECT count(*) FROM sqlite_schema WHERE name = 'chain'") == 0) {
    return {};
  }
  return read_chain_head(*database);
}

std::vector<Contradiction> contradictions(Database* database,
                                          const std::vector<LatestAnchor>& anchors) {
  std::vector<Contradiction> found;
  if (anchors.empty()) return found;
  const ChainHead head = head_of_chain(database);
  for (const LatestAnchor& latest : anchors) {
    const std::string hash =
        head.block > 0 ? hash_of_block(*database, latest.anchor.head.block) : std::string();
    if (head.chain == latest.anchor.head.chain && hash == latest.anchor.head.hash) continue;
    found.push_back(
        {latest, head, head.block > 0 ? time_of_latest_invocation(*database) : std::nullopt, hash});
  }
  return found;
}

std::string describe(const Contradiction& contradiction, const std::filesystem::path& database) {
  const ChainHead& found = contradiction.found;
  const Anchor& anchor = contradiction.latest.anchor;
  std::string text =
      "audit database " + visible(database.string()) +
      ": is not the one that its anchors name: " + visible(contradiction.latest.file.string()) +
      " names block " + std::to_string(anchor.head.block) + " of " + format_utc(anchor.time) + ", ";
  if (found.block == 0) {
    return text +
           "and the database is missing or empty\n  why:  the database was lost, or was deleted, "
           "and its anchors were left. Disks that it has released are not known any more: to send "
           "them again destroys those that are in the recycle bin";
  }
  const std::string began =
      contradiction.found_time
          ? " (latest invocation " + format_utc(*contradiction.found_time) + ")"
          : std::string();
  if (found.chain != anchor.head.chain) {
    return text + "of the database " + short_hash(anchor.head.chain) + "; this is the database " +
           short_hash(found.chain) + began +
           "\n  why:  the database was replaced by another one, or these anchors belong to another "
           "one (each database has an anchor file of its own). Disks that the other one has "
           "released are not known here: to send them again destroys those that are in the recycle "
           "bin";
  }
  if (contradiction.found_hash.empty()) {
    text += "and the database ends at block " + std::to_string(found.block) + began;
  } else {
    text += "with the hash " + short_hash(anchor.head.hash) + ", and the database has " +
            short_hash(contradiction.found_hash) + " there and ends at block " +
            std::to_string(found.block) + began;
  }
  return text +
         "\n  why:  an older copy was put back, or the write-ahead log (-wal) was lost after a "
         "crash. Disks released since then are not known any more: to send them again destroys "
         "those that are in the recycle bin";
}

std::string positions(const Contradiction& contradiction) {
  const ChainHead& found = contradiction.found;
  const Anchor& anchor = contradiction.latest.anchor;
  return "the database " +
         (found.block == 0 ? std::string("was missing or empty")
                           : "ended at block " + std::to_string(found.block) + " " + found.hash +
                                 " of chain " + found.chain) +
         ", the anchor of " + format_utc(anchor.time) + " names block " +
         std::to_string(anchor.head.block) + " " + anchor.head.hash + " of chain " +
         anchor.head.chain;
}

}  // namespace diskrelease
