#include <algorithm>
#include <iostream>

#include "cli/audit_access.h"
#include "cli/commands.h"
#include "custody/archive.h"
#include "custody/archive_list.h"
#include "custody/verification.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "model/visible_text.h"
#include "record/audit_file.h"
#include "report/json_object.h"

namespace diskrelease {
namespace {

/// Archives on record that were not verified together with the database.
std::vector<ArchiveRecord> not_verified(const Verification& found,
                                        const std::vector<VerifiedFile>& all) {
  std::vector<ArchiveRecord> archives;
  for (const ArchiveRecord& archive : found.archives) {
    if (std::ranges::none_of(all, [&](const VerifiedFile& file) {
          return file.found.sealed_archive == archive.id;
        })) {
      archives.push_back(archive);
    }
  }
  return archives;
}

void print_json(const Verification& found, const std::vector<ArchiveRecord>& left_out,
                const std::string& database, const std::vector<std::string>& notes) {
  JsonObject tables;
  for (const VerifiedTable& table : found.tables) tables.add(table.name, table.rows);
  JsonObject object;
  object.add("event", "verification")
      .add("database", database)
      .add("verified", found.passed())
      .add("chain", found.head.chain)
      .add("chain_block", found.head.block)
      .add("chain_hash", found.head.hash)
      .add("anchors", found.anchors)
      .add("anchored", found.anchored())
      .add("anchored_block", found.anchored_block)
      .add("entries_after_anchor", found.later_entries)
      .add("unseen_blocks", found.unseen_blocks)
      .add_json("rows", std::move(tables).text())
      .add("problem_count", found.problem_count)
      .add("problems", found.problems)
      .add("notes", notes)
      .add("sealed", found.sealed_archive != 0)
      .add_json("archives", archives_json(found.archives))
      .add("archives_not_verified", std::ssize(left_out));
  std::cout << std::move(object).text() << '\n';
}

void print_text(const Verification& found, const std::vector<ArchiveRecord>& left_out,
                const std::string& database, bool quiet) {
  if (!found.passed()) {
    for (const std::string& problem : found.problems) std::cout << problem << '\n';
    const auto shown = static_cast<std::int64_t>(found.problems.size());
    if (shown < found.problem_count) {
      std::cout << "... and " << found.problem_count - shown << " more\n";
    }
    std::cout << "NOT VERIFIED: " << database << " is not as it was written ("
              << found.problem_count << (found.problem_count == 1 ? " problem" : " problems")
              << ")\n";
    return;
  }
  if (quiet) return;
  std::cout << "verified: " << database << " is as it was written";
  if (!left_out.empty()) {
    std::cout << ", but for what is in " << left_out.size()
              << (left_out.size() == 1 ? " archive" : " archives");
  }
  std::cout << "\n ";
  for (const VerifiedTable& table : found.tables) {
    if (table.rows > 0) std::cout << ' ' << table.rows << ' ' << table.name << ',';
  }
  std::cout << " in " << found.head.block << " blocks\n  head " << found.head.hash << '\n';
}

/// What the line about anchors needs to know.
struct AnchorsRead {
  std::filesystem::path file;
  bool are_there = false;
  AnchorFile content;
};

AnchorsRead read_anchors_of(const Options& options) {
  AnchorsRead anchors;
  anchors.file = anchor_path(options);
  std::error_code error;
  anchors.are_there = options.anchor_file || std::filesystem::exists(anchors.file, error);
  std::optional<VerifyingKey> key;
  if (options.anchor_public_key) key.emplace(VerifyingKey::read(*options.anchor_public_key));
  if (key && !anchors.are_there) {
    throw UsageError("--anchor-public-key: there is no anchor file " + shown(anchors.file) +
                     "; name it with --anchor-file");
  }
  if (anchors.are_there) anchors.content = read_anchors(anchors.file, key ? &*key : nullptr);
  if (options.anchor_file && anchors.content.anchors.empty() && anchors.content.problems.empty()) {
    throw UsageError("anchor file " + shown(anchors.file) + ": has no anchor in it");
  }
  return anchors;
}

std::string count_of(std::int64_t number, const std::string& one) {
  return std::to_string(number) + ' ' + one + (number == 1 ? "" : "s");
}

void print_anchors(const Verification& found, const AnchorsRead& anchors, const Options& options) {
  if (!anchors.are_there) {
    std::cout << "  without anchors: a database that was truncated, rolled back or replaced would "
                 "look the same\n";
    return;
  }
  std::cout << "  " << count_of(found.anchors, "anchor") << " of " << visible(anchors.file.string())
            << (options.anchor_public_key
                    ? (found.anchors == 1 ? " is signed and fits," : " are signed and fit,")
                    : (found.anchors == 1 ? " fits," : " fit,"))
            << " the latest is of block " << found.anchored_block << '\n';
  if (found.later_entries > 0) {
    std::cout << "  not anchored: "
              << (found.later_entries == 1 ? "1 entry"
                                           : std::to_string(found.later_entries) + " entries")
              << " in later blocks\n";
  }
  for (const std::string& note : anchors.content.notes) {
    std::cout << "  note: " << visible(note) << '\n';
  }
  if (found.later_anchors > 0) {
    std::cout << "  " << count_of(found.later_anchors, "later anchor")
              << (found.later_anchors == 1 ? " is" : " are")
              << " of the database that this archive was taken from\n";
  }
  if (found.unseen_blocks > 0) {
    std::cout
        << "  not anchored: all rows here. Archives have the entries of "
        << count_of(found.unseen_blocks, "block")
        << ", and their files were not verified with this one: rows may have been removed, or "
           "altered and entered again, since the anchors were made\n";
  }
}

void print_archives(const Verification& found, const std::vector<ArchiveRecord>& left_out) {
  if (found.sealed_archive != 0) {
    std::cout << "  this is archive " << found.sealed_archive << ": "
              << describe(found.archives.back()) << '\n';
  }
  for (const ArchiveRecord& archive : left_out) {
    std::cout << "  archive " << archive.id << ": " << describe(archive)
              << "; verify it as well, with --db " << visible(archive.file) << '\n';
  }
}

/// Anchors lie beside the database that runs are added to.
Options with_anchors_of(const Options& options, const std::vector<std::string>& paths) {
  Options chosen = options;
  for (const std::string& path : paths) {
    Database database = open_for_verification(path);
    if (says_to_be_sealed(database)) continue;
    chosen.database = path;
    break;
  }
  return chosen;
}

}  // namespace

ExitCode audit_verify_command(const Options& options) {
  if (options.words.size() > 1) {
    throw UsageError("audit verify takes flags only, not \"" + visible(options.words[1]) +
                     "\"\nSee: diskrelease audit verify --help");
  }
  std::vector<std::string> paths{database_path(options).string()};
  paths.insert(paths.end(), options.more_databases.begin(), options.more_databases.end());
  const AnchorsRead anchors =
      read_anchors_of(paths.size() == 1 ? options : with_anchors_of(options, paths));
  std::vector<VerifiedFile> all;
  for (const std::string& path : paths) {
    Database database = open_for_verification(path);
    if (const std::uint64_t links = hard_links_of(path); links > 1 && !options.quiet) {
      std::cerr << "warning: " << describe_hard_links(path, links) << ".\n";
    }
    VerifiedFile& file = all.emplace_back(
        VerifiedFile{visible(path), verify_audit(database, anchors.content.anchors)});
    file.found.problem_count += std::ssize(anchors.content.problems);
    file.found.problems.insert(file.found.problems.begin(), anchors.content.problems.begin(),
                               anchors.content.problems.end());
  }
  verify_files(all);
  bool passed = true;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Verification& found = all[i].found;
    passed = passed && found.passed();
    const std::vector<ArchiveRecord> left_out = not_verified(found, all);
    if (options.json) {
      print_json(found, left_out, paths[i], anchors.content.notes);
      continue;
    }
    print_text(found, left_out, all[i].name, options.quiet);
    if (!options.quiet && found.passed()) {
      print_archives(found, left_out);
      print_anchors(found, anchors, options);
    }
  }
  return passed ? ExitCode::done : ExitCode::audit_invalid;
}

}  // namespace diskrelease
