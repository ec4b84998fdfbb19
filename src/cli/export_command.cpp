#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include "cli/audit_access.h"
#include "cli/commands.h"
#include "custody/evidence_bundle.h"
#include "custody/verification.h"
#include "evidence/anchor_file.h"
#include "evidence/schema_check.h"
#include "model/errors.h"
#include "model/visible_text.h"
#include "platform/clock.h"
#include "record/audit_file.h"
#include "report/json_object.h"

namespace diskrelease {
namespace {

/// A folder beside the target, for what takes the target's name once it is whole; it is removed in
/// the end.
class PartialFolder {
 public:
  explicit PartialFolder(const std::filesystem::path& target)
      : path_(target.string() + ".partial") {
    if (::mkdir(path_.c_str(), 0700) == 0) return;
    if (errno == EEXIST) {
      throw UsageError(visible(path_.string()) +
                       " is in the way: an export is under way, or was cut off; remove it");
    }
    throw UsageError(visible(path_.string()) + ": cannot be made: " + std::strerror(errno));
  }
  ~PartialFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  PartialFolder(const PartialFolder&) = delete;
  PartialFolder& operator=(const PartialFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void hand_over(const std::string& name, const std::filesystem::path& target) const {
    std::error_code error;
    std::filesystem::rename(path_ / name, target, error);
    if (error) throw UsageError(visible(target.string()) + ": cannot be made: " + error.message());
  }

 private:
  std::filesystem::path path_;
};

/// The anchors of this chain. Whether the file has others says nothing of what is exported.
std::vector<Anchor> anchors_of_chain(const std::filesystem::path& file, const std::string& chain) {
  std::vector<Anchor> anchors = read_anchors(file).anchors;
  std::erase_if(anchors, [&](const Anchor& anchor) { return anchor.head.chain != chain; });
  return anchors;
}

/// Says what was found, and that nothing was exported.
ExitCode refuse(const Verification& found, const Options& options) {
  for (const std::string& problem : found.problems) std::cout << problem << '\n';
  std::cerr << "diskrelease: nothing was exported: the database was altered after it was written "
               "(see above, and `diskrelease audit verify"
            << database_flag(options) << "`)\n";
  return ExitCode::audit_invalid;
}

}  // namespace

ExitCode audit_export_command(const Options& options) {
  if (!options.output) {
    throw UsageError(
        "audit export needs -o DIR or -o FILE.tar\nSee: diskrelease audit export --help");
  }
  if (options.words.size() < 2) {
    throw UsageError("audit export needs a RUN\nSee: diskrelease audit export --help");
  }
  std::filesystem::path target = *options.output;
  if (!target.has_filename()) target = target.parent_path();
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(target, error))) {
    throw UsageError(visible(target.string()) + ": is there already; name something new");
  }
  BundleDetails details;
  if (options.key) {
    details.key = std::make_shared<const SigningKey>(SigningKey::read(*options.key));
  }
  details.made = SystemClock().utc_now();
  details.tool_version = tool_version();
  const std::filesystem::path anchor_file = anchor_path(options);
  const bool has_anchors = options.anchor_file || std::filesystem::exists(anchor_file, error);
  Database database = open_for_verification(database_path(options));
  // What is verified is what is exported, whatever others commit meanwhile.
  const Snapshot snapshot(database);
  std::vector<Anchor> anchors;
  if (compare_schema(database).problems.empty() && has_anchors) {
    const std::string chain = read_chain_head(database).chain;
    anchors = anchors_of_chain(anchor_file, chain);
    details.anchors = anchor_lines_of(anchor_file, chain);
  }
  const Verification found = verify_audit(database, anchors, VerificationScope::evidence);
  if (!found.passed()) return refuse(found, options);
  const RunRecord run = named_run(database, options).value();

  const PartialFolder partial(target);
  const ExtractedChain chain = write_bundle(database, run, details, partial.path() / "bundle");
  const bool is_tar = target.extension() == ".tar";
  if (is_tar) {
    write_tar(partial.path() / "bundle", target.stem().string(), partial.path() / "tar");
  }
  partial.hand_over(is_tar ? "tar" : "bundle", target);

  if (options.json) {
    JsonObject object;
    object.add("event", "export")
        .add("run_id", run.id.value)
        .add("output", target.string())
        .add("signed", details.key != nullptr)
        .add("anchors", static_cast<std::int64_t>(details.anchors.size()))
        .add("chain", chain.chain)
        .add("first_block", chain.first_block)
        .add("last_block", chain.last_block)
        .add("last_hash", chain.last_hash);
    std::cout << std::move(object).text() << '\n';
  } else if (!options.quiet) {
    std::cout << "run " << run.id.value << " exported to " << visible(target.string())
              << "\n  blocks " << chain.first_block << " to " << chain.last_block
              << " of the chain, " << details.anchors.size()
              << (details.anchors.size() == 1 ? " anchor, " : " anchors, ")
              << (details.key ? "signed" : "not signed (--key)")
              << "\n  check it with: " << (is_tar ? "tar -xf FILE, then " : "")
              << "sh check.sh [PUBLIC_KEY.pem], in it\n";
  }
  return ExitCode::done;
}

}  // namespace diskrelease
