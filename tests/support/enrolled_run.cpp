#include "support/enrolled_run.h"

#include <variant>

#include "record/enrolment.h"
#include "record/run_records.h"

namespace diskrelease {

DiskId disk_id(const std::string& text) { return std::get<DiskId>(DiskId::parse(text)); }

RunDescription test_description() {
  RunDescription description;
  description.name = "test";
  description.endpoint = "127.0.0.1:1";
  description.list_source = "list.txt";
  description.list_format = "text";
  description.settings_json = "{}";
  return description;
}

RunRecord enrol(Database& database, const std::vector<std::string>& disks,
                const RunDescription& description, UtcTime at) {
  Enrolment enrolment(database);
  std::int64_t line = 0;
  for (const std::string& disk : disks) enrolment.add({disk_id(disk), ++line});
  static_cast<void>(enrolment.finish());
  return enrolment.commit(description, at);
}

InvocationId begin_test_invocation(Database& database, RunId run, UtcTime at,
                                   const std::string& credential) {
  InvocationDescription description;
  description.command = "run";
  description.user = "operator";
  description.host = "host";
  description.pid = 1;
  description.tool_version = "0";
  description.endpoint = "127.0.0.1:1";
  description.credential_id = credential;
  description.credential_source = "test";
  description.settings_json = "{}";
  description.origin = {"", "operator", "", "192.0.2.1", "test"};
  return begin_invocation(database, run, description, at);
}

std::vector<std::string> numbered_disks(int count) {
  std::vector<std::string> disks;
  for (int i = 1; i <= count; ++i) disks.push_back("disk-" + std::to_string(i));
  return disks;
}

}  // namespace diskrelease
