#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "input/list_reader.h"
#include "model/disk_id.h"
#include "model/time.h"

namespace diskrelease {

/// What the provider's log says became of a call.
enum class ProviderResult {
  succeeded,
  failed,
  unclear,  ///< it says nothing that is understood, or contradicts itself
};

[[nodiscard]] std::string_view to_text(ProviderResult result) noexcept;

/// The release of one disk, as the provider has logged it.
struct ProviderRelease {
  DiskId disk;
  UtcTime time;
  ProviderResult result = ProviderResult::unclear;
  std::string code;        ///< of a failure; may be empty
  std::string request_id;  ///< empty = the record has none
  std::string user;
  std::string client_ip;
  std::string source;       ///< CONSOLE_CALL or API_CALL
  std::int64_t record = 0;  ///< which record of the export, from 1
};

/// What reading an export has shown.
struct ProviderLogSummary {
  std::int64_t records = 0;          ///< bad ones included
  std::int64_t release_records = 0;  ///< of these, releases; one may name several disks
  std::optional<UtcTime> earliest;   ///< of all records, whatever they are about
  std::optional<UtcTime> latest;
  std::vector<std::string> other_events;  ///< names of other events, the first few different ones
  InputProblems problems;                 ///< not empty = the export must not be used
};

/// Called for each release in file order; a record that names several disks gives several.
using ProviderReleaseSink = std::function<void(ProviderRelease&&)>;

/// More releases than this in one export are refused: whoever compares them keeps all in memory.
inline constexpr std::int64_t k_max_provider_releases = 1'000'000;

/// Reads an export of Zenlayer's audit log: saved answers to `DescribeLogs` of the service `zls`
/// (docs/reconciliation.md).
///
/// The file holds one JSON value or several, one after the other (NDJSON is that, too). A value is
/// an answer, with "dataSet" in its "response" or beside its "requestId", as command line and SDK
/// print it; a record; or an array of answers and records.
///
/// From the provider's documentation and SDKs: the members resUid, resEvent, opsTime, eventSource,
/// opsUser, clientIP, request, response of a record, all texts; that request and response are JSON
/// in a text, or null; that resUid is type/id, several joined by "|"; that a response with
/// "success":true and "code":"SUCCESS" is a success.
///
/// Assumed, since no public source shows the record of a release:
/// - Its resEvent is ReleaseDisk, or the same words in other spelling ("release disk"). Further
///   names are in `events`.
/// - Its request is that of the API call, {"diskId":...}; "diskIds" with several is taken as well.
///   Without it the disk is named by resUid: by the parts whose type has "disk" in it, else by all.
/// - Its response is as documented for the console, or the answer of the API call: a "response"
///   object is a success, a "code" a failure, "requestId" the request id.
///
/// Every record needs a resEvent and an opsTime, a release also a disk. A member that is read may
/// not occur twice or have another type. Texts that are kept may be 256 bytes long, any text 1 MiB,
/// nesting 64 levels. Goes on after a bad record, so that all problems are told together, and ends
/// at a syntax error. Memory does not grow with the file. Exceptions of the sink pass through.
[[nodiscard]] ProviderLogSummary read_provider_log(std::istream& in,
                                                   const std::vector<std::string>& events,
                                                   const ProviderReleaseSink& sink);

/// The same from a file, or from standard input for "-".
[[nodiscard]] ProviderLogSummary read_provider_log_file(const std::string& path,
                                                        const std::vector<std::string>& events,
                                                        const ProviderReleaseSink& sink);

}  // namespace diskrelease
