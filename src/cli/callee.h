#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "api/credentials.h"
#include "cli/options.h"
#include "model/job_spec.h"
#include "net/https_transport.h"
#include "platform/shared_region.h"
#include "sandbox/sandbox.h"

namespace diskrelease {

/// The CA of the simulator inside this process, in a file for the transport; removed at the end.
class TemporaryFile {
 public:
  TemporaryFile();
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Where calls go and who makes them.
struct Callee {
  std::optional<TemporaryFile> ca;
  std::optional<sandbox::Sandbox> simulator;
  HttpsSettings https;
  std::optional<HttpsTransport>
      transport;  ///< made early: a CA file that cannot be read is told before anything is enrolled
  std::optional<Credential> credential;
  /// The pace that all processes of this user keep which call this endpoint with this credential;
  /// nullptr where there is nothing to share: the simulator inside this process, an unlimited rate.
  std::unique_ptr<SharedRegion> pace;
  std::string endpoint_name;  ///< as recorded: "sandbox" for the simulator inside this process
};

/// Finds endpoint and credential, and makes the transport with a lane for each sender and one for
/// reading. All that can be missing on this machine is told here, before anything is enrolled.
/// Throws UsageError or CallsImpossible.
void find_callee(const Options& options, const JobSpec& spec, Callee& callee);

}  // namespace diskrelease
