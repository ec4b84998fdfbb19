#include "cli/approval.h"

#include <unistd.h>

#include <iostream>

#include "cli/invocation.h"
#include "model/errors.h"
#include "model/visible_text.h"
#include "queries/run_queries.h"

namespace diskrelease {
namespace {

std::string goal_meaning(Goal goal) {
  switch (goal) {
    case Goal::release:
      return "one accepted ReleaseDisk per disk. On some accounts this destroys the disk at once "
             "and for ever; on others it goes to a recycle bin first";
    case Goal::purge:
      return "release until the disk is destroyed for ever";
  }
  return {};
}

}  // namespace

DecisionRecord approve(const Options& options, const JobSpec& spec, const Callee& callee,
                       std::int64_t count, const std::string& what,
                       const std::vector<std::string>& others) {
  const std::string facts = std::to_string(count) + " disks, goal " +
                            std::string(to_text(spec.goal)) + ", endpoint " + callee.endpoint_name +
                            ", credential " + callee.credential->hint();
  if (spec.max_disks && count > *spec.max_disks) {
    throw GateRefused(what + " has " + std::to_string(count) + " disks to release, the limit is " +
                      std::to_string(*spec.max_disks) +
                      ". Nothing was sent. Check the list; raise --max-disks if it is right.");
  }
  const bool purge = spec.goal == Goal::purge;
  const std::string expected = (purge ? "purge " : "") + std::to_string(count);
  if (!options.quiet) {
    for (const std::string& other : others) {
      std::cerr << "note: at work on this account, its disks are skipped: " << other << '\n';
    }
  }
  if (options.yes) {
    if (purge && options.settings.goal != Goal::purge) {
      throw GateRefused(
          "goal purge destroys disks for ever: with --yes it has to stand on the command line too. "
          "Nothing was sent. Add --goal purge.");
    }
    if (!spec.max_disks) {
      throw GateRefused("--yes needs a stated limit. Nothing was sent. Add --max-disks " +
                        std::to_string(count) + " (" + what + " has " + std::to_string(count) +
                        " disks), or limits.max_disks in the job file.");
    }
    return {DecisionKind::approve, std::nullopt, "yes_flag",
            facts + ", limit " + std::to_string(*spec.max_disks)};
  }
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) {
    throw GateRefused("nobody is here to confirm the release of " + std::to_string(count) +
                      " disks: standard input or standard error is no terminal. Nothing was sent. "
                      "Use --yes --max-disks " +
                      std::to_string(count) + ".");
  }
  std::cerr << what << ":\n  disks       " << count << "\n  goal        " << to_text(spec.goal)
            << ": " << goal_meaning(spec.goal) << "\n  endpoint    " << callee.endpoint_name
            << "\n  credential  " << callee.credential->hint()
            << (purge ? "\nEVERY DISK OF THE LIST WILL BE DESTROYED FOR EVER. Type \"" + expected +
                            "\" to go on: "
                      : std::string("\nA release cannot be undone by this program. Type the number "
                                    "of disks to go on: "))
            << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != expected) {
    throw GateRefused("not confirmed: \"" + visible(answer) + "\" is not " + expected +
                      ". Nothing was sent.");
  }
  return {DecisionKind::approve, std::nullopt, "typed", facts};
}

std::optional<DecisionRecord> approve_credential(const Options& options, Database& database,
                                                 const RunRecord& run, const Callee& callee) {
  const std::string& mine = callee.credential->id;
  std::string latest;
  for (const InvocationRow& invocation : read_invocations(database, run.id)) {
    if (invocation.description.credential_id == k_no_credential) continue;
    if (invocation.description.credential_id == mine) return std::nullopt;
    latest = invocation.description.credential_id;
  }
  if (latest.empty()) return std::nullopt;
  const std::string facts = "run " + std::to_string(run.id.value) + " has worked with credential " +
                            latest + ", not " + mine;
  if (options.accept_credential) {
    return DecisionRecord{DecisionKind::approve, std::nullopt, "accept_credential_flag", facts};
  }
  const std::string warning =
      facts +
      "\n  why:  in another account the disks of the run are absent, which looks as if they "
      "were released\n  fix:  use the credential of the run, or add --accept-credential if "
      "both are of one account";
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) {
    throw GateRefused(warning + "\nNothing was sent.");
  }
  std::cerr << "warning: " << warning << "\nIs " << callee.credential->hint()
            << " of the same account? Type \"yes\" to go on: " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "yes") {
    throw GateRefused("not confirmed: \"" + visible(answer) + "\" is not yes. Nothing was sent.");
  }
  return DecisionRecord{DecisionKind::approve, std::nullopt, "credential_typed", facts};
}

}  // namespace diskrelease
