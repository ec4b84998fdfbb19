#include <iostream>

#include "audit/verification.h"
#include "cli/audit_access.h"
#include "cli/commands.h"
#include "model/errors.h"
#include "model/visible_text.h"
#include "report/json_object.h"

namespace diskrelease {
namespace {

void print_json(const Verification& found, const std::string& database) {
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
      .add_json("rows", std::move(tables).text())
      .add("problem_count", found.problem_count)
      .add("problems", found.problems);
  std::cout << std::move(object).text() << '\n';
}

void print_text(const Verification& found, const std::string& database, bool quiet) {
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
  std::cout << "verified: " << database << " is as it was written\n ";
  for (const VerifiedTable& table : found.tables) {
    if (table.rows > 0) std::cout << ' ' << table.rows << ' ' << table.name << ',';
  }
  std::cout << " in " << found.head.block << " blocks\n  head " << found.head.hash << '\n';
}

}  // namespace

ExitCode audit_verify_command(const Options& options) {
  if (options.words.size() > 1) {
    throw UsageError("audit verify takes flags only, not \"" + visible(options.words[1]) +
                     "\"\nSee: diskrelease audit verify --help");
  }
  Database database = open_evidence(options);
  const std::filesystem::path anchor_file = anchor_path(options);
  std::error_code error;
  const bool has_anchors = options.anchor_file || std::filesystem::exists(anchor_file, error);
  std::optional<VerifyingKey> key;
  if (options.anchor_public_key) key.emplace(VerifyingKey::read(*options.anchor_public_key));
  if (key && !has_anchors) {
    throw UsageError("--anchor-public-key: there is no anchor file " + anchor_file.string() +
                     "; name it with --anchor-file");
  }
  const AnchorFile anchors =
      has_anchors ? read_anchors(anchor_file, key ? &*key : nullptr) : AnchorFile();
  if (options.anchor_file && anchors.anchors.empty() && anchors.problems.empty()) {
    throw UsageError("anchor file " + anchor_file.string() + ": has no anchor in it");
  }
  Verification found = verify_audit(database, anchors.anchors);
  found.problem_count += std::ssize(anchors.problems);
  found.problems.insert(found.problems.begin(), anchors.problems.begin(), anchors.problems.end());
  if (options.json) {
    print_json(found, database.path());
  } else {
    print_text(found, visible(database.path()), options.quiet);
    if (!options.quiet && found.passed()) {
      if (has_anchors) {
        std::cout << "  " << found.anchors << " anchors of " << visible(anchor_file.string())
                  << (options.anchor_public_key ? " are signed and fit," : " fit,")
                  << " the latest is of block " << found.anchored_block << '\n';
      } else {
        std::cout << "  without anchors: a database that was cut off, rolled back or replaced "
                     "would look the same\n";
      }
    }
  }
  return found.passed() ? ExitCode::done : ExitCode::audit_invalid;
}

}  // namespace diskrelease
